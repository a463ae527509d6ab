"""The registry of pollers: records in, pollers started and stopped, states and results out."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.unit.sources.conftest import FakeApi, FakeFunctions, mapping_of

from lambent.model.event_source_mapping import EventSourceMapping, MappingEvent, MappingState
from lambent.sources.contract import AwsApi, Kind, Parts
from lambent.sources.registry import Registry
from lambent.testing.loop import on_loop, turns, until

STARTED, STOPPED = MappingEvent.POLLER_STARTED, MappingEvent.POLLER_STOPPED
S = MappingState


@dataclass
class FakePoller:
    """Remembers what it was told; stops when the test lets it."""

    mapping: EventSourceMapping
    parts: Parts
    log: list[str]
    may_stop: asyncio.Event

    def start(self) -> None:
        """See the protocol."""
        self.log.append(f"start {self.mapping.document['BatchSize']}")

    async def stop(self, deadline_s: float) -> None:
        """See the protocol."""
        async with asyncio.timeout(deadline_s):
            await self.may_stop.wait()
        self.log.append(f"stop {self.mapping.document['BatchSize']}")

    async def describe(self) -> Mapping[str, Any]:
        """See the protocol."""
        return {"lag": 7}


@dataclass
class Records:
    """The records' side: what was settled and written."""

    log: list[str] = field(default_factory=list)
    settled: list[tuple[MappingState, MappingEvent]] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    pollers: list[FakePoller] = field(default_factory=list)
    may_stop: asyncio.Event = field(default_factory=asyncio.Event)

    def registry(self) -> Registry:
        """A registry over them."""
        self.may_stop.set()

        def make(mapping: EventSourceMapping, parts: Parts) -> FakePoller:
            self.pollers.append(FakePoller(mapping, parts, self.log, self.may_stop))
            return self.pollers[-1]

        async def describe(api: AwsApi, arn: str, account: str, region: str) -> Mapping[str, Any]:
            return {}

        async def settle(mapping: EventSourceMapping, event: MappingEvent) -> None:
            self.settled.append((mapping.state, event))

        async def record_result(uuid: str, result: str) -> None:
            self.results.append(result)

        kinds = {"sqs": Kind(make, describe)}
        return Registry(kinds, FakeApi(), FakeFunctions(), settle, record_result)


def mapping(state: MappingState, *, enabled: bool = True, size: int = 1) -> EventSourceMapping:
    """A mapping in a state."""
    return replace(mapping_of("q", BatchSize=size), state=state, enabled=enabled)


@on_loop
async def test_a_life_from_creation_to_deletion() -> None:
    """Each record starts or stops what it says, and then moves the state."""
    records = Records()
    registry = records.registry()
    for one in (
        mapping(S.CREATING),
        mapping(S.UPDATING, size=2),
        mapping(S.DISABLING, enabled=False, size=2),
        mapping(S.ENABLING, size=2),
        mapping(S.DELETING, size=2),
    ):
        registry.changed(one)
        await turns()
    assert records.log == ["start 1", "stop 1", "start 2", "stop 2", "start 2", "stop 2"]
    assert records.settled == [
        (S.CREATING, STARTED),
        (S.UPDATING, STARTED),
        (S.DISABLING, STOPPED),
        (S.ENABLING, STARTED),
        (S.DELETING, STOPPED),
    ]
    assert await registry.describe() == []
    await registry.close(1)


@on_loop
async def test_a_start_takes_up_what_was_left() -> None:
    """At start enabled ones are polled, and what was on its way arrives."""
    records = Records()
    registry = records.registry()
    registry.open(
        [
            replace(mapping(S.ENABLED, size=1), uuid="a"),
            replace(mapping(S.DISABLED, enabled=False, size=2), uuid="b"),
            replace(mapping(S.UPDATING, size=3), uuid="c"),
            replace(mapping(S.DELETING, size=4), uuid="d"),
            replace(mapping(S.DISABLING, enabled=False, size=5), uuid="e"),
        ]
    )
    await turns()
    assert sorted(records.log) == ["start 1", "start 3"]
    assert {state for state, event in records.settled if event is STOPPED} >= {S.DELETING}
    shown = {each["uuid"]: each for each in await registry.describe()}
    assert set(shown) == {"a", "b", "c", "e"}
    assert (shown["a"]["polling"], shown["a"]["lag"]) == (True, 7)
    assert (shown["b"]["polling"], "lag" in shown["b"]) == (False, False)
    await registry.close(1)
    assert sorted(records.log[2:]) == ["stop 1", "stop 3"]


@on_loop
async def test_only_the_last_word_is_carried_out() -> None:
    """What was said while a poller was stopping is skipped but for the last; mappings do not wait."""
    records = Records()
    registry = records.registry()
    registry.changed(mapping(S.CREATING))
    await turns()
    records.may_stop.clear()
    for size in (2, 3, 4):
        registry.changed(mapping(S.UPDATING, size=size))
        await turns()
    registry.changed(replace(mapping(S.CREATING, size=9), uuid="another"))
    await turns()
    assert records.log == ["start 1", "start 9"]
    records.may_stop.set()
    await turns(30)
    assert records.log[2:] == ["stop 1", "start 2", "stop 2", "start 4"]
    await registry.close(1)


@on_loop
async def test_results_are_written_when_they_change() -> None:
    """One write a second at most, of the last result; nothing for the same again; the last one at close."""
    records = Records()
    registry = records.registry()
    one = mapping(S.ENABLED)
    registry.open([one])
    await turns()
    reports = records.pollers[0].parts.reports
    for result in ("PROBLEM: x", "OK", "OK"):
        reports.processed(one, result)
    assert records.results == []
    await until(lambda: records.results == ["OK"])
    reports.processed(one, "OK")
    reports.processed(one, "PROBLEM: y")
    await registry.close(1)
    assert records.results == ["OK", "PROBLEM: y"]


@on_loop
async def test_nothing_is_carried_out_after_the_end() -> None:
    """What is said while the registry closes is left to the next start."""
    records = Records()
    registry = records.registry()
    registry.changed(mapping(S.CREATING))
    await turns()
    await registry.close(1)
    registry.changed(mapping(S.UPDATING, size=2))
    await turns()
    assert records.log == ["start 1", "stop 1"]


@on_loop
async def test_a_reset_stops_everything() -> None:
    """After clear nothing is polled or shown."""
    records = Records()
    registry = records.registry()
    registry.changed(mapping(S.CREATING))
    await turns()
    await registry.clear()
    assert records.log == ["start 1", "stop 1"]
    assert await registry.describe() == []
