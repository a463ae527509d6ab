"""The file ``queues.db``: its schema, and how it is opened.

A queue's messages live in a *heap*. Purging or deleting a queue abandons its heap, whatever its size, and
the rows go later, in slices. A message's ``sequence`` is its heap's id and a number within it, so the
messages of a heap lie together in the table, and no sequence is ever used twice.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

from lambent.model.errors import PlatformFault

NUMBER_BITS: Final = 40
"""Of a sequence: 2^40 messages to a heap, 2^23 heaps to a file."""
INLINE_BODY_BYTES: Final = 4096
"""Longer bodies have a table of their own: receiving a message rewrites its row."""

_SCHEMA: Final = """
CREATE TABLE queues (
  queue_id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  fifo INTEGER NOT NULL,
  document TEXT NOT NULL,
  heap_id INTEGER NOT NULL
);
CREATE TABLE heaps (
  heap_id INTEGER PRIMARY KEY AUTOINCREMENT,
  messages INTEGER NOT NULL DEFAULT 0,
  last_number INTEGER NOT NULL DEFAULT 0,
  abandoned INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX heaps_abandoned ON heaps (heap_id) WHERE abandoned;
CREATE TABLE messages (
  sequence INTEGER PRIMARY KEY,
  heap_id INTEGER NOT NULL,
  group_no INTEGER,
  visible_at_ms INTEGER NOT NULL,
  receives INTEGER NOT NULL DEFAULT 0,
  sent_at_ms INTEGER NOT NULL,
  first_received_at_ms INTEGER,
  message_id TEXT NOT NULL,
  group_id TEXT,
  attributes TEXT NOT NULL,
  body BLOB
);
CREATE INDEX messages_by_visibility ON messages (heap_id, visible_at_ms, sequence, receives);
CREATE INDEX messages_by_age ON messages (heap_id, sent_at_ms);
CREATE INDEX messages_by_group ON messages (group_no, sequence) WHERE group_no IS NOT NULL;
CREATE INDEX messages_received ON messages (heap_id, group_no, visible_at_ms) WHERE receives > 0;
CREATE TABLE bodies (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE groups (
  group_no INTEGER PRIMARY KEY AUTOINCREMENT,
  heap_id INTEGER NOT NULL,
  group_id TEXT NOT NULL,
  available_at_ms INTEGER NOT NULL,
  UNIQUE (heap_id, group_id)
);
CREATE INDEX groups_by_availability ON groups (heap_id, available_at_ms);
CREATE TABLE deduplications (
  queue_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  seen_at_ms INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  PRIMARY KEY (queue_id, key)
) WITHOUT ROWID;
CREATE INDEX deduplications_by_age ON deduplications (seen_at_ms);
CREATE TABLE records (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;
"""
_MIGRATIONS: Final = (_SCHEMA,)
_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    # Some builds overwrite what is deleted: every page of a long body would be written once more.
    "secure_delete = FAST",
    # POLICY: a checkpoint each 8 MiB of log; a log that grew larger is cut back afterwards.
    "wal_autocheckpoint = 2000",
    "journal_size_limit = 67108864",
    "cache_size = -32768",
    "temp_store = MEMORY",
)


def open_connection(path: Path) -> sqlite3.Connection:
    """The file, made with mode 0600 if absent, migrated if older.

    Raises PlatformFault when it is of a newer Lambent or cannot be read.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _create(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        _migrate(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise PlatformFault(f"{path} cannot be opened as a queue store: {error}") from error
    except PlatformFault:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """An empty file whose name outlives a power cut. SQLite gives -wal and -shm the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(_MIGRATIONS):
        raise PlatformFault(
            f"{path} was written by a newer Lambent: its schema is {version}, "
            f"this one knows {len(_MIGRATIONS)}"
        )
    for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script};\nPRAGMA user_version={number};\nCOMMIT;"
        )
