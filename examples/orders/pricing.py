"""What an order costs. No Lambda in here: business logic is tested without one."""

from dataclasses import dataclass
from decimal import Decimal

PRICES = {"coffee": Decimal("3.20"), "tea": Decimal("2.80"), "cake": Decimal("4.50")}
DISCOUNT_FROM_ITEMS = 10
DISCOUNT = Decimal("0.10")


class InvalidOrderError(Exception):
    """The order cannot be taken; the message says why, in the customer's words."""


@dataclass(frozen=True)
class Quote:
    """A priced order; money in euros."""

    order_id: str
    items: int
    total: Decimal


def quote(order):
    """Prices an order: ``{"id": str, "items": [{"product": str, "quantity": int}]}``."""
    lines = order.get("items") or []
    if not order.get("id"):
        raise InvalidOrderError("an order needs an id")
    if not lines:
        raise InvalidOrderError(f"order {order['id']} has no items")
    total, count = Decimal(0), 0
    for line in lines:
        product, quantity = line.get("product"), line.get("quantity")
        if product not in PRICES:
            raise InvalidOrderError(f"order {order['id']}: we do not sell {product!r}")
        if not isinstance(quantity, int) or not 1 <= quantity <= 1000:
            raise InvalidOrderError(f"order {order['id']}: {quantity!r} is no quantity")
        total += PRICES[product] * quantity
        count += quantity
    if count >= DISCOUNT_FROM_ITEMS:
        total -= total * DISCOUNT
    return Quote(order["id"], count, total.quantize(Decimal("0.01")))
