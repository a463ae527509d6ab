"""InvokeWithResponseStream: what it answers, message by message, and what it refuses."""

import asyncio
import base64
import json
from typing import Any

import pytest

from lambent.model.invocation import InvocationResult
from lambent.testing.ask import Answer
from lambent.testing.loop import on_loop, until
from lambent.wire.event_stream import decode_messages

PATH = "/2021-11-15/functions/{}/response-streaming-invocations"


async def invoke(
    place: Any, pieces: list[bytes], result: bytes = b"", error: str | None = None, **more: Any
) -> Answer:
    """One invocation whose function streams those pieces, if any, and ends with a result."""
    asking = asyncio.ensure_future(place.ask("POST", PATH.format("f"), b"{}", **more))
    await until(lambda: bool(place.node.starts))
    environment = place.node.starts[-1].make()
    await until(lambda: environment in place.placement._alive)
    environment.become_ready()
    place.invocation = environment.invocation
    if pieces:
        place.invocation.sink.begin("text/plain", "7")
    for piece in pieces:
        place.invocation.sink.write(piece)
    environment._answer.set_result(InvocationResult(result, "7", error, b"the log"))
    answer: Answer = await asking
    return answer


def messages(answer: Answer) -> list[tuple[str, bytes]]:
    """Type and payload of each."""
    found = [(m.headers[":event-type"], m.payload) for m in decode_messages(answer.body)]
    assert answer.whole
    return found


@on_loop
async def test_pieces_are_chunks_and_the_end_is_told(place: Any) -> None:
    """The head is the operation's: event stream, version, request id, trace."""
    answer = await invoke(place, [b"one", b"two"])
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert answer.headers["x-amz-executed-version"] == "7"
    assert answer.headers["x-amzn-requestid"] == place.invocation.request_id
    assert answer.headers["x-amzn-trace-id"].startswith("Root=1-")
    *chunks, last = messages(answer)
    assert {kind for kind, _ in chunks} == {"PayloadChunk"}
    assert b"".join(payload for _, payload in chunks) == b"onetwo"
    assert last == ("InvokeComplete", b"{}")


@on_loop
async def test_an_answer_in_one_piece_is_one_chunk(place: Any) -> None:
    """And none where it is empty."""
    answer = await invoke(place, [], b'{"a":1}')
    assert messages(answer) == [("PayloadChunk", b'{"a":1}'), ("InvokeComplete", b"{}")]


@on_loop
@pytest.mark.parametrize("pieces", [[], [b"one"]])
async def test_an_error_is_in_the_last_message(place: Any, pieces: list[bytes]) -> None:
    """Code and details, and the log where it is asked for; its document is no payload."""
    headers = {"x-amz-log-type": "Tail"}
    answer = await invoke(place, pieces, b'{"errorType":"E"}', "Unhandled", headers=headers)
    *chunks, (kind, body) = messages(answer)
    assert b"".join(payload for _, payload in chunks) == b"".join(pieces)
    document = json.loads(body)
    assert base64.b64decode(document.pop("LogResult")) == b"the log"
    assert (kind, document) == (
        "InvokeComplete",
        {"ErrorCode": "Unhandled", "ErrorDetails": '{"errorType":"E"}'},
    )


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"x-amz-invocation-type": "Event"}, b"{}", 400, "ValidationException"),
        ({"x-amz-log-type": "All"}, b"{}", 400, "ValidationException"),
        ({"x-amz-durable-execution-name": "t"}, b"{}", 501, "NotImplementedException"),
        ({"x-amz-tenant-id": "t"}, b"{}", 400, "InvalidParameterValueException"),
        ({"x-amz-tenant-id": "|"}, b"{}", 400, "ValidationException"),
        ({"x-amz-client-context": "?"}, b"{}", 400, "InvalidRequestContentException"),
        ({}, b"{", 400, "InvalidRequestContentException"),
        ({}, b'"' + b"x" * 6 * 1024 * 1024 + b'"', 413, "RequestEntityTooLargeException"),
    ],
)
@on_loop
async def test_what_is_wrong_is_refused_before_anything_runs(
    place: Any, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    """In AWS's words and without an event stream."""
    answer = await place.ask("POST", PATH.format("f"), body, headers=headers)
    assert (answer.status, answer.headers["x-amzn-errortype"].partition(":")[0]) == (status, code)
    assert place.node.starts == []


@on_loop
async def test_an_unknown_function_is_404(place: Any) -> None:
    """As for Invoke; the name may be an ARN, percent-encoded."""
    answer = await place.ask("POST", PATH.format("arn%3Anothing") + "?Qualifier=q", b"{}")
    assert (answer.status, place.asked[-1][2:]) == (404, ("arn:nothing", "q"))


@on_loop
async def test_a_dry_run_runs_nothing(place: Any) -> None:
    """204 with the version that would run."""
    headers = {"x-amz-invocation-type": "DryRun"}
    answer = await place.ask("POST", PATH.format("f"), b"{}", headers=headers)
    assert (answer.status, answer.headers["x-amz-executed-version"]) == (204, "7")
    assert place.node.starts == []
