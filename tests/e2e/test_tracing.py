"""X-Ray: segments of real invocations, as BatchGetTraces gives them, over the embedded neighbour."""

import importlib.util
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("moto") is None, reason="moto is not installed"
)
ECHO = """
    import os
    def handler(event, context):
        if event == "raise":
            raise ValueError("no")
        return {"trace": os.environ.get("_X_AMZN_TRACE_ID"),
                "daemon": os.environ.get("AWS_XRAY_DAEMON_ADDRESS")}
"""
CALLER = """
    import json, os, boto3
    functions = boto3.client("lambda")
    def handler(event, context):
        answer = functions.invoke(FunctionName=event, Payload=b"1")
        return json.loads(answer["Payload"].read())
"""
ACTIVE = {"TracingConfig": {"Mode": "Active"}}


@pytest.fixture
def xray(platform: Any) -> Iterator[Any]:
    """boto3's X-Ray client."""
    made = platform.client("xray")
    yield made
    made.close()


def segments(xray: Any, poll: Callable[..., Any], trace_id: str, count: int) -> list[Any]:
    """The documents of a trace, once there are that many."""

    def ask() -> list[Any] | None:
        traces = xray.batch_get_traces(TraceIds=[trace_id])["Traces"]
        found = [json.loads(s["Document"]) for trace in traces for s in trace["Segments"]]
        return found if len(found) >= count else None

    found: list[Any] = poll(ask, 60, f"{count} segments of {trace_id}")
    return sorted(found, key=lambda one: (one["start_time"], one["origin"]))


def root_of(header: str) -> str:
    """The trace's id."""
    found = re.match("Root=([^;]+)", header)
    assert found is not None
    return found[1]


def test_an_active_function_is_traced(
    deploy: Callable[..., Any], xray: Any, poll: Callable[..., Any]
) -> None:
    """The first request: its header is sampled, its REPORT names the segment, two segments arrive."""
    function = deploy(ECHO, **ACTIVE)
    answer = function(1)
    header = answer.payload["trace"]
    assert ";Sampled=1" in header
    assert answer.payload["daemon"] is None
    trace_id = root_of(header)
    found = re.search(r"\nXRAY TraceId: (\S+)\tSegmentId: (\S+)\tSampled: true\t\n", answer.log)
    assert found is not None
    assert found[1] == trace_id
    assert f"Parent={found[2]};" in header
    assert answer.headers["x-amzn-trace-id"] == f"Root={trace_id};Parent={found[2]};Sampled=1"
    service, inner = segments(xray, poll, trace_id, 2)
    assert (service["origin"], inner["origin"]) == ("AWS::Lambda", "AWS::Lambda::Function")
    assert (inner["id"], inner["parent_id"]) == (found[2], service["id"])
    assert service["aws"]["request_id"] == answer.request_id
    parts = {part["name"]: part["end_time"] - part["start_time"] for part in inner["subsegments"]}
    assert set(parts) == {"Initialization", "Invocation", "Overhead"}
    assert all(took_s >= 0 for took_s in parts.values())


def test_a_failure_is_a_fault(
    deploy: Callable[..., Any], xray: Any, poll: Callable[..., Any]
) -> None:
    """A function that raises marks both segments."""
    answer = deploy(ECHO, **ACTIVE)("raise")
    found = segments(xray, poll, root_of(answer.headers["x-amzn-trace-id"]), 2)
    assert [one["fault"] for one in found] == [True, True]


def test_a_function_that_only_passes_on_follows_its_caller(
    deploy: Callable[..., Any], xray: Any, poll: Callable[..., Any]
) -> None:
    """By itself it is not traced; called by a traced one, its segments hang below that one's."""
    inner, outer = deploy(ECHO), deploy(CALLER, Timeout=30, MemorySize=512, **ACTIVE)
    assert ";Sampled=0" in inner(1).payload["trace"]
    answer = outer(inner.name)
    trace_id = root_of(answer.payload["trace"])
    assert trace_id == root_of(answer.headers["x-amzn-trace-id"])
    found = {(one["name"], one["origin"]): one for one in segments(xray, poll, trace_id, 4)}
    below = found[inner.name, "AWS::Lambda"]
    assert below["parent_id"] == found[outer.name, "AWS::Lambda::Function"]["id"]


def test_an_asynchronous_event_is_decided_when_it_is_accepted(
    deploy: Callable[..., Any], xray: Any, poll: Callable[..., Any]
) -> None:
    """The answer says that it is sampled, and the invocation is traced under that id."""
    function = deploy(ECHO, **ACTIVE)
    accepted = function(1, InvocationType="Event", LogType="None")
    header = accepted.headers["x-amzn-trace-id"]
    assert header.endswith(";Sampled=1")
    found = segments(xray, poll, root_of(header), 2)
    assert {one["origin"] for one in found} == {"AWS::Lambda", "AWS::Lambda::Function"}


def test_without_neighbours_it_is_refused(
    start_platform: Callable[..., Any], zip_of: Callable[..., bytes]
) -> None:
    """Active asks for an X-Ray endpoint, and says so."""
    functions = start_platform(None, "--no-neighbours").client("lambda")
    settings = {"Runtime": "python3.11", "Role": "arn:aws:iam::000000000000:role/r"}
    code = {"ZipFile": zip_of({"app.py": ""})}
    with pytest.raises(functions.exceptions.ClientError) as refused:
        functions.create_function(
            FunctionName="f", Code=code, Handler="app.handler", **settings, **ACTIVE
        )
    error = refused.value.response["Error"]
    assert error["Code"] == "NotImplementedException"
    assert "--neighbour xray=URL" in error["Message"]
