"""The pump of HTTP(S) deliveries: from each subscription's engine queue to its endpoint.

1. One task per subscription that has something to deliver: one dead endpoint delays nobody else. A task
   takes a few messages, delivers them at once, and settles all in one transaction. Where none was taken it
   goes on with one at a time, so that dead endpoints do not hold all connections.
2. A message leaves its queue when the endpoint answered 2xx, or for the dead-letter queue, in the same
   transaction; a crash in between delivers it again (at least once).
3. AWS: 5xx, 429 and no answer are tried again as the delivery policy says; everything else is permanent.
   Source: "Creating an HTTP/S delivery policy" in the SNS developer guide.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from lambent.model.errors import AwsError
from lambent.services.sns.delivery_policy import DeliveryPolicy, effective
from lambent.services.sns.destinations import parse_destination
from lambent.services.sns.directory import Directory
from lambent.services.sns.envelope import NOTIFICATION
from lambent.services.sns.fan_out import dead_letter
from lambent.services.sns.http_client import DeliveryFailure, Post
from lambent.services.sns.http_message import (
    Outcome,
    dead_message,
    judge,
    kind_of,
    request_headers,
)
from lambent.services.sns.retry import RetryPolicy
from lambent.services.sns.subscription import Subscription, queue_key
from lambent.store.queues.contract import Message, QueueStore, StoreFullError, Transaction
from lambent.store.queues.outlet import Outlet

MAX_AT_ONCE: Final = 16
"""POLICY: deliveries of one subscription under way."""
MAX_CONNECTIONS: Final = 256
"""POLICY: deliveries of all subscriptions under way; sixteen dead endpoints may hold them, for 15 s."""
_LEASE_MS: Final = 10 * 60 * 1000
"""POLICY: far longer than a batch can take; what a crash leaves is released at the next start."""
_TROUBLE_S: Final = 5.0
_log = logging.getLogger("lambent.sns")

Pause = Callable[[asyncio.Event, float | None], Awaitable[None]]
"""Waits until the event is set, at most so many seconds."""


async def pause(woken: asyncio.Event, timeout_s: float | None) -> None:
    """By the loop's clock."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await woken.wait()


class Deliveries:
    """Delivers what is in the queues it watches. Lives on the loop's thread."""

    def __init__(
        self,
        store: QueueStore,
        directory: Directory,
        outlets: Outlet,
        post: Post,
        *,
        now_ms: Callable[[], int],
        time_scale: float = 1.0,
        pause: Pause = pause,
    ) -> None:
        self._store = store
        self._directory = directory
        self._outlets = outlets
        self._post = post
        self._now_ms = now_ms
        self._time_scale = time_scale
        self._pause = pause
        self._watched: dict[int, str] = {}
        self._failing: set[int] = set()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._woken: dict[int, asyncio.Event] = {}
        self._connections = asyncio.Semaphore(MAX_CONNECTIONS)
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Releases what was on its way when the platform ended, and goes on."""
        arns = [one.arn for one in self._directory.subscriptions.values() if one.by_http]

        def release(tx: Transaction) -> dict[int, str]:
            found = {}
            for arn in arns:
                queue = tx.find_queue(queue_key(arn))
                if queue is not None:
                    tx.release(queue.queue_id)
                    found[queue.queue_id] = arn
            return found

        self._unsubscribe = self._store.subscribe(self._on_arrival)
        for queue_id, arn in (await self._store.run(release)).items():
            self.watch(queue_id, arn)

    async def stop(self) -> None:
        """Ends every task where it stands."""
        self._unsubscribe()
        tasks = list(self._tasks.values())
        self._watched.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def watch(self, queue_id: int, subscription_arn: str) -> None:
        """Delivers what is in a subscription's queue, and what will be."""
        self._watched[queue_id] = subscription_arn
        self._wake(queue_id)

    def forget(self, subscription_arn: str) -> None:
        """Ends that, the delivery under way included."""
        for queue_id, arn in tuple(self._watched.items()):
            if arn == subscription_arn:
                del self._watched[queue_id]
                self._failing.discard(queue_id)
                task = self._tasks.pop(queue_id, None)
                if task is not None:
                    task.cancel()

    def forget_all(self) -> None:
        """Ends all of them."""
        for arn in set(self._watched.values()):
            self.forget(arn)

    @property
    def busy(self) -> bool:
        """Whether anything is being delivered, or waits to be."""
        return bool(self._tasks)

    def _on_arrival(self, queue_ids: frozenset[int]) -> None:
        for queue_id in queue_ids:
            self._wake_watched(queue_id)

    def _wake(self, queue_id: int) -> None:
        if queue_id in self._tasks:
            self._woken[queue_id].set()
            return
        woken = self._woken[queue_id] = asyncio.Event()
        task = asyncio.get_running_loop().create_task(self._run(queue_id, woken))
        self._tasks[queue_id] = task
        task.add_done_callback(lambda done: self._ended(queue_id, done))

    def _ended(self, queue_id: int, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(queue_id) is task:
            del self._tasks[queue_id]
        if not task.cancelled() and task.exception() is not None:
            _log.error("deliveries of a subscription failed and wait", exc_info=task.exception())
            if queue_id in self._watched:
                asyncio.get_running_loop().call_later(_TROUBLE_S, self._wake_watched, queue_id)

    def _wake_watched(self, queue_id: int) -> None:
        if queue_id in self._watched:
            self._wake(queue_id)

    async def _run(self, queue_id: int, woken: asyncio.Event) -> None:
        """Delivers until the queue is empty. Between the last look and the end nothing is awaited."""
        while True:
            woken.clear()
            try:
                wait_s = await self._turn(queue_id)
            except StoreFullError:
                _log.warning("the disk is full: deliveries wait")
                wait_s = _TROUBLE_S
            if wait_s is None and not woken.is_set():
                self._tasks.pop(queue_id, None)
                return
            if wait_s:
                await self._pause(woken, wait_s)

    async def _turn(self, queue_id: int) -> float | None:
        """One batch. How many seconds until there may be more: 0 at once, None until something arrives."""
        subscription = self._directory.subscriptions.get(self._watched.get(queue_id, ""))
        if subscription is None:
            return None
        policy = self._policy_of(subscription)
        rate = policy.max_receives_per_s
        limit = 1 if queue_id in self._failing else min(rate or MAX_AT_ONCE, MAX_AT_ONCE)
        now_ms = self._now_ms()

        def receive(tx: Transaction) -> tuple[list[Message], int | None]:
            held = tx.receive(queue_id, limit, now_ms, now_ms + _LEASE_MS)
            return held, None if held else tx.next_visible_at_ms(queue_id, now_ms)

        try:
            held, next_ms = await self._store.run(receive)
        except KeyError:
            return None  # unsubscribed a moment ago
        if not held:
            return None if next_ms is None else max(0.001, (next_ms - now_ms) / 1000)
        outcomes = await asyncio.gather(*(self._attempt(subscription, policy, one) for one in held))
        await self._store.run(lambda tx: self._settle(tx, queue_id, subscription, policy, outcomes))
        if all(outcome.reason is not None for outcome in outcomes):
            self._failing.add(queue_id)
        else:
            self._failing.discard(queue_id)
        if rate is None:
            return 0.0
        spent_s = (self._now_ms() - now_ms) / 1000
        await self._pause(asyncio.Event(), max(0.0, len(held) / rate - spent_s))
        return 0.0

    def _policy_of(self, subscription: Subscription) -> DeliveryPolicy:
        topic = self._directory.topics.get(subscription.topic_arn)
        above = topic.delivery_policy if topic is not None else DeliveryPolicy()
        return effective(above, subscription.delivery_policy)

    async def _attempt(
        self, subscription: Subscription, policy: DeliveryPolicy, message: Message
    ) -> Outcome:
        headers = request_headers(subscription, policy, message)
        try:
            destination = parse_destination(
                subscription.protocol,
                subscription.endpoint,
                public_only=subscription.from_function,
            )
            async with self._connections:
                status = await self._post(destination, headers, message.body)
        except DeliveryFailure as error:
            return Outcome(message, str(error), error.permanent)
        except AwsError as error:
            return Outcome(message, error.message, permanent=True)
        return judge(message, status)

    def _settle(
        self,
        tx: Transaction,
        queue_id: int,
        subscription: Subscription,
        policy: DeliveryPolicy,
        outcomes: Sequence[Outcome],
    ) -> None:
        retry, now_ms = policy.retry or RetryPolicy(), self._now_ms()
        for outcome in outcomes:
            message = outcome.message
            delay_s = None if outcome.permanent else retry.delay_s(message.receives)
            if outcome.reason is None:
                tx.delete(queue_id, message.receipt)
            elif delay_s is not None:
                next_ms = now_ms + int(delay_s * 1000 / self._time_scale)
                tx.change_visibility(queue_id, message.receipt, next_ms, now_ms)
            elif tx.delete(queue_id, message.receipt):
                _log.info(
                    "%s to %s is given up after %d attempts: %s",
                    message.message_id, subscription.arn, message.receives, outcome.reason,
                )  # fmt: skip
                if kind_of(message) == NOTIFICATION:
                    outgoing = dead_message(subscription, message)
                    dead_letter(tx, self._outlets, subscription, outgoing, now_ms)
