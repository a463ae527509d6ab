"""The SQLite database: opening, schema, transactions.

Contract: 1. :meth:`Database.transaction` has committed to disk (``synchronous=FULL``) when it
returns, so what an operation acknowledges survives ``kill -9``. 2. One thread writes. 3. A reader
is a second connection, for another thread, that cannot write and always sees the last commit.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lambent.store.migrations import MIGRATIONS

FILE_NAME = "lambent.db"
_BUSY_TIMEOUT_MS = 5_000


class Database:
    """The platform's records in ``<data_dir>/lambent.db``; made if absent, migrated if older."""

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.path = data_dir / FILE_NAME
        # Environment variables are in it: for our own uid alone. SQLite gives -wal and -shm the
        # same mode.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        self.connection = self._connect()
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self._readers: list[sqlite3.Connection] = []
        self._migrate()

    def reader(self) -> sqlite3.Connection:
        """A read-only connection for another thread. Closed with the database."""
        connection = self._connect()
        connection.execute("PRAGMA query_only=ON")
        self._readers.append(connection)
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: durable when the block ends well, undone when it raises."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def close(self) -> None:
        """Closes every connection; the last one folds the write-ahead log into the file."""
        for reader in self._readers:
            reader.close()
        self.connection.close()

    def _connect(self) -> sqlite3.Connection:
        # Each connection is used by one thread, not always the one that opens it.
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def _migrate(self) -> None:
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            self.close()
            raise RuntimeError(
                f"{self.path} was written by a newer Lambent: its schema is {version}, "
                f"this one knows {len(MIGRATIONS)}"
            )
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            self.connection.executescript(
                f"BEGIN IMMEDIATE;\n{script};\nPRAGMA user_version={number};\nCOMMIT;"
            )
