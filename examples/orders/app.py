"""Takes orders: checks, prices and records each once.

What is slow is made outside the handler and reused; the handler is idempotent by order id within
its environment; log lines are JSON; the log level comes from the environment.
"""

import json
import logging
import os
from pathlib import Path

import pricing

logger = logging.getLogger()
logger.setLevel(os.environ.get("LOG_LEVEL", "INFO"))
BOOK = Path(os.environ.get("ORDER_BOOK", "/tmp/orders"))


def handler(event, context):
    """Returns the quote; an order seen before gives the same answer and is not recorded again."""
    BOOK.mkdir(exist_ok=True)
    quote = pricing.quote(event)
    entry = BOOK / f"{quote.order_id}.json"
    answer = {"orderId": quote.order_id, "items": quote.items, "totalEuro": str(quote.total)}
    repeated = entry.exists()
    if not repeated:
        entry.write_text(json.dumps(answer))
    logger.info(json.dumps({"message": "order taken", "repeated": repeated, **answer}))
    return {**answer, "repeated": repeated, "takenBy": context.function_version}
