"""invoke.tracing: who is traced, what the function is told, and the two segments."""

import asyncio
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke.counting import Counting
from lambent.invoke.frontend import Frontend
from lambent.invoke.placement import Placement
from lambent.invoke.tracing import Trace, Tracing
from lambent.model.errors import ClientFault, PlatformFault
from lambent.model.invocation import InvocationResult, Target
from lambent.testing.loop import on_loop, turns, until
from lambent.testing.node import FakeNode, make_spec

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793"
PLACE = ("000000000000", "us-east-1", "f", None)


class Sink:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []

    def put(self, account_id: str, region: str, document: str) -> None:
        """Is a SegmentSink."""
        assert (account_id, region) == PLACE[:2]
        self.documents.append(json.loads(document))


class Clock:
    """Counts on by a second each time it is asked."""

    def __init__(self) -> None:
        self.now = 99.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def tracing(sink: Sink | None, draw: float = 0.9, now_s: float = 100.5) -> Tracing:
    """With a clock that stands still."""
    return Tracing(sink, lambda: now_s, lambda: draw)


def is_sampled(made: Tracing, mode: str, header: str | None) -> bool:
    """Whether an invocation with this header is traced; its header must agree."""
    given, trace = made.begin(make_spec(tracing_mode=mode), header, ARN, "r")
    assert (trace is not None) == ("Sampled=1" in (given or ""))
    return trace is not None


@pytest.mark.parametrize("mode", ["Active", "PassThrough"])
def test_a_decision_that_was_made_is_obeyed(mode: str) -> None:
    """What stands in the header counts, whatever the function's mode."""
    made = tracing(Sink(), draw=0.0)
    assert is_sampled(made, mode, f"{ROOT};Parent=53995c3f42cd8ad8;Sampled=1")
    assert not is_sampled(made, mode, f"{ROOT};Parent=53995c3f42cd8ad8;Sampled=0")


@pytest.mark.parametrize("header", [None, ROOT, f"{ROOT};Sampled=?", "Self=1-a;" + ROOT])
def test_without_a_decision_only_active_samples(header: str | None) -> None:
    """The first of a second is traced with Active, the second one is not; with PassThrough none."""
    made = tracing(Sink())
    assert is_sampled(made, "Active", header)
    assert not is_sampled(made, "Active", header)
    assert not is_sampled(made, "PassThrough", header)


def test_where_nobody_takes_segments_nothing_is_sampled() -> None:
    """Headers go on as they came; an undecided one says that it is not sampled."""
    made, spec = tracing(None), make_spec(tracing_mode="Active")
    sampled = f"{ROOT};Parent=53995c3f42cd8ad8;Sampled=1"
    assert made.begin(spec, sampled, ARN, "r") == (sampled, None)
    given, trace = made.begin(spec, ROOT, ARN, "r")
    assert re.fullmatch(re.escape(ROOT) + ";Parent=[0-9a-f]{16};Sampled=0", given or "")
    assert trace is None


def test_what_a_decided_header_says_is_decided_once() -> None:
    """Attempts of one event, told in advance, are all traced or none, under one trace."""
    made, spec = tracing(Sink()), make_spec(tracing_mode="Active")
    first, second = made.decide(spec, ROOT), made.decide(spec, ROOT)
    assert first == f"{ROOT};Sampled=1"
    assert second.endswith(";Sampled=0")
    for _ in range(3):
        given, trace = made.begin(spec, first, ARN, "r")
        assert trace is not None
        assert (given or "").startswith(ROOT + ";Parent=")


@given(st.text("RootParentSampledSelfLineage=;:-0123456789abcdef? ", max_size=80))
def test_any_header_makes_a_valid_one(text: str) -> None:
    """Whatever a caller sends with Sampled=1, the trace has a valid id and one parent, and the rest stays."""
    header, trace = tracing(Sink()).begin(make_spec(), f"{text};Sampled=1", ARN, "r")
    if trace is not None:
        assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", trace.trace_id)
        assert (header or "").startswith(trace.header)
        assert (header or "").count("Parent=") <= 1 + text.count("Parent=")


def test_both_segments_are_told_with_their_times() -> None:
    """The service's under the caller's parent, the function's under it, with init, invocation and overhead."""
    sink, clock = Sink(), Clock()
    trace = Trace(sink, make_spec(), ARN, "r1", "1-a-b", "53995c3f42cd8ad8", clock)  # at 100
    trace.begun((90.0, 95.0))  # at 101
    trace.answered(fault=False)
    trace.ended(200, fault=False)  # at 103
    trace.settled()  # at 104
    service, function = sink.documents
    assert {k: service[k] for k in ("name", "trace_id", "parent_id", "origin", "resource_arn")} == {
        "name": "f",
        "trace_id": "1-a-b",
        "parent_id": "53995c3f42cd8ad8",
        "origin": "AWS::Lambda",
        "resource_arn": ARN,
    }
    assert (service["start_time"], service["end_time"]) == (100, 103)
    assert (service["http"]["response"]["status"], service["aws"]["request_id"]) == (200, "r1")
    assert (function["id"], function["parent_id"]) == (trace.segment_id, service["id"])
    assert (function["origin"], function["trace_id"]) == ("AWS::Lambda::Function", "1-a-b")
    assert (function["start_time"], function["end_time"]) == (101, 104)
    assert {s["name"]: (s["start_time"], s["end_time"]) for s in function["subsegments"]} == {
        "Initialization": (90, 95),
        "Invocation": (101, 102),
        "Overhead": (102, 104),
    }
    assert "fault" not in service
    assert "fault" not in function


@pytest.mark.parametrize(
    ("outcome", "status", "marks"),
    [
        (InvocationResult(b"{}", "1", "Unhandled"), 200, {"fault"}),
        (ClientFault("X", "x", 400), 400, {"error"}),
        (PlatformFault("x"), 500, {"fault"}),
        (ValueError("a bug"), 500, {"fault"}),
    ],
)
@on_loop
async def test_failures_are_marked(
    outcome: InvocationResult | Exception, status: int, marks: set[str]
) -> None:
    """A function that fails is a fault of both segments, also where no environment ever began."""
    sink = Sink()
    trace = Trace(sink, make_spec(), ARN, "r1", "1-a-b", None, Clock())
    answer: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
    trace.concluded(answer)
    service = sink.documents[-1]
    assert service["http"]["response"]["status"] == status
    assert {"fault", "error", "throttle"} & set(service) == marks
    function = [one for one in sink.documents if one["origin"] == "AWS::Lambda::Function"]
    assert [one["fault"] for one in function] == [True] * isinstance(outcome, InvocationResult)


class One:
    """A directory of one function with active tracing."""

    def resolve(self, account_id: str, region: str, name: str, qualifier: str | None) -> Target:
        """The target."""
        return Target(ARN, make_spec(tracing_mode="Active"))


@on_loop
async def test_a_traced_function_hangs_below_its_segment_and_a_throttle_is_told() -> None:
    """The function's header names its own segment before the lineage; beyond the limit a 429 is a throttle."""
    sink, node = Sink(), FakeNode()
    frontend = Frontend(
        One(), Counting(1), Placement(node, 10, 300), tracing=tracing(sink, draw=0.0)
    )
    running = frontend.start(*PLACE, b"1", trace_id=ROOT)
    await until(lambda: bool(node.starts))
    environment = node.starts[-1].make()
    await turns()
    environment.become_ready()
    invocation = environment.invocation
    assert invocation is not None
    assert invocation.trace is not None
    assert running.trace_id == invocation.trace.header
    assert (invocation.trace_id or "").startswith(f"{running.trace_id};Lineage=")
    assert f"Parent={invocation.trace.segment_id}" in (running.trace_id or "")
    with pytest.raises(ClientFault):
        frontend.start(*PLACE, b"1", trace_id=ROOT)
    (throttled,) = sink.documents
    assert (throttled["throttle"], throttled["http"]["response"]["status"]) == (True, 429)
    environment.respond()
    await running.answer
    running.end()
    assert [one["origin"] for one in sink.documents] == ["AWS::Lambda"] * 2
