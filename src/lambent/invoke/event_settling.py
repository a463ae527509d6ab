"""The transactions that settle an event: it is postponed, or deleted and sent on in the same commit."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from lambent.invoke.event_sendings import Event, Sending
from lambent.invoke.events import EventAttributes
from lambent.model.errors import AwsError
from lambent.observe.metrics import Metrics
from lambent.store.queues.contract import QueueStore, Transaction
from lambent.store.queues.outlet import Outlet

T = TypeVar("T")
_log = logging.getLogger("lambent.events")


class Settlement:
    """Settles events, however long the store takes. Lives on the loop's thread.

    ``store_pause_s``: how long it waits before it asks a store again that could not settle an event.
    """

    def __init__(
        self,
        store: QueueStore,
        outlet: Outlet,
        metrics: Metrics,
        now_ms: Callable[[], int],
        store_pause_s: float,
    ) -> None:
        self._store = store
        self._outlet = outlet
        self._metrics = metrics
        self._now_ms = now_ms
        self._store_pause_s = store_pause_s

    async def postpone(self, event: Event, attributes: EventAttributes) -> None:
        """Has it received again when ``attributes`` say, with these."""
        receipt, text = event.message.receipt, attributes.encode()

        def work(tx: Transaction) -> None:
            with suppress(KeyError):  # the queue went with its function
                tx.update_attributes(event.queue_id, receipt, text)
                tx.change_visibility(event.queue_id, receipt, attributes.due_at_ms, self._now_ms())

        await self._commit(work)

    async def end(self, event: Event, sendings: Sequence[Sending]) -> None:
        """Deletes it and puts what is sent on; what its outlet refuses is counted and logged."""
        for sending, error in await self._commit(self._ending(event, sendings)):
            counts = self._metrics.of(*event.function)
            if sending.is_dead_letter:
                counts.dead_letter_errors += 1
            else:
                counts.destination_delivery_failures += 1
            _log.warning(
                "event %s of %s could not be sent to %s: %s: %s",
                *(event.message.message_id, event.function[2], sending.target_arn),
                *(error.code, error.message),
            )

    def _ending(
        self, event: Event, sendings: Sequence[Sending]
    ) -> Callable[[Transaction], list[tuple[Sending, AwsError]]]:
        """A work that answers what could not be sent on; nothing is when the event is not ours."""
        now_ms = self._now_ms()

        def work(tx: Transaction) -> list[tuple[Sending, AwsError]]:
            undelivered: list[tuple[Sending, AwsError]] = []
            try:
                is_held = tx.delete(event.queue_id, event.message.receipt)
            except KeyError:  # the queue went with its function
                is_held = False
            for sending in sendings if is_held else ():
                try:
                    self._outlet.put(tx, sending.target_arn, sending.outgoing, now_ms)
                except AwsError as error:
                    undelivered.append((sending, error))
            return undelivered

        return work

    async def _commit(self, work: Callable[[Transaction], T]) -> T:
        """However long the store takes: a full disk may have room again."""
        pause_s = self._store_pause_s
        while True:
            try:
                return await self._store.run(work)
            except Exception:
                _log.exception("the store could not settle an event; it is asked again")
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, 30 * self._store_pause_s)
