"""Opening the database, its schema, its transactions."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from lambent.model.function_name import FunctionName
from lambent.store.concurrency import list_reservations, put_reservation
from lambent.store.database import Database
from lambent.store.migrations import MIGRATIONS
from lambent.store.tags import list_tags, put_tags


def test_schema_is_made_once_and_kept(tmp_path: Path) -> None:
    """A new file gets the whole schema; opening it again finds the records."""
    first = Database(tmp_path)
    with first.transaction() as cx:
        put_tags(cx, "arn", {"k": "v"})
    first.close()
    second = Database(tmp_path)
    assert list_tags(second.connection, "arn") == {"k": "v"}
    (version,) = second.connection.execute("PRAGMA user_version").fetchone()
    assert version == len(MIGRATIONS)
    second.close()


def test_older_schema_is_migrated(tmp_path: Path) -> None:
    """A database of every earlier schema opens with its records, and has what was added since."""
    for number in range(1, len(MIGRATIONS)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with closing(sqlite3.connect(folder / "lambent.db")) as old:
            for script in MIGRATIONS[:number]:
                old.executescript(script)
            old.executescript(
                f"INSERT INTO tags VALUES ('arn', 'k', 'v'); PRAGMA user_version={number}"
            )
        database = Database(folder)
        assert list_tags(database.connection, "arn") == {"k": "v"}
        function = FunctionName("000000000000", "us-east-1", "f")
        with database.transaction() as cx:
            put_reservation(cx, function, 3)
        assert list_reservations(database.connection) == [(function, 3)]
        database.close()


def test_commits_are_durable_by_setting(tmp_path: Path) -> None:
    """The journal is a write-ahead log, synced at each commit."""
    database = Database(tmp_path)
    assert database.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert database.connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    database.close()


def test_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """No other user may read the database or its log: environment variables are in them."""
    database = Database(tmp_path)
    put_tags(database.connection, "arn", {"k": "v"})
    for path in tmp_path.glob("lambent.db*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    database.close()


def test_transaction_that_raises_leaves_nothing(tmp_path: Path) -> None:
    """An error undoes all of it, and the next transaction works."""
    database = Database(tmp_path)
    with pytest.raises(sqlite3.IntegrityError), database.transaction() as cx:
        cx.executemany("INSERT INTO tags VALUES ('arn', 'k', ?)", [("v",), ("again",)])
    assert list_tags(database.connection, "arn") == {}
    with database.transaction() as cx:
        put_tags(cx, "arn", {"k": "w"})
    assert list_tags(database.connection, "arn") == {"k": "w"}
    database.close()


def test_reader_sees_commits_and_cannot_write(tmp_path: Path) -> None:
    """A reader sees a transaction once it is committed, not before, and changes nothing itself."""
    database = Database(tmp_path)
    reader = database.reader()
    with database.transaction() as cx:
        put_tags(cx, "arn", {"k": "v"})
        assert list_tags(reader, "arn") == {}
    assert list_tags(reader, "arn") == {"k": "v"}
    with pytest.raises(sqlite3.OperationalError):
        put_tags(reader, "arn", {"k": "w"})
    database.close()


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    """A database of a later Lambent is not touched by this one."""
    database = Database(tmp_path)
    database.connection.execute("PRAGMA user_version=999")
    database.close()
    with pytest.raises(RuntimeError, match="newer Lambent"):
        Database(tmp_path)
