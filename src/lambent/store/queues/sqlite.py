"""The queue store in SQLite: the file ``queues.db``, one thread of its own, works committed in groups.

See ``contract`` for what it promises, ``group_commit`` for how, ``schema`` for the file.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar, cast

from lambent.model.errors import PlatformFault
from lambent.store.queues.contract import OnArrival, Transaction
from lambent.store.queues.group_commit import Answered, GroupCommit
from lambent.store.queues.room import RESERVE_BYTES, Room
from lambent.store.queues.schema import open_connection
from lambent.store.queues.transaction import SqliteTransaction

T = TypeVar("T")

FILE_NAME: Final = "queues.db"
MAX_WAITING: Final = 10_000
"""POLICY: works accepted and not yet answered; beyond it they are refused with 503."""
_CLOSE_DEADLINE_S: Final = 30.0


class SqliteQueueStore:
    """A :class:`lambent.store.queues.contract.QueueStore`; :meth:`open` first, :meth:`close` last."""

    def __init__(self, path: Path, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._path = path
        self._reserve_bytes = reserve_bytes
        self._thread: GroupCommit | None = None
        self._waiting = 0
        self._listeners: list[OnArrival] = []

    async def open(self) -> None:
        """Opens the file. Raises PlatformFault when it is of a newer Lambent or cannot be read."""
        self._loop = asyncio.get_running_loop()
        thread = GroupCommit(lambda: open_connection(self._path), self._room, self._deliver)
        try:
            await thread.started
        except BaseException:
            thread.stop()
            raise
        self._thread = thread

    async def close(self) -> None:
        """Finishes what was accepted and closes the file; nothing is accepted from now on.

        Raises TimeoutError when the disk does not answer.
        """
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()
            async with asyncio.timeout(_CLOSE_DEADLINE_S):
                await asyncio.shield(thread.ended)

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """See the contract. Raises PlatformFault 503 when too many wait, or it is closed.

        Cancelled, the work may still be done.
        """
        thread = self._thread
        if thread is None or thread.ended.done():
            raise PlatformFault("The queue store is closed.", status=503)
        if self._waiting >= MAX_WAITING:
            raise PlatformFault("Too many operations wait for the queue store.", status=503)
        self._waiting += 1
        future: asyncio.Future[T] = self._loop.create_future()
        thread.submit(work, future)
        return await future

    def subscribe(self, on_arrival: OnArrival) -> Callable[[], None]:
        """See the contract."""
        self._listeners.append(on_arrival)

        def end() -> None:
            with suppress(ValueError):
                self._listeners.remove(on_arrival)

        return end

    async def clear(self) -> None:
        """Forgets every queue, message and record."""
        await self.run(lambda tx: cast("SqliteTransaction", tx).clear())

    def _room(self, reusable_bytes: Callable[[], int]) -> Room:
        return Room(self._path.parent, self._reserve_bytes, reusable_bytes=reusable_bytes)

    def _deliver(self, answered: list[Answered], arrivals: frozenset[int]) -> None:
        self._waiting -= len(answered)
        for each in answered:
            if each.future.done():  # who asked was cancelled
                continue
            if each.error is None:
                each.future.set_result(each.value)
            else:
                each.future.set_exception(each.error)
        if arrivals:
            for listener in tuple(self._listeners):
                listener(arrivals)
