"""SQS: the queues of all accounts and regions, over one queue store.

Operations are coroutines ``(sqs, call) -> Result`` on the loop. Queues are held in memory whole, and
written through: a change is on disk before it is seen. Messages are the store's alone.

1. Changes of queues happen one after the other (:attr:`SqsService.changes`).
2. A receiver waits without asking again: see :mod:`lambent.services.sqs.waiting`.
3. Every transaction's work takes the time when it runs, not when it was asked for: works run one
   after the other, so what one makes visible the next one sees.
"""

import asyncio
import bisect
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, TypeVar

from lambent.model.call import Call
from lambent.model.errors import ClientFault, PlatformFault
from lambent.services.sqs import faults
from lambent.services.sqs.access import check_caller
from lambent.services.sqs.live import Live
from lambent.services.sqs.names import QueueName, parse_arn, parse_url
from lambent.services.sqs.queue import SqsQueue, read_queue
from lambent.services.sqs.receipts import SECRET_BYTES, Receipts
from lambent.services.sqs.waiting import CallLater, Timer
from lambent.store.queues.contract import Queue, QueueStore, StoreFullError, Transaction

T = TypeVar("T")
KIND: Final = "sqs"
"""The kind of the service's own records."""
MAX_WAITING: Final = 10_000
"""POLICY: receivers waiting on the whole platform; more are throttled."""
_PAGE: Final = 1_000
_log = logging.getLogger("lambent.sqs")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _call_later(delay_s: float, callback: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(delay_s, callback)


class SqsService:
    """The queues. ``start`` reads them; ``stop`` sends waiting receivers away."""

    def __init__(
        self,
        store: QueueStore,
        clock: Callable[[], int] = _now_ms,
        call_later: CallLater = _call_later,
    ) -> None:
        self.store = store
        self.clock = clock
        self.call_later = call_later
        self.changes = asyncio.Lock()
        self.receipts = Receipts(secrets.token_bytes(SECRET_BYTES))
        self.waiting = 0
        self.stopping = False
        self.background: set[asyncio.Task[None]] = set()
        self.sweeper: asyncio.Task[None] | None = None
        self._queues: dict[str, SqsQueue] = {}
        self._by_id: dict[int, SqsQueue] = {}
        self._names: dict[tuple[str, str], list[str]] = {}
        self._live: dict[int, Live] = {}
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self) -> None:
        """Reads the queues and the secret of receipt handles, which the first start makes."""
        self.stopping = False
        self.forget_all()
        self.receipts = Receipts(await self.store.run(_read_secret))
        after: str | None = None
        while page := await self.store.run(_read_page(after)):
            for stored in page:
                self.keep(read_queue(stored))
            after = page[-1].key
        self._unsubscribe = self.store.subscribe(self._arrived)

    def stop(self) -> None:
        """Answers those who wait; takes no more notice of arrivals, and moves no more messages."""
        self.stopping = True
        for task in (*self.background, *filter(None, (self.sweeper,))):
            task.cancel()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        for live in self._live.values():
            live.line.wake_all()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs a move task in the background. What goes wrong there is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self.background.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.background.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("a message move task failed", exc_info=error)

    # Queues

    def find(self, call: Call) -> SqsQueue:
        """The queue the call's ``QueueUrl`` names, when the caller may do what it asks for.

        Raises ``QueueDoesNotExist``, ``InvalidAddress``, ``AccessDenied``.
        """
        account_id, name = parse_url(call.parameters["QueueUrl"])
        queue = self._queues.get(f"sqs/{account_id}/{call.caller.region}/{name}")
        if queue is None:
            raise faults.no_queue()
        self.check(queue, call)
        return queue

    def check(self, queue: SqsQueue, call: Call) -> None:
        """Raises ``AccessDenied`` unless the caller may do that with the queue."""
        check_caller(queue, call.caller, call.operation.removesuffix("Batch"))

    def find_named(self, name: QueueName) -> SqsQueue | None:
        """The queue of that name."""
        return self._queues.get(name.key)

    def find_arn(self, arn: str) -> SqsQueue | None:
        """The queue of that ARN."""
        name = parse_arn(arn)
        return self._queues.get(name.key) if name is not None else None

    def current(self, queue: SqsQueue) -> SqsQueue:
        """The queue as it is now. Raises ``QueueDoesNotExist`` when it was deleted meanwhile."""
        found = self._by_id.get(queue.queue_id)
        if found is None:
            raise faults.no_queue()
        return found

    def names(self, account_id: str, region: str, prefix: str, after: str) -> Iterator[str]:
        """The account's queue names there in order, those with the prefix and after ``after``."""
        listed = self._names.get((account_id, region), [])
        start = max(bisect.bisect_left(listed, prefix), bisect.bisect_right(listed, after))
        for name in listed[start:]:
            if not name.startswith(prefix):
                return
            yield name

    def sources_of(self, arn: str) -> list[SqsQueue]:
        """The queues whose dead letters go to that one, by name."""
        found = [queue for queue in self._queues.values() if queue.dead_letter_arn == arn]
        return sorted(found, key=lambda queue: queue.name)

    def queues(self) -> list[SqsQueue]:
        """All there are."""
        return list(self._queues.values())

    async def save(self, queue: SqsQueue) -> None:
        """Writes a changed queue, and then goes by it. Call it with ``changes`` held."""
        await self.run(lambda tx: tx.set_document(queue.queue_id, queue.document))
        self.keep(queue)

    def keep(self, queue: SqsQueue) -> None:
        """Goes by the queue as it is given."""
        if queue.queue_id not in self._by_id:
            place = (queue.name.account_id, queue.name.region)
            bisect.insort(self._names.setdefault(place, []), queue.name.name)
        self._queues[queue.name.key] = self._by_id[queue.queue_id] = queue

    def forget(self, queue: SqsQueue) -> None:
        """Goes by it no more; who waits for its messages is told."""
        del self._queues[queue.name.key], self._by_id[queue.queue_id]
        listed = self._names[queue.name.account_id, queue.name.region]
        listed.remove(queue.name.name)
        live = self._live.pop(queue.queue_id, None)
        if live is not None:
            live.line.wake_all()

    def forget_all(self) -> None:
        """Goes by no queue."""
        for queue in self.queues():
            self.forget(queue)

    async def reset(self) -> None:
        """The store was emptied: there are no queues; the secret is kept anew."""
        self.forget_all()
        self.receipts = Receipts(await self.store.run(_read_secret))

    # Messages

    def live(self, queue: SqsQueue) -> Live:
        """What is known of the queue while the service runs."""
        found = self._live.get(queue.queue_id)
        if found is None:
            found = self._live[queue.queue_id] = Live(self.clock, self.call_later)
        return found

    def expect(self, queue: SqsQueue, visible_at_ms: int | None) -> None:
        """A message of the queue becomes visible then, which no arrival will tell."""
        live = self._live.get(queue.queue_id)
        if live is not None:
            live.line.expect(visible_at_ms)

    async def run(self, work: Callable[[Transaction], T], queue: SqsQueue | None = None) -> T:
        """A transaction, of ``queue`` if it is one's only.

        Raises ``QueueDoesNotExist`` when the queue was deleted before it, 507 ``ServiceUnavailable`` when
        the disk has no room.
        """
        try:
            return await self.store.run(work)
        except KeyError:
            if queue is None or queue.queue_id in self._by_id:
                raise
            raise faults.no_queue() from None
        except StoreFullError as error:
            text = "The disk is full: nothing was stored. Messages that are stored can be received."
            raise PlatformFault(text, "ServiceUnavailable", 507) from error

    def _arrived(self, queue_ids: frozenset[int]) -> None:
        for queue_id in queue_ids:
            live = self._live.get(queue_id)
            if live is not None:
                live.line.wake()


def throttled() -> ClientFault:
    """403 ``RequestThrottled``: SDKs try again later."""
    return ClientFault("RequestThrottled", "Too many receivers are waiting for messages.", 403)


def _read_secret(tx: Transaction) -> bytes:
    found = tx.find_record(KIND, "receipt-secret")
    if found is None:
        found = secrets.token_hex(SECRET_BYTES)
        tx.put_record(KIND, "receipt-secret", found)
    return bytes.fromhex(found)


def _read_page(after: str | None) -> Callable[[Transaction], list[Queue]]:
    return lambda tx: tx.list_queues("sqs/", after, _PAGE)
