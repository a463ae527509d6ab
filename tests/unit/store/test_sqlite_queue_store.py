"""What the SQLite queue store promises beyond the contract: files, full disks, limits, large queues."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lambent.model.errors import PlatformFault
from lambent.store.queues import room, sqlite, statements
from lambent.store.queues.contract import Message, NewMessage, StoreFullError, Transaction
from lambent.store.queues.room import Room
from lambent.store.queues.sqlite import SqliteQueueStore
from lambent.testing.loop import on_loop, until


@asynccontextmanager
async def opened(path: Path, reserve_bytes: int = 0) -> AsyncIterator[SqliteQueueStore]:
    """An open store."""
    store = SqliteQueueStore(path, reserve_bytes=reserve_bytes)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def a_queue(store: SqliteQueueStore, key: str = "q") -> int:
    """A new queue's id."""
    queue = await store.run(lambda tx: tx.create_queue(key, fifo=False, document="{}"))
    return queue.queue_id


def new(number: int, size_bytes: int = 10) -> NewMessage:
    """A message of that size."""
    return NewMessage(str(number), b"x" * size_bytes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "queues.db"


@on_loop
async def _check_files(path: Path) -> None:
    async with opened(path) as store:
        q = await a_queue(store)
        await store.run(lambda tx: tx.send(q, [new(1)], 1))
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    async with opened(path) as store:
        assert len(await store.run(lambda tx: tx.browse(q, 0, 9))) == 1


def test_the_file_is_private_and_kept(path: Path) -> None:
    """Every file has mode 0600, and a store opened again has what was in it."""
    _check_files(path)


def test_a_newer_file_is_refused(path: Path) -> None:
    """A schema that this version does not know is an error that says so."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()

    @on_loop
    async def check() -> None:
        with pytest.raises(PlatformFault, match="newer Lambent: its schema is 99"):
            await SqliteQueueStore(path).open()

    check()


def test_a_corrupt_file_is_refused(path: Path) -> None:
    """A file that is no database is an error with its path, and stays as it was."""
    path.write_bytes(b"no database at all" * 1000)

    @on_loop
    async def check() -> None:
        with pytest.raises(PlatformFault, match=r"queues\.db cannot be opened"):
            await SqliteQueueStore(path).open()

    check()
    assert path.read_bytes() == b"no database at all" * 1000


def test_closed_it_has_finished_what_it_accepted_and_takes_no_more(path: Path) -> None:
    """Works submitted before close are done; after it they are refused with 503."""

    @on_loop
    async def check() -> None:
        store = SqliteQueueStore(path)
        await store.open()
        q = await a_queue(store)
        tasks = [asyncio.ensure_future(_send(store, q, n)) for n in range(50)]
        await asyncio.sleep(0)
        await store.close()
        await asyncio.gather(*tasks)
        with pytest.raises(PlatformFault) as refused:
            await _send(store, q, 99)
        assert refused.value.status == 503
        await store.close()
        async with opened(path) as again:
            assert len(await again.run(lambda tx: tx.browse(q, 0, 99))) == 50

    check()


async def _send(store: SqliteQueueStore, q: int, number: int, size_bytes: int = 10) -> None:
    await store.run(lambda tx: tx.send(q, [new(number, size_bytes)], 1))


def _gate(started: threading.Event, gate: threading.Event) -> None:
    started.set()
    assert gate.wait(10)


def test_nobody_waits_for_a_thread_that_is_gone(path: Path) -> None:
    """Should the thread end by itself, what waits and what comes is refused with 503."""

    @on_loop
    async def check() -> None:
        store = SqliteQueueStore(path)
        await store.open()
        started, gate = threading.Event(), threading.Event()
        blocked = asyncio.ensure_future(store.run(lambda _: _gate(started, gate)))
        await until(started.is_set)
        assert store._thread is not None
        store._thread.stop()
        waiting = asyncio.ensure_future(a_queue(store))
        await asyncio.sleep(0)
        gate.set()
        await blocked
        for refused in (waiting, a_queue(store)):
            with pytest.raises(PlatformFault) as error:
                await refused
            assert error.value.status == 503
        await store.close()

    check()


def test_a_cancelled_caller_breaks_nothing(path: Path) -> None:
    """The others of its commit are answered, and its own work is done or not, but whole."""

    @on_loop
    async def check() -> None:
        async with opened(path) as store:
            q = await a_queue(store)
            started, gate = threading.Event(), threading.Event()
            blocked = asyncio.ensure_future(store.run(lambda _: _gate(started, gate)))
            tasks = [asyncio.ensure_future(_send(store, q, n)) for n in range(10)]
            await until(started.is_set)
            for task in tasks[::2]:
                task.cancel()
            gate.set()
            await blocked
            await asyncio.gather(*tasks[1::2])
            found = await store.run(lambda tx: tx.browse(q, 0, 99))
            assert {"1", "3", "5", "7", "9"} <= {message.message_id for message in found}

    check()


def test_too_many_waiting_works_are_refused(path: Path) -> None:
    """Beyond the limit a work is refused with 503 at once, and the store goes on."""

    @on_loop
    async def check() -> None:
        async with opened(path) as store:
            started, gate = threading.Event(), threading.Event()
            blocked = asyncio.ensure_future(store.run(lambda _: _gate(started, gate)))
            await until(started.is_set)
            tasks = [
                asyncio.ensure_future(store.run(lambda tx: tx.find_queue("q")))
                for _ in range(sqlite.MAX_WAITING)
            ]
            await asyncio.sleep(0)
            assert tasks[-1].done()
            with pytest.raises(PlatformFault, match="Too many operations") as refused:
                await tasks[-1]
            assert (refused.value.code, refused.value.status) == ("ServiceException", 503)
            gate.set()
            await blocked
            await asyncio.gather(*tasks[:-1])
            await a_queue(store)

    check()


async def _send_until_full(store: SqliteQueueStore, q: int, size_bytes: int) -> int:
    """How many were accepted."""
    for sent in range(100_000):
        try:
            await _send(store, q, sent, size_bytes)
        except StoreFullError:
            return sent
    raise AssertionError("it is never full")


def _limit(tx: Transaction) -> None:
    """Sets how large the file may become."""
    tx._cx.execute("PRAGMA max_page_count=300")  # type: ignore[attr-defined]


def test_a_full_file_refuses_sends_and_serves_the_rest(path: Path) -> None:
    """SQLITE_FULL is StoreFullError for the work that met it; receiving and deleting make room again."""

    @on_loop
    async def check() -> None:
        async with opened(path) as store:
            q = await a_queue(store)
            await store.run(_limit)
            sent = await _send_until_full(store, q, 20_000)
            assert sent > 10
            received = await store.run(lambda tx: tx.receive(q, 10, 1, 9))
            assert [len(message.body) for message in received] == [20_000] * 10
            await store.run(lambda tx: _delete_all(tx, q, received))
            await _send(store, q, sent, 20_000)
            assert len(await store.run(lambda tx: tx.browse(q, 0, 999))) == sent - 9

    check()


def _delete_all(tx: Transaction, q: int, messages: list[Message]) -> None:
    for message in messages:
        assert tx.delete(q, message.receipt)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount here: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("reserve_mib", [0, 32])
def test_a_full_disk_loses_nothing_accepted(small_disk: Path, reserve_mib: int) -> None:
    """With a reserve everything there is can be received and deleted; without one nothing is lost."""

    @on_loop
    async def check() -> None:
        path = small_disk / "queues.db"
        async with opened(path, reserve_mib << 20) as store:
            q = await a_queue(store)
            sent = await _send_until_full(store, q, 100_000)
            if reserve_mib:
                received = await store.run(lambda tx: tx.receive(q, 999, 1, 9))
                await store.run(lambda tx: _delete_all(tx, q, received[1:]))
                sent = 1
                await asyncio.sleep(0.11)  # the disk is looked at again
                await _send(store, q, sent, 1_000)
                sent = 2
        async with opened(path) as store:
            found = await store.run(lambda tx: tx.browse(q, 0, 999))
            assert len(found) == sent

    check()


def test_the_disk_is_looked_at_now_and_then(path: Path) -> None:
    """A reserve larger than the disk is not there; the answer holds for 100 ms or 2 MiB."""
    now_s = 1.0
    found = Room(path.parent, 2**62, lambda: now_s)
    assert not found.take(1)
    found._reserve_bytes = 0
    assert not found.take(1)
    now_s += 0.1
    assert found.take(1)
    found._reserve_bytes = 2**62
    assert found.take(room._LOOK_AGAIN_BYTES - 1)
    assert not found.take(2)


def _rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        tables = ("messages", "bodies", "groups", "heaps")
        return sum(connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables)
    finally:
        connection.close()


def test_purged_and_deleted_rows_go_in_the_background(path: Path) -> None:
    """Everything of abandoned queues is removed from the file, with work or without, and only that."""

    @on_loop
    async def check() -> None:
        async with opened(path) as store:
            messages = [
                NewMessage(str(n), b"x" * (5_000 if n % 9 == 0 else 1), group_id=str(n))
                for n in range(700)
            ]
            queues = [
                (
                    await store.run(lambda tx, k=key: tx.create_queue(k, fifo=True, document="{}"))  # type: ignore[misc]
                ).queue_id
                for key in ("purged", "deleted", "kept")
            ]
            for q in queues:
                await store.run(lambda tx, q=q: tx.send(q, messages, 1))  # type: ignore[misc]
            await store.run(lambda tx: tx.purge(queues[0]))
            await store.run(lambda tx: tx.delete_queue(queues[1]))
            kept = 700 + 78 + 700
            await until(lambda: _rows(path) == kept + 2, 15)
            assert len(await store.run(lambda tx: tx.browse(queues[2], 0, 999))) == 700

    check()


def test_deleting_long_bodies_writes_little(path: Path) -> None:
    """The pages of what is deleted are not written once more."""

    @on_loop
    async def check() -> None:
        async with opened(path) as store:
            q = await a_queue(store)
            await store.run(lambda tx: tx.send(q, [new(n, 1 << 20) for n in range(20)], 1))
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            received = await store.run(lambda tx: tx.receive(q, 20, 1, 9))
            await store.run(lambda tx: _delete_all(tx, q, received))
            connection.close()
            assert path.with_name("queues.db-wal").stat().st_size < 1 << 20

    check()


def test_plans_go_through_indexes(path: Path) -> None:
    """No statement scans a table or sorts what it found."""

    @on_loop
    async def check() -> None:
        async with opened(path):
            pass

    check()
    connection = sqlite3.connect(path)
    for name, statement in vars(statements).items():
        if name.isupper() and not name.startswith("_") and isinstance(statement, str):
            count = 2 if "?1" in statement else statement.count("?")
            plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", (1,) * count).fetchall()
            for *_, step in plan:
                assert "TEMP B-TREE" not in step, (name, step)
                assert not step.startswith("SCAN") or "heaps_abandoned" in step, (name, step)
    connection.close()
