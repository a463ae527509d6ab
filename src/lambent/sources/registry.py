"""The registry of pollers: one for each mapping that is to be polled, started and stopped as records change.

1. What a mapping's record says is carried out in the order in which it was said, one after the other;
   mappings do not wait for each other.
2. When a poller was started or stopped the mapping's state is moved on, unless the record has changed since.
3. How batches go is written down when it changes, at most once a second for each mapping.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lambent.model.errors import ClientFault, invalid_parameter, not_found
from lambent.model.event_source_mapping import (
    EventSourceMapping,
    MappingEvent,
    MappingState,
    source_service,
)
from lambent.observe.mapping_metrics import MappingMetrics
from lambent.sources.contract import AwsApi, Functions, Kind, Parts, Poller, Writes
from lambent.sources.tasks import log_failure

_RESULT_EVERY_S: Final = 1.0
_STOP_DEADLINE_S: Final = 900.0
"""The longest invocation: a mapping is Disabled when nothing of it runs any more."""
_RUNNING: Final = frozenset(
    {
        MappingState.CREATING,
        MappingState.ENABLING,
        MappingState.ENABLED,
        MappingState.UPDATING,
    }
)

Settle = Callable[[EventSourceMapping, MappingEvent], Awaitable[None]]
"""Moves a mapping's state in the records, if it is still as given."""
RecordResult = Callable[[str, str], Awaitable[None]]
"""Writes ``LastProcessingResult`` of a UUID."""


@dataclass(slots=True)
class _Seat:
    """One mapping: what was said of it and not carried out, who polls it, how it fares."""

    mapping: EventSourceMapping
    said: list[EventSourceMapping] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    poller: Poller | None = None
    result: str = ""
    recorded: str = ""
    timer: asyncio.TimerHandle | None = None
    turning: asyncio.Lock = field(default_factory=asyncio.Lock)


class Registry:
    """Lives on the loop. ``settle`` and ``record_result`` reach the records on their own thread."""

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        api: AwsApi,
        functions: Functions,
        settle: Settle,
        record_result: RecordResult,
        metrics: MappingMetrics | None = None,
        writes: Callable[[str, str], Writes | None] = lambda _service, _name: None,
    ) -> None:
        self._kinds = kinds
        self._metrics = metrics or MappingMetrics()
        self._parts = Parts(api, functions, self, self._metrics, writes)
        self._settle = settle
        self._record_result = record_result
        self._seats: dict[str, _Seat] = {}
        self._writes: set[asyncio.Task[None]] = set()
        self._closing = False

    def open(self, mappings: Iterable[EventSourceMapping]) -> None:
        """At start: polls what is to be polled, and finishes what a stop left in between."""
        for mapping in mappings:
            self.changed(mapping)

    async def close(self, deadline_s: float) -> None:
        """Stops every poller; what they handle may end until the deadline. No state is moved by that."""
        self._closing = True
        seats = list(self._seats.values())
        for seat in seats:
            if seat.timer is not None:
                seat.timer.cancel()
            if seat.task is not None:
                seat.task.cancel()
        tasks = [seat.task for seat in seats if seat.task is not None]
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.gather(*(seat.poller.stop(deadline_s) for seat in seats if seat.poller))
        for seat in seats:
            self._write(seat)
        if self._writes:
            await asyncio.wait(self._writes, timeout=deadline_s)
        self._seats.clear()

    async def clear(self) -> None:
        """After a reset: there are no mappings any more."""
        seats, self._seats = list(self._seats.values()), {}
        for seat in seats:
            self._metrics.forget(seat.mapping.uuid)
            if seat.timer is not None:
                seat.timer.cancel()
            if seat.task is not None:
                seat.task.cancel()
        await asyncio.gather(*(seat.poller.stop(0) for seat in seats if seat.poller))

    def changed(self, mapping: EventSourceMapping) -> None:
        """A mapping's record says this now."""
        if self._closing:
            return
        seat = self._seats.get(mapping.uuid)
        if seat is None:
            result = mapping.last_processing_result
            seat = self._seats[mapping.uuid] = _Seat(mapping, result=result, recorded=result)
        seat.said.append(mapping)
        if seat.task is None:
            seat.task = asyncio.get_running_loop().create_task(self._carry_out(seat))
            seat.task.add_done_callback(log_failure)

    def processed(self, mapping: EventSourceMapping, last_processing_result: str) -> None:
        """See :class:`~lambent.sources.contract.Reports`."""
        seat = self._seats.get(mapping.uuid)
        if seat is None:
            return
        seat.result = last_processing_result
        if seat.result != seat.recorded and seat.timer is None and not self._closing:
            loop = asyncio.get_running_loop()
            seat.timer = loop.call_later(_RESULT_EVERY_S, self._write, seat)

    async def replay(self, uuid: str, request: object) -> list[str]:
        """Sets a stream's mapping back, as ``request`` says; the shards that were set. Durable when it returns.

        Raises AwsError, having changed nothing: unknown (404), polled or on its way (409), no stream (400).
        """
        seat = self._seats.get(uuid)
        if seat is None:
            raise not_found("The resource you requested does not exist.")
        kind = self._kinds.get(source_service(seat.mapping.event_source_arn))
        if kind is None or kind.replay is None:
            raise invalid_parameter(
                "Only mappings of Kinesis and DynamoDB streams can be replayed."
            )
        if seat.poller is not None or seat.task is not None or seat.turning.locked():
            raise ClientFault(
                "ResourceInUseException", "The mapping has to be Disabled to be replayed.", 409
            )
        async with seat.turning:
            return await kind.replay(seat.mapping, self._parts, request)

    async def describe(self) -> list[dict[str, Any]]:
        """Every mapping, for ``GET /_lambent/sources``."""
        return [await _describe(seat) for seat in list(self._seats.values())]

    async def _carry_out(self, seat: _Seat) -> None:
        try:
            while seat.said:
                mapping = seat.mapping = seat.said.pop(0)
                if seat.said:
                    continue  # only the last word counts
                async with seat.turning:
                    await self._turn(seat, mapping)
        finally:
            seat.task = None

    async def _turn(self, seat: _Seat, mapping: EventSourceMapping) -> None:
        if seat.poller is not None:
            await seat.poller.stop(_STOP_DEADLINE_S)
            seat.poller = None
            self._metrics.withhold(mapping.uuid)
        kind = self._kinds.get(source_service(mapping.event_source_arn))
        if kind is None or not mapping.enabled or mapping.state not in _RUNNING:
            if mapping.state is MappingState.DELETING and not seat.said:
                self._forget(seat)
            await self._settle(mapping, MappingEvent.POLLER_STOPPED)
            return
        seat.poller = kind.make_poller(mapping, self._parts)
        seat.poller.start()
        await self._settle(mapping, MappingEvent.POLLER_STARTED)

    def _forget(self, seat: _Seat) -> None:
        del self._seats[seat.mapping.uuid]
        self._metrics.forget(seat.mapping.uuid)
        if seat.timer is not None:
            seat.timer.cancel()

    def _write(self, seat: _Seat) -> None:
        seat.timer = None
        if seat.result == seat.recorded:
            return
        seat.recorded = seat.result
        task = asyncio.ensure_future(self._record_result(seat.mapping.uuid, seat.result))
        self._writes.add(task)
        task.add_done_callback(self._written)

    def _written(self, task: "asyncio.Task[None]") -> None:
        self._writes.discard(task)
        log_failure(task)


async def _describe(seat: _Seat) -> dict[str, Any]:
    mapping = seat.mapping
    shown: dict[str, Any] = {
        "uuid": mapping.uuid,
        "account": mapping.account_id,
        "region": mapping.region,
        "source": mapping.event_source_arn or f"kafka:{mapping.document['Topics'][0]}",
        "function": mapping.function_arn,
        "enabled": mapping.enabled,
        "polling": seat.poller is not None,
        "last_result": seat.result,
    }
    if seat.poller is not None:
        shown |= await seat.poller.describe()
    return shown
