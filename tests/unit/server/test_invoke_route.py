"""Invoke's hot path: what it reads of a request, and what it answers."""

import asyncio
import base64
import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambent.http1.exchange import Exchange
from lambent.model.errors import ClientFault
from lambent.server import invoke_route
from lambent.testing.ask import Answer
from lambent.testing.loop import on_loop, until

PATH = "/2015-03-31/functions/{}/invocations"


async def invoke(place: Any, *, error: str | None = None, name: str = "f", **more: Any) -> Answer:
    """One invocation the fake node answers with its own payload."""
    target = PATH.format(name)
    asking = asyncio.ensure_future(place.ask("POST", target, more.pop("body", b"{}"), **more))
    await until(lambda: bool(place.node.starts))
    environment = place.node.starts[-1].make()
    await until(lambda: environment in place.edge._invoke_route._frontend._placement._alive)
    environment.become_ready()
    place.invocation = environment.invocation
    environment.respond(error)
    answer: Answer = await asking
    return answer


@on_loop
async def test_a_result_is_the_body_and_says_what_ran(place: Any) -> None:
    """The payload comes back untouched, with the version, the trace and a request id."""
    answer = await invoke(place, body=b'{"a": 1}')
    assert (answer.status, answer.body) == (200, b'{"a": 1}')
    assert answer.headers["x-amz-executed-version"] == "7"
    assert answer.headers["x-amzn-requestid"] == place.invocation.request_id
    assert re.fullmatch(
        r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0",
        answer.headers["x-amzn-trace-id"],
    )
    assert place.invocation.trace_id.startswith(answer.headers["x-amzn-trace-id"] + ";Lineage=1:")
    assert "x-amz-function-error" not in answer.headers
    assert "x-amz-log-result" not in answer.headers


@on_loop
async def test_a_slash_at_the_end_is_forgiven(place: Any) -> None:
    """The path means the same with it, as it does for every other operation."""
    answer = await place.ask("POST", PATH.format("nothing") + "/", b"{}")
    assert (answer.status, place.asked[-1][2]) == (404, "nothing")


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("X-Amz-Durable-Execution-Name", "DurableExecutionName"),
    ],
)
@on_loop
async def test_settings_it_does_not_obey_are_refused(place: Any, header: str, named: str) -> None:
    """A setting of Invoke that is not there yet is 501 by name, and nothing runs."""
    answer = await place.ask("POST", PATH.format("f"), b"{}", headers={header: "x"})
    assert answer.headers["x-amzn-errortype"].startswith("NotImplementedException")
    assert (answer.status, named.encode() in answer.body) == (501, True)
    assert place.node.starts == []


@on_loop
async def test_what_is_asked_for_is_added(place: Any) -> None:
    """A function's error is a header, the log tail comes when asked for, a given trace goes on."""
    trace = "Root=1-a-b;Parent=c;Sampled=0"
    headers = {"x-amz-log-type": "Tail", "x-amzn-trace-id": trace}
    answer = await invoke(place, error="Unhandled", headers=headers)
    assert answer.status == 200
    assert answer.headers["x-amz-function-error"] == "Unhandled"
    assert base64.b64decode(answer.headers["x-amz-log-result"]) == b""
    assert answer.headers["x-amzn-trace-id"] == trace


@pytest.mark.parametrize(
    "name",
    ["f", "f?Qualifier=prod", "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af"],
)
@on_loop
async def test_names_are_decoded(place: Any, name: str) -> None:
    """A percent-encoded ARN reaches the directory as text, a qualifier beside it."""
    name, _, query = name.partition("?")
    path = PATH.format(name) + (f"?{query}" if query else "")
    answer = await place.ask("POST", path, headers={"x-amz-invocation-type": "DryRun"})
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["x-amz-executed-version"] == "7"
    _, _, text, qualifier = place.asked[0]
    assert text.endswith("f")
    assert "%" not in text
    assert qualifier == ("prod" if query else None)
    assert not place.node.starts


@pytest.mark.parametrize(
    ("name", "headers", "body", "status", "code"),
    [
        ("missing", {}, b"{}", 404, "ResourceNotFoundException"),
        ("f", {}, b"{", 400, "InvalidRequestContentException"),
        ("f", {"x-amz-client-context": "!"}, b"", 400, "InvalidRequestContentException"),
        ("f", {"x-amz-invocation-type": "Never"}, b"", 400, "ValidationException"),
        ("f", {"x-amz-log-type": "Head"}, b"", 400, "ValidationException"),
        ("no", {"x-amz-invocation-type": "Event"}, b"{}", 404, "ResourceNotFoundException"),
        ("not%20a%20name", {}, b"{}", 400, "ValidationException"),
    ],
)
@on_loop
async def test_a_refusal_is_awss_and_starts_nothing(
    place: Any, name: str, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    """Unknown functions, bad payloads and bad headers are refused with AWS's code before anything runs."""
    answer = await place.ask("POST", PATH.format(name), body, headers)
    assert answer.status == status
    assert answer.headers["x-amzn-errortype"].partition(":")[0] == code
    assert answer.headers["x-amzn-requestid"]
    assert not place.node.starts


@on_loop
async def test_an_event_is_accepted_and_answered_without_a_body(place: Any) -> None:
    """202, the request id and a trace; what is kept is what the caller said, and nothing runs here."""
    headers = {"x-amz-invocation-type": "Event", "x-amzn-trace-id": "Root=1-a-b"}
    answer = await place.ask("POST", PATH.format("f") + "?Qualifier=live", b"[1]", headers)
    assert (answer.status, answer.body) == (202, b"")
    ((event, more),) = place.accepted
    assert event == ("000000000000", "us-east-1", "f", "live", b"[1]")
    assert more["request_id"] == answer.headers["x-amzn-requestid"]
    assert (more["trace"], more["max_bytes"]) == ("Root=1-a-b", 1024 * 1024)
    assert not place.node.starts


@on_loop
async def test_invoke_async_is_an_event_of_at_most_256_kilobytes(place: Any) -> None:
    """The deprecated operation goes the same way; its refusals are its own."""
    answer = await place.ask("POST", "/2014-11-13/functions/f/invoke-async/", b"{}")
    assert (answer.status, answer.body) == (202, b"")
    ((event, more),) = place.accepted
    assert event == ("000000000000", "us-east-1", "f", None, b"{}")
    assert more["max_bytes"] == 256 * 1024
    assert more["trace"].startswith("Root=1-")
    missing = await place.ask("POST", "/2014-11-13/functions/no/invoke-async", b"{}")
    assert missing.status == 404
    assert missing.headers["x-amzn-errortype"].partition(":")[0] == "ResourceNotFoundException"


@on_loop
async def test_the_client_context_reaches_the_function(place: Any) -> None:
    """Base64 of a JSON object arrives as its JSON, on one line."""
    context = base64.b64encode(b'{\n "client": {"t": "\xc3\xa9"}}').decode()
    await invoke(place, headers={"x-amz-client-context": context})
    text = place.invocation.client_context
    assert json.loads(text) == {"client": {"t": "é"}}
    assert "\n" not in text


json_objects = st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=5)


@given(json_objects.map(lambda o: base64.b64encode(json.dumps(o).encode())) | st.binary(max_size=50)
       | st.binary(max_size=50).map(base64.b64encode))  # fmt: skip
@example(base64.b64encode(b"[" * 2600))
@example(base64.b64encode(b"{}" * 2600))
@example(b"e30=\n")
def test_a_client_context_is_an_object_or_a_fault(encoded: bytes) -> None:
    """Any header is either a JSON object on one line, fit for a header, or a ClientFault."""
    with suppress(ClientFault):
        text = invoke_route.client_context_of(encoded)
        assert isinstance(json.loads(text or ""), dict)
        assert text is not None
        assert text.isascii()
        assert text.isprintable()


@given(st.binary(max_size=60))
def test_any_query_is_read(query: bytes) -> None:
    """A query string of whatever bytes gives a qualifier or none, never an error."""
    qualifier = invoke_route.qualifier_of(query)
    assert qualifier is None or isinstance(qualifier, str)


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("POST", PATH.format("f"), True),
        ("POST", PATH.format("f") + "?Qualifier=1", True),
        ("GET", PATH.format("f"), False),
        ("POST", "/2015-03-31/functions/f/invocations/x", False),
        ("POST", "/2015-03-31/functions/f?a=/invocations", False),
        ("POST", "/2014-11-13/functions/f/invocations", False),
        ("POST", "/2014-11-13/functions/f/invoke-async", True),
        ("POST", "/2014-11-13/functions/f/invoke-async/", True),
        ("POST", "/2015-03-31/functions/f/invoke-async", False),
        ("POST", "/2015-03-31/functions", False),
    ],
)
def test_only_invocations_take_the_hot_path(method: str, target: str, expected: bool) -> None:
    """Method, prefix and suffix decide, the query does not."""
    exchange = Exchange(None, method.encode(), target.encode(), {})  # type: ignore[arg-type]
    assert invoke_route.is_invocation(exchange) is expected
