"""Receipts by order id in ``/tmp``, so that an order delivered twice is not charged twice.

``/tmp`` belongs to one execution environment and goes with it: this catches the quick repeat that lands in
the same place. For every repeat keep the ids in a database (DynamoDB with a conditional put).
"""

import hashlib
import json
from pathlib import Path
from typing import Any


class Receipts:
    """A directory with one file an order."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def find(self, order_id: str) -> dict[str, Any] | None:
        """The receipt kept for the order, or None."""
        try:
            found: dict[str, Any] = json.loads(self._path(order_id).read_text())
        except FileNotFoundError:
            return None
        return found

    def keep(self, order_id: str, receipt: dict[str, Any]) -> None:
        """Keeps the receipt. Whole or not at all: the environment may be stopped at any moment."""
        path = self._path(order_id)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(receipt))
        fresh.replace(path)

    def _path(self, order_id: str) -> Path:
        # A hash, because an order id comes from outside and must not name a path.
        return self._directory / f"{hashlib.sha256(order_id.encode()).hexdigest()}.json"
