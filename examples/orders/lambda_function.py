"""Takes an order, prices it, answers with a receipt: the edge between Lambda and ``orders.py``.

What is the same for every event (catalogue, settings, logger) is made once, while the environment starts.
"""

import json
import os
from pathlib import Path
from typing import Any

from orders import Catalogue, InvalidOrderError, parse_order, price
from receipts import Receipts
from structured_log import log

CATALOGUE = Catalogue.from_json(Path(__file__).with_name("catalogue.json").read_text())
DISCOUNT_PERCENT = int(os.environ.get("DISCOUNT_PERCENT", "0"))
RECEIPTS = Receipts(Path("/tmp/receipts"))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Prices the order in ``event``. The same order id gets the same receipt again.

    Raises InvalidOrderError, which Lambda reports to the caller as the error's type and message.
    """
    request = {"request_id": context.aws_request_id, "version": context.function_version}
    try:
        order = parse_order(event, CATALOGUE)
    except InvalidOrderError as problem:
        log("ERROR", "order refused", problem=str(problem), **request)
        raise
    earlier = RECEIPTS.find(order.order_id)
    if earlier is not None:
        log("INFO", "order seen before", order_id=order.order_id, **request)
        return {**earlier, "repeated": True}
    receipt = price(order, CATALOGUE, DISCOUNT_PERCENT)
    RECEIPTS.keep(order.order_id, receipt)
    log("INFO", "order priced", order_id=order.order_id, total=receipt["total_cents"], **request)
    log("DEBUG", "receipt", receipt=json.dumps(receipt), **request)
    return {**receipt, "repeated": False}
