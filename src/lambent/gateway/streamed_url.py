"""Function URLs with ``InvokeMode`` RESPONSE_STREAM: the body goes out while the function still writes it.

A runtime that names the type ``application/vnd.awslambda.http-integration-response`` sends status, headers and
cookies first, as JSON, and eight zero bytes between them and the body. What a function answers in one piece is
the body as it is. Source: "Building a custom runtime", "Response streaming" (AWS Lambda), and its Node.js runtime.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from lambent.gateway import payloads
from lambent.http1.exchange import Exchange
from lambent.http1.flow import Outflow
from lambent.invoke.streaming import ResponsePipe
from lambent.model.http import HttpResponse
from lambent.model.invocation import InvocationResult

INTEGRATION_TYPE = "application/vnd.awslambda.http-integration-response"
MAX_PRELUDE_BYTES = 64 * 1024
"""POLICY: status, headers and cookies; no more than a request may have."""
_SEPARATOR = bytes(8)


class FunctionFailedError(Exception):
    """It failed before it answered anything: the caller gets 502."""


@dataclass(frozen=True, slots=True)
class StreamedAnswer:
    """Status, headers and the first of the body; the rest comes through ``pipe`` until ``running`` is over."""

    response: HttpResponse
    pipe: ResponsePipe
    running: "asyncio.Task[InvocationResult]"


async def open_answer(
    pipe: ResponsePipe, running: "asyncio.Task[InvocationResult]"
) -> HttpResponse | StreamedAnswer:
    """The answer, as soon as its head is known. Raises what the invocation raises, FunctionFailedError,

    and MalformedResponseError for a prelude that is none.
    """
    if not await pipe.wait_begun():
        result = await running
        if result.function_error is not None:
            raise FunctionFailedError
        return HttpResponse(200, [("content-type", "application/json")], result.payload)
    if pipe.content_type.partition(";")[0].strip().lower() != INTEGRATION_TYPE:
        plain = HttpResponse(200, [("content-type", pipe.content_type)], b"")
        return StreamedAnswer(plain, pipe, running)
    try:
        return StreamedAnswer(await _read_prelude(pipe), pipe, running)
    except payloads.MalformedResponseError:
        pipe.discard()
        raise


async def _read_prelude(pipe: ResponsePipe) -> HttpResponse:
    held = b""
    while (end := held.find(_SEPARATOR)) < 0:
        piece = await pipe.read()
        if not piece or len(held) > MAX_PRELUDE_BYTES:
            raise payloads.MalformedResponseError("there is no end of the prelude")
        held += piece
    head = payloads.decode_prelude(held[:end])
    return HttpResponse(head.status, head.headers, held[end + len(_SEPARATOR) :])


async def send_answer(
    exchange: Exchange, answer: StreamedAnswer, own_headers: Sequence[tuple[str, str]]
) -> None:
    """Sends it to its end. A function that fails on the way is a connection that is cut."""
    outflow = Outflow(exchange, answer.pipe.discard)
    response = answer.response
    headers = [*response.headers, *own_headers]
    if exchange.method == b"HEAD" or response.status in payloads.WITHOUT_BODY:
        answer.pipe.discard()
        exchange.respond(response.status, headers)
    else:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        outflow.begin(response.status, lines.encode("latin-1", "replace"))
        await outflow.write(response.body)
    while piece := await answer.pipe.read():
        await outflow.write(piece)
    result = await answer.running
    if result.function_error is None:
        exchange.end()
    else:
        exchange.cut()
