"""Responses in pieces: when the caller has them, what ends them, and whom they hold back."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from lambent.http1.exchange import Exchange
from lambent.http1.protocol import HttpProtocol
from lambent.invoke.streaming import HELD_BYTES, ResponsePipe
from lambent.node import streamed_response
from lambent.node.lifecycle import State
from lambent.node.sandbox.contract import ExitStatus
from lambent.node.streamed_response import StreamedResponse, error_in_trailers, is_streaming
from lambent.testing.loop import on_loop, until
from lambent.testing.sandbox import FakeRuntime
from lambent.testing.transport import FakeTransport

Live = Callable[..., Any]
DOCUMENT = b'{"errorType":"Late","errorMessage":"on the way"}'
TRAILERS = {
    "Lambda-Runtime-Function-Error-Type": "Late",
    "Lambda-Runtime-Function-Error-Body": base64.b64encode(DOCUMENT).decode(),
}


def error_type(payload: bytes) -> str:
    return str(json.loads(payload)["errorType"])


@on_loop
async def test_a_piece_is_there_before_the_end(live: Live) -> None:
    """The environment is INVOKING until the last one; the result has no payload, the log its lines."""
    go = asyncio.Event()

    async def script(runtime: FakeRuntime) -> None:
        event = await runtime.client.next()
        await runtime.client.begin_stream(event.request_id, "text/plain")
        await runtime.client.piece(b"one")
        await go.wait()
        await runtime.client.piece(b"two")
        assert (await runtime.client.end_stream()).status == 202
        await runtime.client.next()

    life, pipe = await live(script).open(), ResponsePipe()
    await life.ready()
    answer = life.invoke(sink=pipe)
    assert await pipe.wait_begun()
    assert (pipe.content_type, pipe.executed_version) == ("text/plain", "$LATEST")
    assert await pipe.read() == b"one"
    assert (life.environment.state, answer.done()) == (State.INVOKING, False)
    assert not any(line.startswith(b"END") for line in life.lines)
    go.set()
    assert await pipe.read() == b"two"
    result = await answer
    assert (result.payload, result.function_error) == (b"", None)
    await life.ready(2)
    assert [line.split()[0] for line in life.lines[-3:]] == [b"START", b"END", b"REPORT"]
    assert life.told == ["ready", "responded", "ready"]
    await life.end()


@on_loop
async def test_an_error_after_the_body_is_the_result(live: Live) -> None:
    """Its document comes in the trailers; the environment goes on."""

    async def script(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.client.next()
            await runtime.client.begin_stream(event.request_id)
            await runtime.client.piece(b"one")
            await runtime.client.end_stream(TRAILERS)

    life = await live(script).open()
    for number, sink in ((1, ResponsePipe()), (2, None)):
        await life.ready(number)
        result = await life.invoke(sink=sink)
        assert (result.payload, result.function_error) == (DOCUMENT, "Unhandled")
    await life.end()


@on_loop
async def test_without_a_sink_the_pieces_are_the_payload(live: Live) -> None:
    """A runtime that streams answers a plain invocation, whole."""

    async def script(runtime: FakeRuntime) -> None:
        event = await runtime.client.next()
        await runtime.client.begin_stream(event.request_id)
        for piece in (b"[1,", b"2]"):
            await runtime.client.piece(piece)
        await runtime.client.end_stream()

    life = await live(script).open()
    await life.ready()
    assert (await life.invoke()).payload == b"[1,2]"
    await life.gone()


@on_loop
async def test_a_second_answer_is_refused_while_one_streams(live: Live) -> None:
    """Neither a response nor an error is taken from another connection meanwhile; nothing changes."""
    replies: list[int] = []

    async def script(runtime: FakeRuntime) -> None:
        event = await runtime.client.next()
        other = type(runtime.client)(runtime.client._address)
        await runtime.client.begin_stream(event.request_id)
        await runtime.client.piece(b"one")
        await until(lambda: pipe.begun)
        replies.append((await other.respond(event.request_id, b"2")).status)
        replies.append((await other.error(event.request_id, b"{}", "Other")).status)
        await other.begin_stream(event.request_id)
        replies.append((await other._reply()).status)
        await other.close()
        await runtime.client.end_stream()

    life, pipe = await live(script).open(), ResponsePipe()
    await life.ready()
    result = await life.invoke(sink=pipe)
    assert (replies, result.function_error) == ([403, 403, 403], None)
    await life.gone()


@on_loop
async def test_only_responses_are_streamed(live: Live) -> None:
    """A streamed body anywhere else is refused before it is read."""
    replies: list[int] = []

    async def script(runtime: FakeRuntime) -> None:
        event = await runtime.client.next()
        mode = {"Lambda-Runtime-Function-Response-Mode": "streaming"}
        path = f"/2018-06-01/runtime/invocation/{event.request_id}"
        replies.append((await runtime.client.call("POST", f"{path}/error", b"{}", mode)).status)
        path = "/2018-06-01/runtime/invocation/other/response"
        replies.append((await runtime.client.call("POST", path, b"{}", mode)).status)
        await runtime.client.respond(event.request_id, b"1")

    life = await live(script).open()
    await life.ready()
    assert (await life.invoke(sink=ResponsePipe())).payload == b"1"
    assert replies == [400, 400]
    await life.gone()


@on_loop
async def test_a_slow_caller_holds_the_runtime_back(live: Live) -> None:
    """Little is taken in that nobody reads; read, all of it is there."""
    size, sent = 8 * 1024 * 1024, [0]

    async def script(runtime: FakeRuntime) -> None:
        event = await runtime.client.next()
        await runtime.client.begin_stream(event.request_id)
        while sent[0] < size:
            await runtime.client.piece(bytes(65536))
            sent[0] += 65536
        await runtime.client.end_stream()

    life, pipe = await live(script).open(), ResponsePipe()
    await life.ready()
    answer = life.invoke(sink=pipe)
    await until(lambda: pipe.on_writable is not None)
    assert pipe._held_bytes < HELD_BYTES + 1024 * 1024
    read = 0
    while read < size:
        read += len(await pipe.read())
    assert (await answer).function_error is None
    assert read == size
    await life.gone()


async def begin_and(runtime: FakeRuntime, then: str) -> ExitStatus | None:
    event = await runtime.client.next()
    await runtime.client.begin_stream(event.request_id)
    await runtime.client.piece(b"one")
    if then == "exit":
        return ExitStatus(code=7)
    if then == "garbage":
        assert runtime.client._writer is not None
        runtime.client._writer.write(b"no chunk\r\n")
    if then == "hang up":
        await runtime.client.close()
    await asyncio.sleep(60)
    return None


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ("exit", "Runtime.ExitError"),
        ("hang up", "Runtime.TruncatedResponse"),
        ("garbage", "Runtime.TruncatedResponse"),
        ("hang", "Sandbox.Timedout"),
    ],
)
@on_loop
async def test_a_stream_that_breaks_off_ends_the_environment(
    live: Live, then: str, expected: str
) -> None:
    """The result says why, what came before is read, and no event is given to such an environment again."""
    timeout_s = 0.4 if then == "hang" else 5
    life = await live(lambda runtime: begin_and(runtime, then), timeout_s=timeout_s).open()
    pipe = ResponsePipe()
    await life.ready()
    result = await life.invoke(sink=pipe)
    assert (error_type(result.payload), result.function_error) == (expected, "Unhandled")
    assert await pipe.read() == b"one"
    assert any(b"REPORT" in line for line in life.lines)
    await life.gone()


@on_loop
async def test_a_stream_has_a_limit() -> None:
    """The piece that is too much is not handed on, and nothing after it is heard."""
    told: list[str] = []
    pipe = ResponsePipe()

    def handle(exchange: Exchange) -> None:
        StreamedResponse(
            exchange, pipe, "1", max_bytes=5,
            on_end=lambda _: told.append("end"),
            on_oversized=lambda _: told.append("oversized"),
            on_broken=lambda: told.append("broken"),
        )  # fmt: skip

    protocol = HttpProtocol(handle, 100, set(), False, streams=lambda _: True)
    transport = FakeTransport(protocol)
    protocol.data_received(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
    for piece in (b"12345", b"6", b"7"):
        protocol.data_received(b"%x\r\n%b\r\n" % (len(piece), piece))
    protocol.data_received(b"0\r\n\r\n")
    transport.leave()
    assert (await pipe.read(), told) == (b"12345", ["oversized"])


def test_modes_are_read_without_case() -> None:
    """AWS compares them so; anything else is a response in one piece."""
    assert is_streaming({streamed_response.MODE: b"Streaming"})
    assert not is_streaming({streamed_response.MODE: b"buffered"})
    assert not is_streaming({})


@pytest.mark.parametrize(("sent", "read"), [(b"e30=", b"{}"), (b"{not base64}", b"{not base64}")])
def test_trailers_that_are_no_base64_are_taken_as_they_are(sent: bytes, read: bytes) -> None:
    """An error's document is never lost for its encoding."""
    name = b"lambda-runtime-function-error-"
    assert error_in_trailers({name + b"type": b"E", name + b"body": sent}) == ("E", read)
    assert error_in_trailers({}) is None
