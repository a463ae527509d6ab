# ruff: noqa: A005 - run as benchmarks.queue
"""The queue store's figures, beside the floor of the same disk in the same run.

.venv/bin/python -m benchmarks.queue [--seconds S] [--waiting N] [--body BYTES]
"""

import argparse
import asyncio
import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.invoke import percentile
from lambent.app import new_event_loop_factory
from lambent.store.queues.contract import Message, NewMessage, Transaction
from lambent.store.queues.sqlite import SqliteQueueStore

FEW = 1_000


def now_ms() -> int:
    """The clock the store's callers have."""
    return time.time_ns() // 1_000_000


def show(name: str, per_s: float, floor_per_s: float | None = None, note: str = "") -> None:
    """One line: a figure, and what share of its floor it is."""
    ratio = f"{per_s / floor_per_s:8.2f} of its floor" if floor_per_s else ""
    print(f"{name:<54}{per_s:>12,.0f}/s {ratio} {note}".rstrip())


def append_floor(folder: Path, body: bytes, group: int, seconds: float) -> float:
    """Messages a second appended to a file, one ``fdatasync`` for each group."""
    file = os.open(folder / f"append-{group}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    data, count, start_s = body * group, 0, time.perf_counter()
    while time.perf_counter() - start_s < seconds:
        os.write(file, data)
        os.fdatasync(file)
        count += group
    os.close(file)
    return count / (time.perf_counter() - start_s)


def insert_floor(folder: Path, body: bytes, group: int, seconds: float) -> float:
    """Messages a second into a plain table, one transaction for each group."""
    cx = sqlite3.connect(folder / f"insert-{group}.db", isolation_level=None)
    cx.execute("PRAGMA journal_mode=WAL")
    cx.execute("PRAGMA synchronous=FULL")
    cx.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, body BLOB)")
    count, start_s = 0, time.perf_counter()
    while time.perf_counter() - start_s < seconds:
        cx.execute("BEGIN")
        cx.executemany("INSERT INTO messages (body) VALUES (?)", [(body,)] * group)
        cx.execute("COMMIT")
        count += group
    cx.close()
    return count / (time.perf_counter() - start_s)


class Bench:
    """One store, and the operations measured on it."""

    def __init__(self, store: SqliteQueueStore, body: bytes, seconds: float) -> None:
        self.store = store
        self.body = body
        self.seconds = seconds
        self.number = 0

    async def queue(self, name: str, *, fifo: bool = False) -> int:
        """A new queue's id."""
        queue = await self.store.run(lambda tx: tx.create_queue(name, fifo=fifo, document="{}"))
        return queue.queue_id

    def messages(self, count: int, groups: int = 0) -> list[NewMessage]:
        """New ones, over so many FIFO groups."""
        first, self.number = self.number, self.number + count
        return [
            NewMessage(f"{n:036d}", self.body, group_id=f"g{n % groups}" if groups else None)
            for n in range(first, first + count)
        ]

    async def send(self, queue_id: int, count: int, groups: int = 0) -> None:
        """``count`` messages in one work."""
        messages, at_ms = self.messages(count, groups), now_ms()
        await self.store.run(lambda tx: tx.send(queue_id, messages, at_ms))

    async def take(self, queue_id: int, count: int) -> int:
        """Receives in one work and deletes in another; how many there were."""
        at_ms = now_ms()
        received = await self.store.run(
            lambda tx: tx.receive(queue_id, count, at_ms, at_ms + 30_000)
        )
        await self.store.run(lambda tx: _delete(tx, queue_id, received))
        return len(received)

    async def rate(
        self, callers: int, act: Callable[[], Awaitable[int]]
    ) -> tuple[float, list[float]]:
        """Messages a second by so many callers, and how long each call took (ms)."""
        times: list[float] = []
        count = 0
        start_s = time.perf_counter()

        async def call() -> None:
            nonlocal count
            while (before_s := time.perf_counter()) - start_s < self.seconds:
                done = await act()
                count += done
                times.append((time.perf_counter() - before_s) * 1000)

        await asyncio.gather(*(call() for _ in range(callers)))
        return count / (time.perf_counter() - start_s), times

    async def fill(self, queue_id: int, count: int, groups: int = 0) -> None:
        """Messages that wait, sent before what is measured."""
        for _ in range(count // 500):
            await self.send(queue_id, 500, groups)


def _delete(tx: Transaction, queue_id: int, messages: list[Message]) -> None:
    for message in messages:
        tx.delete(queue_id, message.receipt)


async def sends(bench: Bench, floors: dict[int, float]) -> None:
    """Accepted messages a second, one by one and in groups."""
    q = await bench.queue("sends")
    for callers in (1, 16, 256):

        async def single() -> int:
            await bench.send(q, 1)
            return 1

        rate, times = await bench.rate(callers, single)
        note = f"p50 {percentile(times, 0.5):.2f} p99 {percentile(times, 0.99):.2f} ms"
        show(f"send, {callers} callers", rate, floors[min(callers, 100)], note)
    for group in (10, 100):

        async def many(group: int = group) -> int:
            await bench.send(q, group)
            return group

        rate, _ = await bench.rate(4, many)
        show(f"send, groups of {group}, 4 callers", rate, floors[group])
    fifo = await bench.queue("fifo", fifo=True)

    async def ordered() -> int:
        await bench.send(fifo, 10, 100)
        return 10

    rate, _ = await bench.rate(4, ordered)
    show("send FIFO, groups of 10, 4 callers, 100 message groups", rate, floors[10])


async def against_few(bench: Bench, waiting: int, *, fifo: bool) -> None:
    """A long queue and a short one in one file, in turns, so that the machine's mood is the same for both."""
    queues = []
    for count in (FEW, waiting):
        q = await bench.queue(f"takes-{fifo}-{count}", fifo=fifo)
        await bench.fill(q, count, _groups(fifo=fifo))
        queues.append((q, count))
    rounds = [[await takes(bench, q, count, fifo=fifo) for q, count in queues] for _ in range(3)]
    few, many = (
        [statistics.median(figures) for figures in zip(*(r[i] for r in rounds), strict=True)]
        for i in (0, 1)
    )
    print(f"  {waiting:,} waiting against {FEW:,}, medians of 3: " + ratios(many, few))


def _groups(*, fifo: bool) -> int:
    return 1_000 if fifo else 0


async def takes(bench: Bench, q: int, waiting: int, *, fifo: bool) -> list[float]:
    """Send, receive and delete groups of 10 with so many waiting: rates, and of the median one."""
    kind = "FIFO" if fifo else "standard"
    groups = _groups(fifo=fifo)

    async def renew() -> int:
        await bench.send(q, 10, groups)
        return await bench.take(q, 10)

    both, times = await bench.rate(4, renew)
    note = f"p50 {percentile(times, 0.5):.2f} p99 {percentile(times, 0.99):.2f} ms"
    show(f"{kind}: send, receive, delete 10; {waiting:,} wait", both, note=note)

    async def count() -> int:
        at_ms = now_ms()
        await bench.store.run(lambda tx: tx.count(q, at_ms))
        return 1

    rate, _ = await bench.rate(1, count)
    show(f"{kind}: count; {waiting:,} wait", rate)
    return [both, 1 / percentile(times, 0.5), rate]


async def purge(bench: Bench, waiting: int) -> None:
    """How long a purge takes, and a send beside the rows that go in the background."""
    q = await bench.queue("purged")
    await bench.fill(q, waiting)
    start_s = time.perf_counter()
    await bench.store.run(lambda tx: tx.purge(q))
    took_ms = (time.perf_counter() - start_s) * 1000

    async def single() -> int:
        await bench.send(q, 1)
        await asyncio.sleep(0.002)
        return 1

    _, times = await bench.rate(1, single)
    worst = f"send beside it p50 {percentile(times, 0.5) - 2:.2f} p99 {percentile(times, 0.99) - 2:.2f} ms"
    print(f"purge of {waiting:,}: {took_ms:.2f} ms; {worst}")


async def idle(bench: Bench) -> None:
    """The latency of one send, with nothing else to do."""
    q = await bench.queue("idle")
    times = []
    for _ in range(200):
        await asyncio.sleep(0.005)
        start_s = time.perf_counter()
        await bench.send(q, 1)
        times.append((time.perf_counter() - start_s) * 1000)
    print(f"idle send: p50 {statistics.median(times):.2f} p99 {percentile(times, 0.99):.2f} ms")


async def measure(folder: Path, body: bytes, seconds: float, waiting: int) -> None:
    """Everything, in order."""
    floors = {}
    for group in (1, 10, 16, 100):
        floors[group] = insert_floor(folder, body, group, seconds)
        append = append_floor(folder, body, group, seconds)
        print(f"floor, groups of {group:<3} append+fdatasync {append:>10,.0f}/s", end="")
        print(f"   plain SQLite insert {floors[group]:>10,.0f}/s")
    store = SqliteQueueStore(folder / "queues.db")
    await store.open()
    bench = Bench(store, body, seconds)
    await idle(bench)
    await sends(bench, floors)
    for fifo in (False, True):
        await against_few(bench, waiting, fifo=fifo)
    await purge(bench, waiting)
    log_bytes = (folder / "queues.db-wal").stat().st_size
    print(f"write-ahead log afterwards: {log_bytes / 1e6:.1f} MB")
    await store.close()


def ratios(many: list[float], few: list[float]) -> str:
    """``1.00`` is the same speed."""
    names = ("throughput", "median", "count")
    return ", ".join(f"{n} {a / b:.2f}" for n, a, b in zip(names, many, few, strict=True))


def main() -> None:
    """Reads the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--body", type=int, default=1024)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lambent-bench-"))
    try:
        with asyncio.Runner(loop_factory=new_event_loop_factory()) as runner:
            body = os.urandom(options.body)
            runner.run(measure(folder, body, options.seconds, options.waiting))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
