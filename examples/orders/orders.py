"""Orders and prices: plain Python that knows nothing of Lambda, so it can be tested and reused anywhere.

Money is in whole cents: no sum is ever off by a binary fraction.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FREE_SHIPPING_FROM_CENTS = 5_000
SHIPPING_CENTS = 490
MOST_OF_ONE_ITEM = 100


class InvalidOrderError(ValueError):
    """An order that cannot be served; the message says which field and why."""


@dataclass(frozen=True)
class Line:
    """``quantity`` pieces of one item."""

    sku: str
    quantity: int


@dataclass(frozen=True)
class Order:
    """A checked order."""

    order_id: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Catalogue:
    """What is sold: the price in cents by item number."""

    prices: Mapping[str, int]

    @classmethod
    def from_json(cls, text: str) -> "Catalogue":
        """From ``{"sku": {"name": …, "price_cents": …}}``."""
        return cls({sku: int(item["price_cents"]) for sku, item in json.loads(text).items()})


def parse_order(event: Any, catalogue: Catalogue) -> Order:
    """The event as an order. Raises InvalidOrderError for anything missing, unknown or out of range."""
    order_id = event.get("order_id") if isinstance(event, dict) else None
    if not isinstance(order_id, str) or not order_id.strip():
        raise InvalidOrderError("order_id: a text is required")
    items = event.get("items")
    if not isinstance(items, list) or not items:
        raise InvalidOrderError("items: at least one is required")
    return Order(order_id, tuple(_parse_line(i, item, catalogue) for i, item in enumerate(items)))


def _parse_line(index: int, item: Any, catalogue: Catalogue) -> Line:
    where = f"items[{index}]"
    if not isinstance(item, dict):
        raise InvalidOrderError(f"{where}: an object is required")
    sku, quantity = item.get("sku"), item.get("quantity")
    if not isinstance(sku, str) or sku not in catalogue.prices:
        raise InvalidOrderError(f"{where}.sku: {sku!r} is not in the catalogue")
    # True is an int in Python, and no quantity.
    if type(quantity) is not int or not 1 <= quantity <= MOST_OF_ONE_ITEM:
        raise InvalidOrderError(
            f"{where}.quantity: 1 to {MOST_OF_ONE_ITEM} is allowed, not {quantity!r}"
        )
    return Line(sku, quantity)


def price(order: Order, catalogue: Catalogue, discount_percent: int = 0) -> dict[str, Any]:
    """The receipt: goods less discount, and shipping unless the goods are worth enough."""
    goods = sum(catalogue.prices[line.sku] * line.quantity for line in order.lines)
    discount = goods * discount_percent // 100
    shipping = 0 if goods - discount >= FREE_SHIPPING_FROM_CENTS else SHIPPING_CENTS
    return {
        "order_id": order.order_id,
        "goods_cents": goods,
        "discount_cents": discount,
        "shipping_cents": shipping,
        "total_cents": goods - discount + shipping,
    }
