"""SNS: topics and subscriptions of all accounts and regions, and what the operations share.

Operations are coroutines ``(sns, call) -> Result`` on the loop. What is kept is in the queue store's
records, and parsed in :class:`Directory`; a change is committed first and shown afterwards. Operations
that change something run one after the other, and to their end even when their client leaves.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar

from lambent.model.call import Call, Result
from lambent.services.sns import faults, records
from lambent.services.sns.deliveries import Deliveries, Pause, pause
from lambent.services.sns.directory import Directory
from lambent.services.sns.fan_out import Prepared, deliver, prepare
from lambent.services.sns.http_client import Post
from lambent.services.sns.publication import Publication
from lambent.services.sns.signing import Signer
from lambent.services.sns.subscription import State, Subscription
from lambent.services.sns.topic import Topic
from lambent.store.queues.contract import QueueStore, StoreFullError, Transaction
from lambent.store.queues.outlet import Outlet

T = TypeVar("T")
_log = logging.getLogger("lambent.sns")
SWEEP_S = 600.0
"""POLICY: how often subscriptions that nobody confirmed in time are looked for."""
_STOP_DEADLINE_S = 5.0


class SnsService:
    """``outlets`` reaches queues and functions; ``endpoint`` is the platform's URL, for links in messages.

    ``time_scale`` makes retries of HTTP deliveries come that many times sooner.
    """

    def __init__(
        self,
        store: QueueStore,
        outlets: Outlet,
        signer: Signer,
        post: Post,
        *,
        now_ms: Callable[[], int],
        endpoint: str,
        time_scale: float = 1.0,
        pause: Pause = pause,
    ) -> None:
        self.store = store
        self.outlets = outlets
        self.signer = signer
        self.now_ms = now_ms
        self.endpoint = endpoint
        self.directory = Directory()
        self.deliveries = Deliveries(
            store,
            self.directory,
            outlets,
            post,
            now_ms=now_ms,
            time_scale=time_scale,
            pause=pause,
        )
        self._threads = ThreadPoolExecutor(2, "lambent-sns")
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reads what is kept, and goes on with deliveries that a stop or a crash interrupted."""
        topics, subscriptions = await self.store.run(records.load)
        for topic in topics:
            self.directory.put_topic(topic)
        for subscription in subscriptions:
            self.directory.put_subscription(subscription)
        await self.deliveries.start()
        self._sweeper = asyncio.create_task(self._sweep_now_and_then())

    async def stop(self) -> None:
        """Leaves deliveries where they stand; changes begun are finished."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeper
        await self.deliveries.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_DEADLINE_S)
        self._threads.shutdown(wait=True)

    def forget_all(self) -> None:
        """For a reset, after the store was emptied."""
        self.deliveries.forget_all()
        self.directory.clear()

    async def commit(self, work: Callable[[Transaction], T]) -> T:
        """Runs ``work`` in a transaction. Raises 507 where the disk is full."""
        try:
            return await self.store.run(work)
        except StoreFullError as error:
            raise faults.store_full() from error

    async def on_thread(self, work: Callable[[], T]) -> T:
        """Runs what would block the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def certificate(self, path: str) -> bytes | None:
        """The certificate served at a path, None for any other."""
        return await self.on_thread(lambda: self.signer.certificate(path))

    async def exclusively(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs ``work`` alone among changes, and to its end even when its caller is cancelled."""

        async def alone() -> T:
            async with self._changing:
                return await work

        task = asyncio.get_running_loop().create_task(alone())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def publish(
        self, topic: Topic, publications: Sequence[Publication]
    ) -> list[tuple[str, str | None]]:
        """Delivers to all that match, in one transaction; (message id, sequence number) of each."""
        now_ms = self.now_ms()
        confirmed = [
            one for one in self.directory.of_topic(topic.arn) if one.state is State.CONFIRMED
        ]

        def prepare_all() -> list[Prepared]:
            return [prepare(topic, one, confirmed, self.signer, now_ms) for one in publications]

        prepared = await self.on_thread(prepare_all)
        return await self.commit(
            lambda tx: deliver(tx, prepared, self.outlets, self.endpoint, now_ms)
        )

    async def save_topic(self, topic: Topic) -> None:
        """Writes a topic, then shows it. For changes: see :func:`changing`."""
        await self.commit(lambda tx: records.put_topic(tx, topic))
        self.directory.put_topic(topic)

    async def save_subscription(
        self,
        subscription: Subscription,
        also: Callable[[Transaction], None] = lambda _: None,
    ) -> None:
        """Writes a subscription, and does ``also``, in one transaction; then shows it."""

        def work(tx: Transaction) -> int | None:
            queue_id = records.put_subscription(tx, subscription)
            also(tx)
            return queue_id

        queue_id = await self.commit(work)
        self.directory.put_subscription(subscription)
        if queue_id is not None:
            self.deliveries.watch(queue_id, subscription.arn)

    async def drop_subscription(self, subscription: Subscription) -> None:
        """Deletes a subscription with what it has not got yet."""
        await self.commit(lambda tx: records.delete_subscription(tx, subscription))
        self.directory.remove_subscription(subscription.arn)
        self.deliveries.forget(subscription.arn)

    async def drop_topic(self, topic: Topic) -> None:
        """Deletes a topic and its subscriptions."""
        its = tuple(self.directory.of_topic(topic.arn))
        await self.commit(lambda tx: records.delete_topic(tx, topic, its))
        self.directory.remove_topic(topic.arn)
        for subscription in its:
            self.deliveries.forget(subscription.arn)

    async def sweep(self) -> None:
        """Deletes subscriptions whose tokens ended without anybody confirming them."""
        now_ms = self.now_ms()
        for subscription in tuple(self.directory.subscriptions.values()):
            if subscription.state is not State.CONFIRMED and subscription.expires_ms <= now_ms:
                await self.drop_subscription(subscription)

    async def _sweep_now_and_then(self) -> None:
        while True:
            try:
                await self.exclusively(self.sweep())
            except Exception:
                _log.exception("subscriptions that were never confirmed could not be swept")
            await asyncio.sleep(SWEEP_S)


Operation = Callable[[SnsService, Call], Coroutine[Any, Any, Result]]


def changing(operation: Operation) -> Callable[[SnsService, Call], Awaitable[Result]]:
    """An operation that changes something: alone among those, and finished once begun."""

    @wraps(operation)
    async def run(sns: SnsService, call: Call) -> Result:
        return await sns.exclusively(operation(sns, call))

    return run
