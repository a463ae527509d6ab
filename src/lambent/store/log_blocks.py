"""Log events in SQLite, many to a row: groups, streams, and blocks of packed events.

One block holds what one stream received between two flushes. ``eventId`` and page tokens are built
from (timestamp, block id, index in the block), so block ids are never used twice. Every method may
be called from any thread; one connection, one lock.

Durability: WAL with ``synchronous=NORMAL``. What a flush wrote survives a killed process; a power
cut may take the last flushes with it, and never damages what was there before.
"""

import sqlite3
import struct
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

EVENT_OVERHEAD_BYTES: Final = 26
"""AWS: an event counts as its message in UTF-8 plus 26 bytes. Source: PutLogEvents."""
_ROW_OVERHEAD_BYTES: Final = 128
_IDS_REMEMBERED: Final = 10_000
_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA secure_delete = FAST; -- some builds write every page of a deleted block once more
CREATE TABLE IF NOT EXISTS groups (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  retention_days INTEGER,
  tags TEXT NOT NULL DEFAULT '{}',
  UNIQUE (account_id, region, name)
);
CREATE TABLE IF NOT EXISTS streams (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  group_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  implicit INTEGER NOT NULL DEFAULT 0,
  UNIQUE (group_id, name)
);
CREATE TABLE IF NOT EXISTS blocks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  group_id INTEGER NOT NULL,
  stream_id INTEGER NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  count INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  ingestion_ms INTEGER NOT NULL,
  events BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS blocks_by_group
  ON blocks (group_id, first_ms, last_ms, stream_id, bytes);
CREATE INDEX IF NOT EXISTS blocks_by_stream ON blocks (stream_id, first_ms, last_ms, ingestion_ms);
"""

StreamKey = tuple[str, str, str, str]
"""(account id, region, group name, stream name)."""


class NewBlock(NamedTuple):
    """Events of one stream on their way to disk: two lists of one length."""

    key: StreamKey
    timestamps_ms: Sequence[int]
    messages: Sequence[bytes]


class Block(NamedTuple):
    """A stored block without its events."""

    block_id: int
    stream_id: int
    stream_name: str
    first_ms: int
    last_ms: int
    ingestion_ms: int
    bytes: int


class Span(NamedTuple):
    """Which blocks to look at: those of a group, or of some streams, that touch a time range."""

    group_id: int
    stream_ids: tuple[int, ...] | None = None
    stream_prefix: str | None = None
    start_ms: int = 0
    end_ms: int = 2**62


def pack(timestamps_ms: Sequence[int], messages: Sequence[bytes]) -> bytes:
    """Count, timestamps, lengths, messages; little endian. The inverse of :func:`unpack`."""
    count = len(messages)
    head = struct.pack(f"<I{count}q{count}I", count, *timestamps_ms, *map(len, messages))
    return head + b"".join(messages)


def unpack(data: bytes) -> list[tuple[int, bytes]]:
    """(timestamp in ms, message) in the order in which they were appended."""
    (count,) = struct.unpack_from("<I", data)
    numbers = struct.unpack_from(f"<{count}q{count}I", data, 4)
    events, at = [], 4 + 12 * count
    for stamp, length in zip(numbers[:count], numbers[count:], strict=True):
        events.append((stamp, data[at : at + length]))
        at += length
    return events


class LogStore:
    """The file ``logs.db``: blocks here, groups and streams by ``query`` and ``change``."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.executescript(_SCHEMA)
        self._ids: dict[StreamKey, tuple[int, int]] = {}
        self._stored_bytes = self._measure()

    def close(self) -> None:
        """Close the file; no method may be called afterwards."""
        with self._lock:
            self._db.close()

    @property
    def stored_bytes(self) -> int:
        """What all blocks take, with what SQLite adds to each, roughly."""
        return self._stored_bytes

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of one statement."""
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    def change(self, *statements: tuple[str, Sequence[Any]]) -> int:
        """Run the statements in one transaction; the rows the last one touched.

        For groups and streams; blocks go by :meth:`delete_blocks`, which keeps count.
        """
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                touched = 0
                self._ids.clear()
                for sql, parameters in statements:
                    touched = self._db.execute(sql, parameters).rowcount
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            return touched

    def write(self, blocks: Iterable[NewBlock], ingestion_ms: int) -> None:
        """Add the blocks in one transaction, with their groups and streams where they are missing.

        Raises ``sqlite3.Error`` (disk full, …) with nothing written.
        """
        rows = []
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for block in blocks:
                    group_id, stream_id = self._resolve(block.key, ingestion_ms)
                    rows.append(_row(block, group_id, stream_id, ingestion_ms))
                self._db.executemany(_INSERT_BLOCK, rows)
                self._db.execute("COMMIT")
            except BaseException:
                self._ids.clear()
                self._db.execute("ROLLBACK")
                raise
            self._stored_bytes += sum(len(row[-1]) + _ROW_OVERHEAD_BYTES for row in rows)

    def blocks(
        self, span: Span, *, descending: bool, after: tuple[int, int] | None, limit: int
    ) -> list[Block]:
        """The next ``limit`` blocks by (first_ms, id), or by (last_ms, id) downwards.

        ``after`` is that pair of the last block seen.
        """
        order, sign, way = ("last_ms", "<", "DESC") if descending else ("first_ms", ">", "ASC")
        where, parameters = _where(span)
        if after is not None:
            where += f" AND (b.{order}, b.id) {sign} (?, ?)"
            parameters += after
        sql = (
            "SELECT b.id, b.stream_id, s.name, b.first_ms, b.last_ms, b.ingestion_ms, b.bytes"  # noqa: S608 - fixed words only
            f" FROM blocks b JOIN streams s ON s.id = b.stream_id WHERE {where}"
            f" ORDER BY b.{order} {way}, b.id {way} LIMIT ?"
        )
        return [Block(*row) for row in self.query(sql, (*parameters, limit))]

    def events(self, block_id: int) -> list[tuple[int, bytes]]:
        """The events of a block, or none when it has been dropped since."""
        rows = self.query("SELECT events FROM blocks WHERE id = ?", (block_id,))
        return unpack(rows[0][0]) if rows else []

    def trim(self, max_bytes: int) -> int:
        """Drop the oldest blocks until no more than ``max_bytes`` are stored; how many went."""
        dropped = 0
        while self._stored_bytes > max_bytes:
            rows = self.query("SELECT id, length(events) FROM blocks ORDER BY id LIMIT 500")
            if not rows:
                break
            excess, last_id = self._stored_bytes - max_bytes, 0
            for block_id, size in rows:
                last_id = block_id
                excess -= size + _ROW_OVERHEAD_BYTES
                dropped += 1
                if excess <= 0:
                    break
            self.delete_blocks("id <= ?", (last_id,))
        return dropped

    def expire(self, now_ms: int) -> None:
        """Delete the blocks whose every event is past its group's retention."""
        day_ms = 24 * 3600 * 1000
        for group_id, days in self.query(
            "SELECT id, retention_days FROM groups WHERE retention_days IS NOT NULL"
        ):
            self.delete_blocks("group_id = ? AND last_ms < ?", (group_id, now_ms - days * day_ms))

    def delete_blocks(self, where: str, parameters: Sequence[Any]) -> None:
        """Delete blocks, and the streams that this leaves empty unless a client created them.

        POLICY: AWS keeps empty streams; here every environment leaves one, and room is finite.
        """
        with self._lock:
            self._ids.clear()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                gone = self._db.execute(
                    f"DELETE FROM blocks WHERE {where} RETURNING stream_id, length(events)",  # noqa: S608
                    parameters,
                ).fetchall()
                self._db.executemany(_DELETE_EMPTY_STREAM, [(row[0],) for row in gone])
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._stored_bytes -= sum(row[1] + _ROW_OVERHEAD_BYTES for row in gone)

    def delete_stream(self, stream_id: int) -> None:
        """Delete a stream with its events."""
        self.delete_blocks("stream_id = ?", (stream_id,))
        self.change(("DELETE FROM streams WHERE id = ?", (stream_id,)))

    def delete_group(self, group_id: int) -> None:
        """Delete a group with its streams and events."""
        with self._lock:
            self.delete_blocks("group_id = ?", (group_id,))
            self.change(
                ("DELETE FROM streams WHERE group_id = ?", (group_id,)),
                ("DELETE FROM groups WHERE id = ?", (group_id,)),
            )

    def clear(self) -> None:
        """Delete everything."""
        with self._lock:
            self._ids.clear()
            tables = ("blocks", "streams", "groups")
            self.change(*((f"DELETE FROM {table}", ()) for table in tables))  # noqa: S608
            self._stored_bytes = 0

    def _measure(self) -> int:
        (row,) = self.query(
            "SELECT coalesce(sum(length(events)), 0) + ? * count(*) FROM blocks",
            (_ROW_OVERHEAD_BYTES,),
        )
        return int(row[0])

    def _resolve(self, key: StreamKey, now_ms: int) -> tuple[int, int]:
        ids = self._ids.get(key)
        if ids is None:
            if len(self._ids) >= _IDS_REMEMBERED:
                self._ids.clear()
            account_id, region, group, stream = key
            self._db.execute(_ADD_GROUP, (account_id, region, group, now_ms))
            (group_id,) = self._db.execute(_GROUP_ID, (account_id, region, group)).fetchone()
            self._db.execute(_ADD_STREAM, (group_id, stream, now_ms))
            (stream_id,) = self._db.execute(_STREAM_ID, (group_id, stream)).fetchone()
            ids = self._ids[key] = (group_id, stream_id)
        return ids


_ADD_GROUP = (
    "INSERT INTO groups (account_id, region, name, created_ms) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_GROUP_ID = "SELECT id FROM groups WHERE account_id = ? AND region = ? AND name = ?"
_ADD_STREAM = (
    "INSERT INTO streams (group_id, name, created_ms, implicit) VALUES (?, ?, ?, 1)"
    " ON CONFLICT DO NOTHING"
)
_STREAM_ID = "SELECT id FROM streams WHERE group_id = ? AND name = ?"
_INSERT_BLOCK = (
    "INSERT INTO blocks"
    " (group_id, stream_id, first_ms, last_ms, count, bytes, ingestion_ms, events)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_DELETE_EMPTY_STREAM = (
    "DELETE FROM streams WHERE id = ? AND implicit"
    " AND NOT EXISTS (SELECT 1 FROM blocks WHERE stream_id = streams.id)"
)


def _row(block: NewBlock, group_id: int, stream_id: int, ingestion_ms: int) -> tuple[Any, ...]:
    stamps, messages = block.timestamps_ms, block.messages
    size = sum(map(len, messages)) + EVENT_OVERHEAD_BYTES * len(messages)
    return (
        group_id,
        stream_id,
        min(stamps),
        max(stamps),
        len(messages),
        size,
        ingestion_ms,
        pack(stamps, messages),
    )


def _where(span: Span) -> tuple[str, tuple[Any, ...]]:
    where = "b.group_id = ? AND b.last_ms >= ? AND b.first_ms <= ?"
    parameters: tuple[Any, ...] = (span.group_id, span.start_ms, span.end_ms)
    if span.stream_ids is not None:
        where += f" AND b.stream_id IN ({','.join('?' * len(span.stream_ids))})"
        parameters += span.stream_ids
    if span.stream_prefix is not None:
        where += " AND substr(s.name, 1, ?) = ?"
        parameters += (len(span.stream_prefix), span.stream_prefix)
    return where, parameters
