"""Queues and records in SQLite: the part of a transaction that messages have no part in."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from lambent.store.queues.contract import Queue

_QUEUE: Final = "SELECT queue_id, key, fifo, document FROM queues"
_END: Final = "\U0010ffff"
_MAX_PLACES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a queue's messages are."""

    heap_id: int
    fifo: bool


class RecordsTransaction:
    """Statements on one connection; ``places`` remembers rows of queues until something is undone."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._cx = connection
        self._places: dict[int, Place] = {}

    def forget(self) -> None:
        """What was read may have been undone."""
        self._places.clear()

    def create_queue(self, key: str, *, fifo: bool, document: str) -> Queue:
        if self.find_queue(key) is not None:
            raise ValueError(f"There is a queue {key!r}.")
        queue_id = self._cx.execute(
            "INSERT INTO queues (key, fifo, document, heap_id) VALUES (?, ?, ?, ?)",
            (key, fifo, document, self._new_heap()),
        ).lastrowid
        return Queue(queue_id or 0, key, fifo, document)

    def find_queue(self, key: str) -> Queue | None:
        row = self._cx.execute(f"{_QUEUE} WHERE key = ?", (key,)).fetchone()
        return _queue(row) if row else None

    def list_queues(self, prefix: str, after: str | None, limit: int) -> list[Queue]:
        rows = self._cx.execute(
            f"{_QUEUE} WHERE key >= ? AND key > ? AND key < ? ORDER BY key LIMIT ?",
            (prefix, after or "", prefix + _END, limit),
        )
        return [_queue(row) for row in rows]

    def set_document(self, queue_id: int, document: str) -> None:
        self._place(queue_id)
        self._cx.execute("UPDATE queues SET document = ? WHERE queue_id = ?", (document, queue_id))

    def delete_queue(self, queue_id: int) -> None:
        self._abandon(self._place(queue_id).heap_id)
        self._cx.execute("DELETE FROM queues WHERE queue_id = ?", (queue_id,))
        del self._places[queue_id]

    def purge(self, queue_id: int) -> None:
        self._abandon(self._place(queue_id).heap_id)
        self._cx.execute(
            "UPDATE queues SET heap_id = ? WHERE queue_id = ?", (self._new_heap(), queue_id)
        )
        del self._places[queue_id]

    def clear(self) -> None:
        """Everything there is."""
        self._cx.execute("UPDATE heaps SET abandoned = 1")
        for table in ("queues", "records", "deduplications"):
            self._cx.execute(f"DELETE FROM {table}")  # noqa: S608 - names from above
        self._places.clear()

    def put_record(self, kind: str, key: str, document: str) -> None:
        self._cx.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (kind, key, document))

    def find_record(self, kind: str, key: str) -> str | None:
        row = self._cx.execute(
            "SELECT document FROM records WHERE kind = ? AND key = ?", (kind, key)
        ).fetchone()
        return row[0] if row else None

    def list_records(
        self, kind: str, prefix: str, after: str | None, limit: int
    ) -> list[tuple[str, str]]:
        return self._cx.execute(
            "SELECT key, document FROM records"
            " WHERE kind = ? AND key >= ? AND key > ? AND key < ? ORDER BY key LIMIT ?",
            (kind, prefix, after or "", prefix + _END, limit),
        ).fetchall()

    def delete_record(self, kind: str, key: str) -> bool:
        return bool(
            self._cx.execute("DELETE FROM records WHERE kind = ? AND key = ?", (kind, key)).rowcount
        )

    def _place(self, queue_id: int) -> Place:
        place = self._places.get(queue_id)
        if place is None:
            row = self._cx.execute(
                "SELECT heap_id, fifo FROM queues WHERE queue_id = ?", (queue_id,)
            ).fetchone()
            if row is None:
                raise KeyError(queue_id)
            if len(self._places) >= _MAX_PLACES:
                self._places.clear()
            place = self._places[queue_id] = Place(row[0], bool(row[1]))
        return place

    def _new_heap(self) -> int:
        heap_id = self._cx.execute("INSERT INTO heaps DEFAULT VALUES").lastrowid
        return heap_id or 0

    def _abandon(self, heap_id: int) -> None:
        self._cx.execute("UPDATE heaps SET abandoned = 1 WHERE heap_id = ?", (heap_id,))


def _queue(row: tuple[int, str, int, str]) -> Queue:
    return Queue(row[0], row[1], bool(row[2]), row[3])
