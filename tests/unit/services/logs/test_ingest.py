"""services.logs.ingest and store.log_blocks: fast to append, bounded, durable."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.services.logs.ingest import MAX_EVENT_BYTES, LogWriter
from lambent.services.logs.scan import scan
from lambent.services.logs.service import LogsService, reset
from lambent.store.log_blocks import LogStore, Span, pack, unpack

KEY = ("000000000000", "us-east-1", "g", "s")


def stored(store: LogStore) -> list[bytes]:
    groups = store.query("SELECT id FROM groups ORDER BY id")
    return [event.message for (group,) in groups for event in scan(store, Span(group))]


class Refusing(LogStore):
    """A store whose disk is full until told otherwise."""

    full = True

    def write(self, blocks: Any, ingestion_ms: int) -> None:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        super().write(blocks, ingestion_ms)


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=50))))
def test_packing_round_trips(events: list[tuple[int, bytes]]) -> None:
    """Any events come out of a block as they went in."""
    assert (
        unpack(pack([stamp for stamp, _ in events], [message for _, message in events])) == events
    )


def test_events_survive_a_restart(tmp_path: Path) -> None:
    """What was flushed is there for the next process, with the same event ids."""
    first = LogsService(tmp_path)
    first.writer.append_many(*KEY, [(1, b"one\n"), (2, b"two\n")])
    first.settle()
    ids = [event.position for event in scan(first.store, Span(1))]
    first.stop()
    second = LogsService(tmp_path)
    assert [event.position for event in scan(second.store, Span(1))] == ids
    assert stored(second.store) == [b"one\n", b"two\n"]
    assert second.store.stored_bytes > 0
    second.stop()


def test_flushed_events_survive_a_killed_process(tmp_path: Path) -> None:
    """A process that dies without closing anything leaves what it had flushed, and no damage."""
    program = (
        "import os, pathlib, sys\n"
        "from lambent.services.logs.service import LogsService\n"
        "logs = LogsService(pathlib.Path(sys.argv[1]))\n"
        "logs.writer.append('0' * 12, 'us-east-1', 'g', 's', 1, b'flushed')\n"
        "logs.settle()\n"
        "logs.writer.append('0' * 12, 'us-east-1', 'g', 's', 2, b'not yet')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, tmp_path], check=False).returncode == -9
    store = LogStore(tmp_path / "logs.db")
    assert stored(store) == [b"flushed"]
    assert store.query("PRAGMA integrity_check") == [("ok",)]
    store.close()


def test_stop_writes_what_is_left(tmp_path: Path) -> None:
    """An event appended just before stop is on disk after it."""
    service = LogsService(tmp_path)
    service.start()
    service.writer.append(*KEY, 1, b"last words")
    service.stop()
    store = LogStore(tmp_path / "logs.db")
    assert stored(store) == [b"last words"]
    store.close()


def test_the_thread_writes_by_itself(tmp_path: Path) -> None:
    """Nobody has to read for events to reach the disk."""
    written = threading.Event()

    class Telling(LogStore):
        def write(self, blocks: Any, ingestion_ms: int) -> None:
            super().write(blocks, ingestion_ms)
            written.set()

    store = Telling(tmp_path / "logs.db")
    writer = LogWriter(store, lambda: 5)
    writer.start()
    writer.append(*KEY, 1, b"x")
    assert written.wait(10)
    writer.stop()
    assert stored(store) == [b"x"]
    store.close()


def test_memory_is_bounded_and_losses_are_told(tmp_path: Path) -> None:
    """With a full disk the oldest events go; once it has room, a line says how many."""
    store = Refusing(tmp_path / "logs.db")
    writer = LogWriter(store, lambda: 5, max_buffered_bytes=20_000, batch_bytes=2_000)
    for number in range(1000):
        writer.append(*KEY, number, b"%04d" % number + b"." * 96)
        assert writer.buffered_bytes <= 20_000 + 2_000 + 500
    with pytest.raises(sqlite3.OperationalError):
        writer.flush()
    store.full = False
    writer.flush()
    assert writer.buffered_bytes == 0
    messages = stored(store)
    kept = [message for message in messages if message.startswith(b"0")]
    (told,) = [message for message in messages if message.startswith(b"[lambent]")]
    assert kept[-1].startswith(b"0999")
    assert f" {1000 - len(kept)} log events were dropped".encode() in told
    store.close()


def test_a_failed_write_loses_nothing(tmp_path: Path) -> None:
    """Events of a refused flush are written by the next one, in order and once."""
    store = Refusing(tmp_path / "logs.db")
    writer = LogWriter(store, lambda: 5)
    writer.append(*KEY, 1, b"one")
    with pytest.raises(sqlite3.OperationalError):
        writer.flush()
    writer.append(*KEY, 2, b"two")
    store.full = False
    writer.flush()
    assert stored(store) == [b"one", b"two"]
    store.close()


def test_stored_bytes_are_bounded(tmp_path: Path) -> None:
    """Beyond the cap the oldest blocks go, and the streams they leave empty with them."""
    store = LogStore(tmp_path / "logs.db")
    writer = LogWriter(store, lambda: 5, max_stored_bytes=50_000)
    for number in range(200):
        writer.append("000000000000", "us-east-1", "g", f"s{number}", number, b"x" * 1000)
        writer.flush()
        assert store.stored_bytes <= 50_000
    streams = store.query("SELECT count(*) FROM streams")[0][0]
    assert streams == len(stored(store))
    assert 40 <= streams <= 50
    store.close()


def test_a_too_long_event_is_cut(tmp_path: Path) -> None:
    """An event beyond CloudWatch's limit keeps what fits and is marked."""
    store = LogStore(tmp_path / "logs.db")
    writer = LogWriter(store, lambda: 5)
    writer.append(*KEY, 1, b"x" * (MAX_EVENT_BYTES + 1))
    writer.flush()
    (message,) = stored(store)
    assert len(message) == MAX_EVENT_BYTES
    assert message.endswith(b"x [cut]")
    store.close()


def test_appending_and_reading_at_once(
    logs: LogsService, ask: Callable[..., Any], clock: Callable[[], int]
) -> None:
    """Readers see whole streams while others write; nothing is lost or doubled."""
    count, failures = 2000, []
    logs.writer.append(*KEY, clock(), b"0")

    def write(stream: str) -> None:
        for number in range(count):
            logs.writer.append(*KEY[:3], stream, clock() + number, b"%d" % number)

    def read() -> None:
        for _ in range(20):
            page = ask("GetLogEvents", logGroupName="g", logStreamName="s", startFromHead=True)
            found = [event["message"] for event in page["events"]]
            if found != [str(number) for number in range(len(found))]:
                failures.append(found)

    logs.start()
    logs.writer.discard()
    logs.writer.append(*KEY, clock(), b"0")
    threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    events = ask("FilterLogEvents", logGroupName="g", logStreamNames=["a", "b"])["events"]
    assert len(events) == 2 * count
    assert len({event["eventId"] for event in events}) == 2 * count
    assert [event["timestamp"] for event in events] == sorted(e["timestamp"] for e in events)


def test_reset_empties_everything(logs: LogsService, ask: Callable[..., Any]) -> None:
    """After reset there is no group, no buffered event and no stored byte."""
    logs.writer.append(*KEY, 1, b"x")
    logs.settle()
    logs.writer.append(*KEY, 2, b"y")
    reset(logs)
    assert ask("DescribeLogGroups")["logGroups"] == []
    assert logs.store.stored_bytes == 0
    logs.writer.append(*KEY, 3, b"z")
    logs.settle()
    assert stored(logs.store) == [b"z"]
