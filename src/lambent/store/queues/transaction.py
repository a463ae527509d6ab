"""The contract's :class:`Transaction` on a SQLite connection: messages, and the groups of FIFO queues.

A group's row says when the group is available: when its first message is visible and none of it is held.
Messages of a FIFO queue that are deleted or changed leave their group to be looked at again once, before
the next receive or at the end of the work.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

from lambent.store.queues import statements as sql
from lambent.store.queues.contract import (
    DEDUPLICATION_MS,
    Counts,
    Message,
    NewMessage,
    Receipt,
    Sent,
    StoreFullError,
)
from lambent.store.queues.records import Place, RecordsTransaction
from lambent.store.queues.schema import INLINE_BODY_BYTES, NUMBER_BITS

_MAX_INTEGER: Final = 2**63 - 1
_ROW_BYTES: Final = 512
_FORGET_AT_ONCE: Final = 20

Row = tuple[Any, ...]


class SqliteTransaction(RecordsTransaction):
    """One object for every work of a store; :meth:`begin` starts the next one."""

    def __init__(self, connection: sqlite3.Connection, take_room: Callable[[int], bool]) -> None:
        super().__init__(connection)
        self._take_room = take_room
        self._stale_groups: dict[int, tuple[int, int]] = {}
        self._gone: dict[int, int] = {}
        self.arrivals: set[int] = set()

    def begin(self) -> None:
        """Nothing is left of the work before."""
        self.arrivals = set()
        self._stale_groups.clear()
        self._gone.clear()

    def finish(self) -> None:
        """Brings groups and totals up to date. Part of the work."""
        for heap_id, gone in self._gone.items():
            self._cx.execute(sql.SUBTRACT, (gone, heap_id))
        self._gone.clear()
        stale, self._stale_groups = self._stale_groups, {}
        for group_no, (queue_id, heap_id) in stale.items():
            if self._refresh_group(group_no, heap_id):
                self.arrivals.add(queue_id)

    # Sending

    def send(self, queue_id: int, messages: Sequence[NewMessage], now_ms: int) -> list[Sent]:
        place = self._place(queue_id)
        size_bytes = sum(len(m.body) + len(m.attributes) + _ROW_BYTES for m in messages)
        if not self._take_room(size_bytes):
            raise StoreFullError("The disk of the queue store has no room for more messages.")
        number = self._take_numbers(place, len(messages))
        sent: list[Sent] = []
        rows: list[Row] = []
        for offset, message in enumerate(messages):
            sequence = number + offset
            first = self._deduplicate(queue_id, message, sequence, now_ms)
            if first is None:
                rows.append(self._new_row(place, sequence, message, now_ms))
            sent.append(first or Sent(message.message_id, sequence, duplicate=False))
        self._insert(rows)
        if len(rows) < len(messages):
            self._cx.execute(sql.SUBTRACT, (len(messages) - len(rows), place.heap_id))
        if any(row[3] <= now_ms for row in rows):
            self.arrivals.add(queue_id)
        return sent

    def _take_numbers(self, place: Place, count: int) -> int:
        """Counts the messages in; the sequence of the first one."""
        (last,) = self._cx.execute(sql.NUMBERS, (count, place.heap_id)).fetchone()
        return int((place.heap_id << NUMBER_BITS) + last - count + 1)

    def _deduplicate(
        self, queue_id: int, message: NewMessage, sequence: int, now_ms: int
    ) -> Sent | None:
        key = message.deduplication_key
        if key is None:
            return None
        oldest_ms = now_ms - DEDUPLICATION_MS
        found = self._cx.execute(sql.SEEN, (queue_id, key, oldest_ms)).fetchone()
        if found is not None:
            return Sent(found[0], found[1], duplicate=True)
        self._cx.execute(sql.FORGET_SEEN, (oldest_ms, _FORGET_AT_ONCE))
        self._cx.execute(sql.SEE, (queue_id, key, now_ms, message.message_id, sequence))
        return None

    def _new_row(self, place: Place, sequence: int, message: NewMessage, now_ms: int) -> Row:
        visible_at_ms = max(message.visible_at_ms, now_ms)
        group_no = self._join_group(place, message.group_id, visible_at_ms) if place.fifo else None
        return (
            sequence,
            place.heap_id,
            group_no,
            visible_at_ms,
            now_ms,
            message.message_id,
            message.group_id,
            message.attributes,
            message.body,
        )

    def _join_group(self, place: Place, group_id: str | None, visible_at_ms: int) -> int:
        """The group's number; a new group is available when its first message is visible.

        A group whose messages were all deleted within this work may still be there: it is looked at again.
        """
        name = group_id or ""
        found = self._cx.execute(sql.GROUP, (place.heap_id, name)).fetchone()
        if found is not None:
            return int(found[0])
        added = self._cx.execute(sql.ADD_GROUP, (place.heap_id, name, visible_at_ms)).lastrowid
        return added or 0

    def _insert(self, rows: list[Row]) -> None:
        """Rows as in ``statements.INSERT``; long bodies aside."""
        long = [(row[0], row[8]) for row in rows if len(row[8]) > INLINE_BODY_BYTES]
        if long:
            self._cx.executemany(sql.INSERT_BODY, long)
            rows = [(*row[:8], None) if len(row[8]) > INLINE_BODY_BYTES else row for row in rows]
        if len(rows) == 1:
            self._cx.execute(sql.INSERT, rows[0])
        else:
            self._cx.executemany(sql.INSERT, rows)

    def move(self, queue_id: int, sequence: int, to_queue_id: int, now_ms: int) -> Sent | None:
        place, target = self._place(queue_id), self._place(to_queue_id)
        row = self._row(place, sequence)
        if row is None:
            return None
        message = self._message(row)
        self._remove(queue_id, place, sequence, row[9], has_long_body=row[2] is None)
        self.finish()  # the group may be the one it comes to
        number = self._take_numbers(target, 1)
        moved = NewMessage(
            message.message_id, message.body, message.attributes, 0, message.group_id
        )
        new_row = list(self._new_row(target, number, moved, now_ms))
        new_row[4] = message.sent_at_ms
        self._insert([tuple(new_row)])
        self.arrivals.add(to_queue_id)
        return Sent(message.message_id, number, duplicate=False)

    # Receiving

    def receive(self, queue_id: int, limit: int, now_ms: int, visible_at_ms: int) -> list[Message]:
        place = self._place(queue_id)
        if limit <= 0:
            return []
        until_ms = max(visible_at_ms, now_ms)
        if place.fifo:
            self.finish()
            rows = self._take_groups(place, limit, now_ms, until_ms)
        else:
            rows = self._cx.execute(sql.READY, (place.heap_id, now_ms, limit)).fetchall()
        received = [self._received(row, now_ms, until_ms) for row in rows]
        self._cx.executemany(
            sql.HOLD,
            [(m.visible_at_ms, m.first_received_at_ms, m.receives, m.sequence) for m in received],
        )
        return received

    def _take_groups(self, place: Place, limit: int, now_ms: int, until_ms: int) -> list[Row]:
        taken: list[Row] = []
        groups = self._cx.execute(sql.READY_GROUPS, (place.heap_id, now_ms, limit)).fetchall()
        for (group_no,) in groups:
            if len(taken) >= limit:
                break
            for row in self._cx.execute(sql.OF_GROUP, (group_no, limit - len(taken))).fetchall():
                if row[7] > now_ms:
                    break
                taken.append(row)
            self._cx.execute(sql.SET_AVAILABLE, (until_ms, group_no))
        return taken

    def _received(self, row: Row, now_ms: int, until_ms: int) -> Message:
        sequence, message_id, body, attributes, group_id, sent_ms, first_ms, _, receives, _ = row
        return Message(
            sequence,
            message_id,
            self._body(sequence) if body is None else body,
            attributes,
            group_id,
            sent_ms,
            now_ms if first_ms is None else first_ms,
            until_ms,
            receives + 1,
        )

    def _message(self, row: Row) -> Message:
        return Message(row[0], row[1], self._body(row[0]) if row[2] is None else row[2], *row[3:9])

    def _body(self, sequence: int) -> bytes:
        (body,) = self._cx.execute(sql.BODY, (sequence,)).fetchone()
        return bytes(body)

    def find(self, queue_id: int, sequence: int) -> Message | None:
        row = self._row(self._place(queue_id), sequence)
        return self._message(row) if row else None

    def browse(self, queue_id: int, after_sequence: int, limit: int) -> list[Message]:
        first = self._place(queue_id).heap_id << NUMBER_BITS
        after = min(max(after_sequence, first), _MAX_INTEGER)
        end = min(first + (1 << NUMBER_BITS), _MAX_INTEGER)
        rows = self._cx.execute(sql.BROWSE, (after, end, max(limit, 0))).fetchall()
        return [self._message(row) for row in rows]

    def _row(self, place: Place, sequence: int) -> Row | None:
        if not 0 < sequence <= _MAX_INTEGER:
            return None
        row: Row | None = self._cx.execute(sql.ONE, (sequence, place.heap_id)).fetchone()
        return row

    # What a receiver does with what it holds

    def delete(self, queue_id: int, receipt: Receipt) -> bool:
        place = self._place(queue_id)
        if not _is_possible(receipt):
            return False
        key = (receipt.sequence, place.heap_id, receipt.receives)
        row = self._cx.execute(sql.DELETE_HELD, key).fetchone()
        if row is None:
            return False
        self._removed(queue_id, place, receipt.sequence, row[0], has_long_body=bool(row[1]))
        return True

    def change_visibility(
        self, queue_id: int, receipt: Receipt, visible_at_ms: int, now_ms: int
    ) -> bool:
        place = self._place(queue_id)
        if not _is_possible(receipt):
            return False
        key = (receipt.sequence, place.heap_id, receipt.receives)
        until_ms = max(visible_at_ms, now_ms)
        row = self._cx.execute(sql.SET_VISIBILITY, (until_ms, *key, now_ms)).fetchone()
        if row is None:
            return False
        if row[0] is not None:
            self._stale_groups[row[0]] = (queue_id, place.heap_id)
        if visible_at_ms <= now_ms:
            self.arrivals.add(queue_id)
        return True

    def update_attributes(self, queue_id: int, receipt: Receipt, attributes: str) -> bool:
        place = self._place(queue_id)
        if not _is_possible(receipt):
            return False
        key = (receipt.sequence, place.heap_id, receipt.receives)
        return bool(self._cx.execute(sql.SET_ATTRIBUTES, (attributes, *key)).rowcount)

    # Many at a time

    def expire(self, queue_id: int, sent_before_ms: int, limit: int) -> int:
        place = self._place(queue_id)
        rows = self._cx.execute(sql.OLD, (place.heap_id, sent_before_ms, max(limit, 0))).fetchall()
        for sequence, group_no, has_long_body in rows:
            self._remove(queue_id, place, sequence, group_no, has_long_body=bool(has_long_body))
        return len(rows)

    def release(self, queue_id: int) -> int:
        place = self._place(queue_id)
        rows = self._cx.execute(sql.RELEASE, (place.heap_id,)).fetchall()
        for (group_no,) in rows:
            if group_no is not None:
                self._stale_groups[group_no] = (queue_id, place.heap_id)
        if rows:
            self.arrivals.add(queue_id)
        return len(rows)

    def count(self, queue_id: int, now_ms: int) -> Counts:
        place = self._place(queue_id)
        (total,) = self._cx.execute(sql.TOTAL, (place.heap_id,)).fetchone()
        total -= self._gone.get(place.heap_id, 0)
        hidden, held = self._cx.execute(sql.HIDDEN, (place.heap_id, now_ms)).fetchone()
        return Counts(total - hidden, int(held), hidden - int(held))

    def oldest_sent_at_ms(self, queue_id: int) -> int | None:
        return self._number(sql.OLDEST, (self._place(queue_id).heap_id,))

    def next_visible_at_ms(self, queue_id: int, now_ms: int) -> int | None:
        return self._number(sql.NEXT_VISIBLE, (self._place(queue_id).heap_id, now_ms))

    # Rows and groups

    def _remove(
        self,
        queue_id: int,
        place: Place,
        sequence: int,
        group_no: int | None,
        *,
        has_long_body: bool,
    ) -> None:
        self._cx.execute(sql.DELETE_ONE, (sequence,))
        self._removed(queue_id, place, sequence, group_no, has_long_body=has_long_body)

    def _removed(
        self,
        queue_id: int,
        place: Place,
        sequence: int,
        group_no: int | None,
        *,
        has_long_body: bool,
    ) -> None:
        if has_long_body:
            self._cx.execute(sql.DELETE_BODY, (sequence,))
        self._gone[place.heap_id] = self._gone.get(place.heap_id, 0) + 1
        if group_no is not None:
            self._stale_groups[group_no] = (queue_id, place.heap_id)

    def _refresh_group(self, group_no: int, heap_id: int) -> bool:
        """Whether it became available sooner than it was."""
        head = self._number(sql.HEAD, (group_no,))
        if head is None:
            self._cx.execute(sql.DROP_GROUP, (group_no,))
            return False
        held_until_ms = self._number(sql.HELD_UNTIL, (heap_id, group_no)) or 0
        before_ms = self._number(sql.AVAILABLE_AT, (group_no,)) or 0
        available_at_ms = max(head, held_until_ms)
        if available_at_ms != before_ms:
            self._cx.execute(sql.SET_AVAILABLE, (available_at_ms, group_no))
        return available_at_ms < before_ms

    def _number(self, statement: str, parameters: tuple[int, ...]) -> int | None:
        row = self._cx.execute(statement, parameters).fetchone()
        return None if row is None else row[0]


def _is_possible(receipt: Receipt) -> bool:
    return 0 < receipt.sequence <= _MAX_INTEGER and 0 < receipt.receives <= _MAX_INTEGER
