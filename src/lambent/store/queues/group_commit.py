"""Works run by one thread, those that wait together in one commit.

The thread takes what waits, runs each work in a savepoint of its own, commits once, and gives all answers to
the loop by one call. While it commits the next works gather: no timer, nothing added when there is one.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final

from lambent.model.errors import PlatformFault
from lambent.store.queues.contract import StoreFullError, Transaction
from lambent.store.queues.room import Room
from lambent.store.queues.sweeping import BUSY_INTERVAL_S, IDLE_S, sweep
from lambent.store.queues.transaction import SqliteTransaction

MAX_BATCH: Final = 512
"""POLICY: works in one commit."""

Work = Callable[[Transaction], Any]
Future = asyncio.Future[Any]


@dataclass(slots=True)
class Answered:
    """What became of one work: ``error`` or ``value``."""

    future: Future
    value: Any = None
    error: BaseException | None = None


Deliver = Callable[[list[Answered], frozenset[int]], None]


class GroupCommit:
    """Owns the connection, on a thread of its own, until :meth:`stop`."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        room: Callable[[Callable[[], int]], Room],
        deliver: Deliver,
    ) -> None:
        self._connect = connect
        self._room = room
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[tuple[Work, Future] | None] = SimpleQueue()
        self._cx: sqlite3.Connection
        self._tx: SqliteTransaction
        self._sweeping = True
        self._swept_at_s = 0.0
        self.started: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.ended.add_done_callback(self._refuse_rest)
        self._thread = threading.Thread(target=self._live, name="lambent-queues", daemon=True)
        self._thread.start()

    def submit(self, work: Work, future: Future) -> None:
        """Never waits."""
        self._waiting.put((work, future))

    def stop(self) -> None:
        """What was submitted is still run; :attr:`ended` is done when the file is closed."""
        self._waiting.put(None)

    # On the thread

    def _live(self) -> None:
        try:
            self._cx = self._connect()
        except BaseException as error:
            self._tell(self.started, error)
            return
        self._tx = SqliteTransaction(self._cx, self._room(self._free_in_file).take)
        self._tell(self.started, None)
        try:
            for works in self._batches():
                self._answer(works)
                self._sweep(busy=bool(works))
        finally:
            self._cx.close()
            self._tell(self.ended, None)

    def _refuse_rest(self, _: "asyncio.Future[None]") -> None:
        """On the loop: nobody is left waiting, should the thread end before it was told to."""
        with suppress(Empty):
            while True:
                taken = self._waiting.get_nowait()
                if taken is not None:
                    error = PlatformFault("The queue store has stopped.", status=503)
                    self._deliver([Answered(taken[1], error=error)], frozenset())

    def _batches(self) -> Iterator[list[tuple[Work, Future]]]:
        """What waits, at most so much of it; waits for something unless there is sweeping to do."""
        while True:
            works: list[tuple[Work, Future]] = []
            with suppress(Empty):
                taken = self._waiting.get(timeout=IDLE_S if self._sweeping else None)
                while taken is not None:
                    works.append(taken)
                    if len(works) >= MAX_BATCH:
                        break
                    taken = self._waiting.get_nowait()
                else:
                    yield works
                    return
            yield works

    def _answer(self, works: list[tuple[Work, Future]]) -> None:
        while works:
            answered, arrivals = self._run(works)
            works = works[len(answered) :]
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver, answered, frozenset(arrivals))

    def _run(self, works: list[tuple[Work, Future]]) -> tuple[list[Answered], set[int]]:
        """One commit. Answers those up to one that took the transaction with it, or all."""
        answered: list[Answered] = []
        arrivals: set[int] = set()
        try:
            self._cx.execute("BEGIN IMMEDIATE")
            for work, future in works:
                answered.append(self._run_one(work, future))
                if answered[-1].error is None:
                    arrivals |= self._tx.arrivals
                elif not self._cx.in_transaction:
                    raise answered[-1].error  # noqa: TRY301 - SQLite undid all of it
            self._cx.execute("COMMIT")
        except BaseException as error:
            self._undo_all()
            failed = [Answered(future, error=_translate(error)) for _, future in works]
            return failed[: max(len(answered), 1)], set()
        return answered, arrivals

    def _run_one(self, work: Work, future: Future) -> Answered:
        self._tx.begin()
        try:
            self._cx.execute("SAVEPOINT work")
            value = work(self._tx)
            self._tx.finish()
            self._cx.execute("RELEASE work")
        except BaseException as error:
            if self._cx.in_transaction:
                self._cx.execute("ROLLBACK TO work")
                self._cx.execute("RELEASE work")
            self._tx.forget()
            return Answered(future, error=_translate(error))
        return Answered(future, value)

    def _undo_all(self) -> None:
        with suppress(sqlite3.Error):
            if self._cx.in_transaction:
                self._cx.execute("ROLLBACK")
        self._tx.forget()

    def _sweep(self, *, busy: bool) -> None:
        """A slice of what was abandoned. Looked for when it may be there: after any work."""
        now_s = time.monotonic()
        if busy and now_s - self._swept_at_s < BUSY_INTERVAL_S:
            self._sweeping = True
            return
        self._swept_at_s = now_s
        try:
            self._sweeping = sweep(self._cx)
        except sqlite3.Error:  # a full disk: later, when there is work again
            self._undo_all()
            self._sweeping = False

    def _free_in_file(self) -> int:
        (pages,) = self._cx.execute("PRAGMA freelist_count").fetchone()
        (page_bytes,) = self._cx.execute("PRAGMA page_size").fetchone()
        return int(pages * page_bytes)

    def _tell(self, future: "asyncio.Future[None]", error: BaseException | None) -> None:
        def tell() -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(tell)


def _translate(error: BaseException) -> BaseException:
    if isinstance(error, sqlite3.Error):
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return StoreFullError("The disk of the queue store is full.")
        return PlatformFault(f"The queue store failed: {error}")
    if isinstance(error, StopIteration):  # no future takes one
        return RuntimeError("The work raised StopIteration.")
    return error
