"""One execution environment through its life, with a runtime that does as a script says."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from lambent.node.freezer import Freezer
from lambent.node.lifecycle import InvalidStateTransitionError
from lambent.node.outcomes import MAX_RESPONSE_BYTES
from lambent.testing.loop import on_loop, until
from lambent.testing.runtime import Reply
from lambent.testing.sandbox import FakeRuntime, echo

Live = Callable[..., Any]
REPORT = re.compile(
    rb"REPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB"
    rb"\tMax Memory Used: 1 MB(\tInit Duration: [\d.]+ ms)?\t(Status: \S+)?(\tError Type: \S+)?\n"
)


def error_of(payload: bytes) -> tuple[str, str]:
    document = json.loads(payload)
    return document["errorType"], document["errorMessage"]


@on_loop
async def test_events_are_served_one_after_the_other(live: Live) -> None:
    """Each event is answered with its own result, and only READY takes one."""
    life = await live(echo).open()
    with pytest.raises(InvalidStateTransitionError):
        life.invoke()
    for number in (1, 2, 3):
        await life.ready(number)
        answer = life.invoke(b"%d" % number)
        with pytest.raises(InvalidStateTransitionError):
            life.invoke()
        result = await answer
        assert (result.payload, result.function_error) == (b"%d" % number, None)
        assert result.executed_version == "$LATEST"
    await life.ready(4)
    assert life.told == ["ready", *["responded", "ready"] * 3]
    await life.end()


@on_loop
async def test_it_is_frozen_whenever_it_waits(live: Live) -> None:
    """Freeze after each ``/next``, thaw with each event: never an event for a frozen runtime for long."""
    life = await live(echo).open()
    await life.frozen()
    assert life.sandbox.calls == ["freeze"]
    await life.invoke()
    await life.frozen()
    assert life.told == ["ready", "responded", "ready"]
    assert life.sandbox.calls == ["freeze", "thaw", "freeze"]
    assert life.sandbox.is_frozen
    await life.end()
    assert life.sandbox.calls[3:] == ["kill"]


@on_loop
async def test_an_event_taken_at_once_is_never_frozen(live: Live) -> None:
    """When the pool has an event the moment the runtime asks, the sandbox runs on."""
    life = live(echo)
    answers: list[Any] = []

    def on_ready(_: object) -> None:
        if not answers:
            answers.append(life.invoke())

    life.on_ready = on_ready
    await life.open()
    await until(lambda: bool(answers) and answers[0].done())
    await life.frozen()
    assert life.sandbox.calls == ["freeze"]
    await life.end()


@on_loop
async def test_an_event_that_comes_within_a_moment_finds_it_running(live: Live) -> None:
    """Between two events without a pause there is neither freezing nor thawing; after the last there is."""
    life = await live(echo, freezer=Freezer(0.5)).open()
    for times in range(1, 4):
        await life.ready(times)
        await life.invoke()
    assert life.sandbox.calls == []
    await life.frozen()
    assert life.sandbox.calls == ["freeze"]
    await life.end()


@pytest.mark.parametrize("moment_s", [0.001, 10.0])
@on_loop
async def test_what_is_written_between_two_events_comes_before_the_second(
    live: Live, moment_s: float
) -> None:
    """Lines written after an answer stand before the next START, frozen meanwhile or not, and not in its tail."""

    async def script(runtime: FakeRuntime) -> None:
        for _ in range(2):
            event = await runtime.client.next()
            await runtime.client.respond(event.request_id, b"1")
            runtime.print(b"late\n")
        await runtime.client.next()

    life = await live(script, freezer=Freezer(moment_s)).open()
    await life.ready()
    await life.invoke(request_id="a")
    await life.ready(2)
    await until(lambda: life.sandbox.is_frozen or moment_s > 1)
    result = await life.invoke(request_id="b")
    words = [line.split()[0] for line in life.lines]
    assert words == [b"START", b"END", b"REPORT", b"late", b"START", b"END", b"REPORT"]
    assert b"late" not in result.log_tail
    await life.end()


@on_loop
async def test_the_event_comes_with_its_headers(live: Live) -> None:
    """Id, deadline, ARN, trace, client context and identity reach the runtime under AWS's names."""
    seen: list[Reply] = []

    async def script(runtime: FakeRuntime) -> None:
        seen.append(await runtime.client.next())
        await runtime.client.respond(seen[0].request_id, b"1")

    life = await live(script, timeout_s=7).open()
    await life.ready()
    before_ms = time.time() * 1000
    await life.invoke(
        b"[1]", request_id="r-1", client_context='{"a":"b"}', trace_id="Root=1", cognito_identity="{}"
    )  # fmt: skip
    headers = dict(seen[0].headers)
    deadline_ms = int(headers.pop("lambda-runtime-deadline-ms"))
    assert before_ms + 6999 <= deadline_ms <= time.time() * 1000 + 7000
    assert headers == {
        "content-type": "application/json",
        "content-length": "3",
        "lambda-runtime-aws-request-id": "r-1",
        "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "lambda-runtime-trace-id": "Root=1",
        "lambda-runtime-client-context": '{"a":"b"}',
        "lambda-runtime-cognito-identity": "{}",
    }
    assert seen[0].body == b"[1]"
    await life.gone()


@on_loop
async def test_the_log_of_an_invocation_is_whole_and_in_order(live: Live) -> None:
    """What the function wrote before its answer stands between START and END; Init Duration comes once."""

    async def script(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.client.next()
            runtime.print(b"printed\n")
            runtime.log(b"logged\n")
            await runtime.client.respond(event.request_id, b"1")

    life = await live(script).open()
    for number in (1, 2):
        await life.ready(number)
        life.lines.clear()
        result = await life.invoke(request_id="r")
        start, *written, end, report = life.lines
        assert start == b"START RequestId: r Version: $LATEST\n"
        assert sorted(written) == [b"logged\n", b"printed\n"]
        assert end == b"END RequestId: r\n"
        found = REPORT.fullmatch(report)
        assert found, report
        assert bool(found[1]) == (number == 1)
        assert found[2] is None
        assert result.log_tail == b"".join(life.lines)
    await life.end()


@on_loop
async def test_the_tail_is_the_last_four_kilobytes(live: Live) -> None:
    """Of a long log the caller gets the end, REPORT included."""

    async def script(runtime: FakeRuntime) -> None:
        event = await runtime.client.next()
        for number in range(1500):
            runtime.print(b"line %d\n" % number)
        await runtime.client.respond(event.request_id, b"1")
        await runtime.client.next()

    life = await live(script).open()
    await life.ready()
    result = await life.invoke()
    assert len(result.log_tail) == 4096
    assert result.log_tail == b"".join(life.lines)[-4096:]
    assert REPORT.fullmatch(result.log_tail.splitlines(keepends=True)[-1])
    await life.end()


@on_loop
async def test_an_error_of_the_function_is_its_answer(live: Live) -> None:
    """What the runtime posts as error reaches the caller as Unhandled, and the environment goes on."""

    async def script(runtime: FakeRuntime) -> None:
        while True:
            event = await runtime.client.next()
            reply = await runtime.client.error(event.request_id, b'{"errorType":"E"}', "Function.E")
            assert reply.status == 202

    life = await live(script).open()
    for number in (1, 2):
        await life.ready(number)
        result = await life.invoke()
        assert (result.payload, result.function_error) == (b'{"errorType":"E"}', "Unhandled")
    await life.ready(3)
    await life.end()


@on_loop
async def test_wrong_moves_change_nothing(live: Live) -> None:
    """Every request out of order is refused with AWS's type, and the event is served all the same."""
    replies: dict[str, Reply] = {}

    async def script(runtime: FakeRuntime) -> None:
        client = runtime.client
        replies["before"] = await client.respond("nobody", b"1")
        event = await client.next()
        replies["next again"] = await client.next()
        replies["late init error"] = await client.init_error(b"{}")
        replies["wrong id"] = await client.respond("nobody", b"1")
        replies["wrong id's error"] = await client.error("nobody", b"1")
        root = "/2018-06-01/runtime/"
        replies["method"] = await client.call("POST", root + "invocation/next")
        replies["method 2"] = await client.call(
            "GET", f"{root}invocation/{event.request_id}/response"
        )
        replies["path"] = await client.call("GET", root + 'no"thing')
        replies["kind"] = await client.call("POST", f"{root}invocation/{event.request_id}/other")
        replies["right"] = await client.respond(event.request_id, b"right")
        replies["twice"] = await client.respond(event.request_id, b"wrong")
        replies["both"] = await client.error(event.request_id, b"wrong")
        await client.next()

    life = await live(script).open()
    await life.ready()
    result = await life.invoke()
    assert (result.payload, result.function_error) == (b"right", None)
    await life.ready(2)
    await life.end()
    said = {name: (r.status, json.loads(r.body).get("errorType")) for name, r in replies.items()}
    assert said == {
        "before": (400, "InvalidRequestID"),
        "next again": (403, "InvalidStateTransition"),
        "late init error": (403, "InvalidStateTransition"),
        "wrong id": (400, "InvalidRequestID"),
        "wrong id's error": (400, "InvalidRequestID"),
        "method": (405, "MethodNotAllowed"),
        "method 2": (405, "MethodNotAllowed"),
        "path": (404, "NotFound"),
        "kind": (404, "NotFound"),
        "right": (202, None),
        "twice": (410, "Gone"),
        "both": (410, "Gone"),
    }


@pytest.mark.parametrize("excess", [0, 1])
@on_loop
async def test_the_response_limit_is_exact(live: Live, excess: int) -> None:
    """6 MiB and 100 bytes pass; one more is 413 for the runtime and AWS's error for the caller."""
    replies: list[Reply] = []

    async def script(runtime: FakeRuntime) -> None:
        event = await runtime.client.next()
        result = b"x" * (MAX_RESPONSE_BYTES + excess)
        replies.append(await runtime.client.respond(event.request_id, result))
        await runtime.client.next()

    life = await live(script).open()
    await life.ready()
    result = await life.invoke()
    if excess:
        assert error_of(result.payload)[0] == "Function.ResponseSizeTooLarge"
        assert result.function_error == "Unhandled"
    else:
        assert len(result.payload) == MAX_RESPONSE_BYTES
    await life.ready(2)
    assert replies[0].status == (413 if excess else 202)
    await life.end()


@on_loop
async def test_too_large_an_error_is_an_error_still(live: Live) -> None:
    """An error beyond the limit reaches the caller as JSON with its type, not as nothing."""

    async def script(runtime: FakeRuntime) -> None:
        event = await runtime.client.next()
        await runtime.client.error(event.request_id, bytes(MAX_RESPONSE_BYTES + 1), "My.Big")
        await runtime.client.next()

    life = await live(script).open()
    await life.ready()
    result = await life.invoke()
    assert result.function_error == "Unhandled"
    assert error_of(result.payload)[0] == "My.Big"
    await life.end()


@on_loop
async def test_init_has_all_the_cpu_there_is(live: Live) -> None:
    """The share of CPU is set when the runtime first asks for an event, and never again."""
    life = await live(echo).open()
    assert life.sandbox.cpu_limits == 0
    for number in (1, 2):
        await life.ready(number)
        await until(lambda: life.sandbox.cpu_limits == 1)
        await life.invoke()
    await life.ready(3)
    assert life.sandbox.cpu_limits == 1
    await life.end()
