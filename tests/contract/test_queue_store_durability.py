"""A process that dies at any moment takes nothing acknowledged with it.

The store's process says what it is about to do, and what was acknowledged, over a pipe; it is killed with
SIGKILL; then the file is compared with what it said. ``LAMBENT_KILL_ROUNDS`` sets how often (4).
"""

import asyncio
import itertools
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lambent.store.queues.contract import Message, NewMessage, Transaction
from lambent.store.queues.sqlite import SqliteQueueStore

ROUNDS = int(os.environ.get("LAMBENT_KILL_ROUNDS", "4"))
_GROUPS = 8
_LIMIT = 1_000_000
_HOLD_MS = 10**15


def _say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def _queue_id(store: SqliteQueueStore, key: str) -> int:
    def work(tx: Transaction) -> int:
        found = tx.find_queue(key) or tx.create_queue(key, fifo=key == "fifo", document="{}")
        return found.queue_id

    return await store.run(work)


async def _send(store: SqliteQueueStore, key: str, group: int, first: int) -> None:
    """One group's messages, one after the other, some in pairs; every fifth is large."""
    queue_id = await _queue_id(store, key)
    for number in itertools.count(first, 2):
        size = 8_000 if number % 5 == 0 else 100
        messages = [
            NewMessage(str(n), b"%d " % n + b"x" * size, group_id=str(group))
            for n in (number, number + 1)
        ]
        await store.run(partial(_put, queue_id, messages))
        _say("sent", key, group, number)
        _say("sent", key, group, number + 1)


def _put(queue_id: int, messages: list[NewMessage], tx: Transaction) -> None:
    tx.send(queue_id, messages, 1)


async def _delete(store: SqliteQueueStore, key: str) -> None:
    """Receives, and deletes two of three of what it received."""
    queue_id = await _queue_id(store, key)
    while True:
        received = await store.run(lambda tx: tx.receive(queue_id, 9, 1, 2))
        for message in received:
            if random.random() < 0.7:
                _say("deleting", key, message.group_id, message.message_id)
                await store.run(partial(_remove, queue_id, message))
                _say("deleted", key, message.group_id, message.message_id)
        await store.run(lambda tx: tx.release(queue_id))
        await asyncio.sleep(0)


def _remove(queue_id: int, message: Message, tx: Transaction) -> bool:
    return tx.delete(queue_id, message.receipt)


async def _hammer(path: Path, first: int) -> None:
    store = SqliteQueueStore(path)
    await store.open()
    _say("ready")
    async with asyncio.TaskGroup() as tasks:
        for key in ("fifo", "standard"):
            tasks.create_task(_delete(store, key))
            for group in range(_GROUPS):
                tasks.create_task(_send(store, key, group, first))


Told = tuple[str, str, int]


@dataclass
class _Said:
    """What the process said, over all rounds: (queue, group, number)."""

    sent: set[Told] = field(default_factory=set)
    deleting: set[Told] = field(default_factory=set)
    deleted: set[Told] = field(default_factory=set)

    def hear(self, output: bytes) -> None:
        for line in output.decode().splitlines(keepends=True):
            if line.endswith("\n") and line != "ready\n":
                verb, key, group, number = line.split()
                getattr(self, verb).add((key, group, int(number)))


def _round(path: Path, first: int, said: _Said) -> None:
    process = subprocess.Popen(
        [sys.executable, __file__, str(path), str(first)], stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdout is not None
    parts = [process.stdout.readline()]
    end_s = time.monotonic() + random.uniform(0.02, 0.6)
    while time.monotonic() < end_s:
        parts.append(os.read(process.stdout.fileno(), 65536))
    process.kill()
    parts.append(process.stdout.read())
    process.stdout.close()
    process.wait(10)
    assert parts[0] == b"ready\n"
    said.hear(b"".join(parts))


async def _found(path: Path, key: str) -> tuple[list[Message], list[Message]]:
    """What is in the queue, and what a receiver gets of it."""
    store = SqliteQueueStore(path)
    await store.open()
    try:
        queue_id = await _queue_id(store, key)
        kept = await store.run(lambda tx: tx.browse(queue_id, 0, _LIMIT))
        counts = await store.run(lambda tx: tx.count(queue_id, 10))
        assert counts.visible == len(kept)
        await store.run(lambda tx: tx.release(queue_id))
        received = await store.run(lambda tx: tx.receive(queue_id, _LIMIT, 10, _HOLD_MS))
        await store.run(lambda tx: tx.release(queue_id))
    finally:
        await store.close()
    return kept, received


def _check(path: Path, key: str, said: _Said) -> None:
    kept, received = asyncio.run(_found(path, key))
    present = [(key, str(m.group_id), int(m.message_id)) for m in kept]
    assert len(set(present)) == len(present)
    assert sorted(m.sequence for m in received) == [m.sequence for m in kept]
    assert all(m.body.startswith(m.message_id.encode() + b" ") for m in received)
    acknowledged = {told for told in said.sent if told[0] == key}
    assert acknowledged - said.deleting <= set(present), "an acknowledged message is lost"
    assert not said.deleted & set(present), "a deleted message came back"
    if key == "fifo":
        groups = defaultdict(list)
        for message in received:
            groups[message.group_id].append(int(message.message_id))
        assert all(numbers == sorted(numbers) for numbers in groups.values())


def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    """Killed at random moments: what was sent is there, what was deleted is not, FIFO order holds."""
    said, path = _Said(), tmp_path / "queues.db"
    for number in range(ROUNDS):
        _round(path, 1 + number * 10_000_000, said)
        for key in ("fifo", "standard"):
            _check(path, key, said)
    assert said.sent
    assert said.deleted


if __name__ == "__main__":
    asyncio.run(_hammer(Path(sys.argv[1]), int(sys.argv[2])))
