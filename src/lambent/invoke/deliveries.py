"""Deliveries to destinations behind an API: kept in a queue of their own until they are handed on.

1. What is put is on disk in the commit in which its sender lets go of it; it leaves the queue when the
   service took it, or when it is given up, which is counted. A crash in between sends it again.
2. A service that is away delays nobody else: each has its queue. What fails waits longer each time.
3. Idle costs nothing: one task a service waits for arrivals, and for the time of the next retry.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Final, Protocol

from lambent.invoke.delivery_requests import (
    Stored,
    refusal_of,
    request_of,
    sent_again_at_ms,
    stored_of,
)
from lambent.model.errors import AwsError, PlatformFault
from lambent.model.outgoing import Outgoing
from lambent.observe.metrics import Metrics
from lambent.store.queues.contract import (
    Message,
    NewMessage,
    QueueStore,
    StoreFullError,
    Transaction,
)

_PREFIX: Final = "deliveries/"
_MAX_AT_ONCE: Final = 16
"""POLICY: calls of one service under way."""
_LEASE_MS: Final = 10 * 60 * 1000
"""POLICY: far longer than a call's deadline; what a crash leaves is released at the next start."""
_TROUBLE_S: Final = 5.0
_log = logging.getLogger("lambent.deliveries")


class Api(Protocol):
    """The AWS API of wherever a service is."""

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        account_id: str,
        region: str,
    ) -> Mapping[str, Any]:
        """The operation's output. Raises AwsError; has its own deadline."""
        ...


class DeferredOutlet:
    """Is an :class:`~lambent.store.queues.outlet.Outlet`: keeps what is put until it can be handed on.

    It refuses nothing: what the target refuses shows as a delivery failure, as on AWS. ``queues`` (queue id →
    service) is shared with the deliveries, which so know whose an arrival is.
    """

    def __init__(self, service: str, queues: MutableMapping[int, str]) -> None:
        self._service = service
        self._queues = queues

    def put(self, tx: Transaction, target_arn: str, outgoing: Outgoing, now_ms: int) -> None:
        """See the protocol."""
        key = _PREFIX + self._service
        queue = tx.find_queue(key) or tx.create_queue(key, fifo=False, document="{}")
        self._queues[queue.queue_id] = self._service
        attributes = stored_of(target_arn, outgoing).encode()
        message = NewMessage(str(uuid.uuid4()), outgoing.body, attributes)
        tx.send(queue.queue_id, [message], now_ms)


class Deliveries:
    """Hands on what deferred outlets keep. Lives on the loop's thread."""

    def __init__(
        self,
        store: QueueStore,
        api: Api,
        metrics: Metrics,
        now_ms: Callable[[], int],
        *,
        time_scale: int = 1,
    ) -> None:
        self._store = store
        self._api = api
        self._metrics = metrics
        self._now_ms = now_ms
        self._time_scale = time_scale
        self._queues: dict[int, str] = {}
        self._woken: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._unsubscribe: Callable[[], None] = lambda: None

    def outlet(self, service: str) -> DeferredOutlet:
        """Where what goes to a service's ARNs is put."""
        return DeferredOutlet(service, self._queues)

    async def open(self, services: Collection[str]) -> None:
        """Goes on with what a stop left. ``services`` are those that can be delivered to."""

        def release(tx: Transaction) -> None:
            for service in services:
                queue = tx.find_queue(_PREFIX + service)
                if queue is not None:
                    self._queues[queue.queue_id] = service
                    tx.release(queue.queue_id)

        await self._store.run(release)
        self._unsubscribe = self._store.subscribe(self._on_arrival)
        loop = asyncio.get_running_loop()
        for service in services:
            self._woken[service] = asyncio.Event()
            self._tasks.append(loop.create_task(self._run(service)))

    async def close(self) -> None:
        """Ends every call where it stands."""
        self._unsubscribe()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _on_arrival(self, queue_ids: frozenset[int]) -> None:
        for queue_id in queue_ids:
            woken = self._woken.get(self._queues.get(queue_id, ""))
            if woken is not None:
                woken.set()

    async def _run(self, service: str) -> None:
        woken = self._woken[service]
        while True:
            woken.clear()
            try:
                wait_s = await self._turn(service)
            except StoreFullError:
                wait_s = _TROUBLE_S
            except Exception:
                _log.exception("deliveries to %s failed and wait", service)
                wait_s = _TROUBLE_S
            if wait_s != 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await woken.wait()

    async def _turn(self, service: str) -> float | None:
        """One lot. How many seconds until there may be more: 0 at once, None until something arrives."""
        now_ms = self._now_ms()

        def receive(tx: Transaction) -> tuple[int, list[Message], int | None]:
            queue = tx.find_queue(_PREFIX + service)
            if queue is None:
                return 0, [], None
            held = tx.receive(queue.queue_id, _MAX_AT_ONCE, now_ms, now_ms + _LEASE_MS)
            later = None if held else tx.next_visible_at_ms(queue.queue_id, now_ms)
            return queue.queue_id, held, later

        queue_id, held, next_ms = await self._store.run(receive)
        if not held:
            return None if next_ms is None else max(0.001, (next_ms - now_ms) / 1000)
        errors = await asyncio.gather(*(self._send(message) for message in held))
        outcomes = list(zip(held, errors, strict=True))
        given_up = await self._store.run(lambda tx: self._settle(tx, queue_id, outcomes))
        for message, error in outcomes:
            if error is None or message.message_id in given_up:
                self._count(message, error)
        return 0

    async def _send(self, message: Message) -> AwsError | None:
        """Why the service did not take it."""
        stored = Stored.decode(message.attributes)
        service, operation, parameters = request_of(stored, message.body)
        account_id, region = stored.place
        try:
            answer = await self._api.call(
                service, operation, parameters, account_id=account_id, region=region
            )
        except AwsError as error:
            return error
        except Exception:
            _log.exception("a delivery to %s failed inside the platform", stored.target_arn)
            return PlatformFault("Lambent failed; its log says why.")
        return refusal_of(answer)

    def _settle(
        self, tx: Transaction, queue_id: int, outcomes: list[tuple[Message, AwsError | None]]
    ) -> set[str]:
        """Deletes what was taken or is given up, postpones the rest; the ids of what is given up."""
        now_ms, given_up = self._now_ms(), set()
        for message, error in outcomes:
            with suppress(KeyError):  # a reset took the queue along
                again_ms = error and sent_again_at_ms(
                    error,
                    tries=message.receives,
                    sent_at_ms=message.sent_at_ms,
                    now_ms=now_ms,
                    time_scale=self._time_scale,
                )
                if again_ms:
                    tx.change_visibility(queue_id, message.receipt, again_ms, now_ms)
                elif tx.delete(queue_id, message.receipt) and error is not None:
                    given_up.add(message.message_id)
        return given_up

    def _count(self, message: Message, error: AwsError | None) -> None:
        stored = Stored.decode(message.attributes)
        delivery = stored.delivery
        if delivery.mapping_uuid:
            counts = self._metrics.mappings.of(delivery.mapping_uuid)
            if error is None:
                counts.on_failure_destination_delivered_event_count += delivery.events
            else:
                counts.dropped_event_count += delivery.events
        if error is None:
            return
        _, _, _, region, account_id, _, name, *_ = stored.source_arn.split(":")
        self._metrics.of(account_id, region, name).destination_delivery_failures += 1
        _log.warning(
            "a record of %s could not be delivered to %s: %s: %s",
            *(stored.source_arn, stored.target_arn, error.code, error.message),
        )
