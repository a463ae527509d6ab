"""Services whose operations are coroutines on the loop: how they are found, awaited and left."""

import asyncio
import json
import threading
from typing import Any

import pytest

from lambent.http1.server import HttpServer
from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault
from lambent.server import edge as edges
from lambent.testing.ask import ask
from lambent.testing.loop import on_loop
from lambent.testing.transport import FakeTransport

JSON = {
    "content-type": "application/x-amz-json-1.0",
    "x-amz-target": "AmazonSQS.GetQueueUrl",
}
BODY = b'{"QueueName": "q"}'


async def _answer(owner: Any, call: Call) -> Result:
    await asyncio.sleep(0)
    return Result({"QueueUrl": f"{threading.current_thread() is threading.main_thread()}"})


@on_loop
async def test_an_awaited_operation_runs_on_the_loop(place: Any) -> None:
    """What may wait for messages is a coroutine of the loop's thread."""
    place.awaited["GetQueueUrl"] = _answer
    answer = await place.ask("POST", "/", BODY, headers=JSON)
    assert json.loads(answer.body) == {"QueueUrl": "True"}


@on_loop
async def test_an_operation_knows_whether_a_function_asks(place: Any) -> None:
    """What comes from an environment says so, and nothing else can."""

    async def tell(_: Any, call: Call) -> Result:
        return Result({"QueueUrl": str(call.caller.inside)})

    place.awaited["GetQueueUrl"] = tell
    for handle, inside in ((place.edge.handle, "False"), (place.edge.handle_inside, "True")):
        answer = await ask(handle, "POST", "/", BODY, headers=JSON)
        assert json.loads(answer.body) == {"QueueUrl": inside}


@on_loop
async def test_errors_of_awaited_operations_are_said_in_the_callers_protocol(place: Any) -> None:
    """A refusal keeps its code; a bug is a 500 with a request id and nothing else."""

    async def refuse(_: Any, call: Call) -> Result:
        raise ClientFault("OverLimit", "too many")

    async def fail(_: Any, call: Call) -> Result:
        raise KeyError("a bug")

    place.awaited["GetQueueUrl"] = refuse
    answer = await place.ask("POST", "/", BODY, headers=JSON)
    assert answer.status == 400
    assert b"OverLimit" in answer.body
    place.awaited["GetQueueUrl"] = fail
    place._edge = None
    answer = await place.ask("POST", "/", BODY, headers=JSON)
    assert answer.status == 500
    assert b"a bug" not in answer.body


@on_loop
async def test_what_an_awaited_service_lacks_is_refused_by_name(place: Any) -> None:
    """An operation of the model that is not registered is 501 and named."""
    answer = await place.ask("POST", "/", BODY, headers=JSON)
    assert answer.status == 501
    assert b"sqs:GetQueueUrl" in answer.body


@on_loop
async def test_too_long_a_body_is_not_decoded_on_the_loop(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond what any batch may hold a request is refused unread."""
    monkeypatch.setattr(edges, "MAX_AWAITED_BYTES", 10)
    place.awaited["GetQueueUrl"] = _answer
    answer = await place.ask("POST", "/", BODY, headers=JSON)
    assert answer.status == 413


@on_loop
async def test_a_client_that_leaves_ends_its_wait(place: Any) -> None:
    """A long poll does not outlive its connection."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(_: Any, call: Call) -> Result:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()
        return Result()

    place.awaited["GetQueueUrl"] = wait
    server = HttpServer(place.edge.handle, 1 << 20)
    protocol = server.make_protocol()
    transport = FakeTransport(protocol)
    lines = "".join(f"{name}: {value}\r\n" for name, value in JSON.items())
    head = f"POST / HTTP/1.1\r\nhost: h\r\n{lines}content-length: {len(BODY)}\r\n\r\n"
    protocol.data_received(head.encode() + BODY)
    await asyncio.wait_for(begun.wait(), 5)
    transport.leave()
    await asyncio.wait_for(ended.wait(), 5)
