"""What an environment tells of a traced invocation: when it began, was answered, and was over."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from lambent.node.sandbox.contract import ExitStatus
from lambent.testing.loop import on_loop, until
from lambent.testing.sandbox import FakeRuntime, echo

Live = Callable[..., Any]
FOREVER = 3600


class Recorder:
    """An invocation trace that keeps what it is told."""

    trace_id = "1-5759e988-bd862e3fe1be46a994272793"
    segment_id = "53995c3f42cd8ad8"
    header = f"Root={trace_id};Parent={segment_id};Sampled=1"

    def __init__(self) -> None:
        self.told: list[str] = []
        self.init: tuple[float, float] | None = None

    def begun(self, init: tuple[float, float] | None) -> None:
        self.told.append("begun")
        self.init = init

    def answered(self, *, fault: bool) -> None:
        self.told.append("fault" if fault else "answered")

    def settled(self) -> None:
        self.told.append("settled")


@on_loop
async def test_each_step_is_told_once_and_in_order(live: Live) -> None:
    """The first event of an environment hears of its initialisation, the second does not."""
    life = await live(echo).open()
    await life.ready()
    for number in (1, 2):
        trace = Recorder()
        await life.invoke(trace=trace)
        await life.ready(number + 1)
        assert trace.told == ["begun", "answered", "settled"]
        assert (trace.init is not None) == (number == 1)
        if trace.init is not None:
            assert trace.init[0] <= trace.init[1]
    assert sum(b"XRAY TraceId: " in line for line in life.lines) == 2
    await life.end()


@on_loop
async def test_an_event_that_is_not_traced_says_nothing_of_it(live: Live) -> None:
    """REPORT has no second line."""
    life = await live(echo).open()
    await life.ready()
    await life.invoke()
    await life.ready(2)
    assert not any(b"XRAY" in line for line in life.lines)
    await life.end()


@pytest.mark.parametrize("how", ["exit", "stop"])
@on_loop
async def test_an_environment_that_ends_settles_its_trace(live: Live, how: str) -> None:
    """Whatever ends it in the middle of an event: the event is a fault, and the trace over."""

    async def script(runtime: FakeRuntime) -> ExitStatus:
        await runtime.client.next()
        if how == "stop":
            await asyncio.sleep(FOREVER)
        return ExitStatus(1)

    life = await live(script).open()
    await life.ready()
    trace = Recorder()
    answer = life.invoke(trace=trace)
    if how == "stop":
        life.environment.stop()
    await answer
    await until(lambda: trace.told[-1] == "settled")
    assert trace.told == ["begun", "fault", "settled"]
    await life.gone()


@on_loop
async def test_records_name_the_trace(live: Live) -> None:
    """In JSON ``platform.start`` and ``platform.report`` have the header and the segment."""
    life = await live(echo, log_format="JSON", system_log_level="INFO").open()
    await life.ready()
    await life.invoke(trace=Recorder())
    await life.ready(2)
    records = {one["type"]: one["record"] for one in map(json.loads, life.lines)}
    expected = {"spanId": Recorder.segment_id, "type": "X-Amzn-Trace-Id", "value": Recorder.header}
    assert records["platform.start"]["tracing"] == expected
    assert records["platform.report"]["tracing"] == expected
    await life.end()
