"""One execution environment through its life, with a runtime that does as a script says."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from lambent.node.lifecycle import InvalidStateTransitionError
from lambent.node.outcomes import MAX_RESPONSE_BYTES
from lambent.node.sandbox.contract import ExitStatus
from lambent.testing.loop import on_loop, turns, until
from lambent.testing.node import make_invocation
from lambent.testing.runtime import Reply
from lambent.testing.sandbox import FakeRuntime, echo

Live = Callable[..., Any]
REPORT = re.compile(
    rb"REPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB"
    rb"\tMax Memory Used: 1 MB(\tInit Duration: [\d.]+ ms)?\t(Status: \S+)?(\tError Type: \S+)?\n"
)
FOREVER = 3600


async def hang(runtime: FakeRuntime) -> None:
    """A runtime that takes its event and never answers."""
    await runtime.client.next()
    await asyncio.sleep(FOREVER)


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
    """Freeze at each ``/next``, thaw with each event: never an event for a frozen runtime for long."""
    life = await live(echo).open()
    await life.ready()
    assert life.sandbox.calls == ["freeze"]
    await life.invoke()
    await life.ready(2)
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
    await until(lambda: len(life.sandbox.calls) > 1)
    assert life.sandbox.calls == ["thaw", "freeze"]
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
async def test_a_timeout_ends_the_environment(live: Live) -> None:
    """At its timeout the caller hears of it, the log says so, and the sandbox is killed."""
    life = await live(hang, timeout_s=0.03).open()
    await life.ready()
    result = await life.invoke(request_id="r")
    error_type, message = error_of(result.payload)
    assert error_type == "Sandbox.Timedout"
    assert re.fullmatch(r"\S+Z r Task timed out after 0\.03 seconds", message)
    assert result.function_error == "Unhandled"
    assert life.lines[1] == f"{message}\n\n".encode()
    assert b"Status: timeout" in life.lines[-1]
    with pytest.raises(InvalidStateTransitionError):
        life.invoke()
    await life.gone()
    assert life.sandbox.calls == ["freeze", "thaw", "kill"]
    assert "responded" not in life.told


@on_loop
async def test_a_runtime_that_never_comes_back_is_ended_too(live: Live) -> None:
    """One that answers but does not ask for its next event is stopped at the invocation's timeout."""

    async def script(runtime: FakeRuntime) -> None:
        event = await runtime.client.next()
        await runtime.client.respond(event.request_id, b"1")
        await asyncio.sleep(FOREVER)

    life = await live(script, timeout_s=0.03).open()
    await life.ready()
    assert (await life.invoke()).payload == b"1"
    lines = len(life.lines)
    await life.gone()
    assert len(life.lines) == lines, "the invocation was reported once"


@pytest.mark.parametrize(
    ("status", "is_oom", "error_type", "words"),
    [
        (ExitStatus(1), False, "Runtime.ExitError", "with error: exit status 1"),
        (ExitStatus(0), False, "Runtime.ExitError", "without providing a reason"),
        (ExitStatus(signal=11), False, "Runtime.ExitError", "with error: signal: segmentation fault"),
        (ExitStatus(signal=9), True, "Runtime.OutOfMemory", "with error: signal: killed"),
    ],
)  # fmt: skip
@on_loop
async def test_an_exit_in_the_middle_is_told(
    live: Live, status: ExitStatus, is_oom: bool, error_type: str, words: str
) -> None:
    """A runtime that ends during an event answers it with AWS's error, its last words in the log."""

    async def script(runtime: FakeRuntime) -> ExitStatus:
        await runtime.client.next()
        runtime.print(b"last words")
        return status

    life = await live(script).open()
    life.sandbox.is_oom = is_oom
    await life.ready()
    result = await life.invoke(request_id="r")
    assert result.function_error == "Unhandled"
    assert error_of(result.payload) == (error_type, f"RequestId: r Error: Runtime exited {words}")
    assert life.lines[1] == b"last words"
    assert error_type.encode() in result.log_tail
    await life.gone()


@on_loop
async def test_an_exit_while_idle_is_known_before_the_end(live: Live) -> None:
    """A runtime that hangs up while it waits is told as leaving, takes no event, and is gone."""
    stay = asyncio.Event()

    async def script(runtime: FakeRuntime) -> None:
        waiting = asyncio.ensure_future(runtime.client.next())
        await stay.wait()
        waiting.cancel()
        await runtime.client.close()
        await asyncio.sleep(FOREVER)

    life = await live(script).open()
    await life.ready()
    stay.set()
    await until(lambda: "leaving" in life.told)
    with pytest.raises(InvalidStateTransitionError):
        life.invoke()
    await life.gone()
    assert life.told == ["ready", "leaving", "gone"]


@on_loop
async def test_a_failed_initialisation_is_the_answer(live: Live) -> None:
    """What the runtime posts to init/error is what the waiting event gets; next is refused then."""
    replies: list[Reply] = []

    async def script(runtime: FakeRuntime) -> ExitStatus:
        body = b'{"errorType":"Runtime.ImportModuleError"}'
        replies.append(await runtime.client.init_error(body, "Runtime.ImportModuleError"))
        replies.append(await runtime.client.next())
        return ExitStatus(1)

    life = await live(script).open()
    await life.gone()
    result = life.environment.refuse_invocation(make_invocation(life.spec, request_id="r"))
    assert [r.status for r in replies] == [202, 403]
    assert result.payload == b'{"errorType":"Runtime.ImportModuleError"}'
    assert result.function_error == "Unhandled"
    text = b"".join(life.lines)
    for line in (b"INIT_REPORT Init Duration: ", b"START RequestId: r ", b"END RequestId: r\n"):
        assert text.count(line) == 1
    assert REPORT.fullmatch(life.lines[-1])
    assert life.told == ["gone"]


@on_loop
async def test_too_large_an_init_error_is_an_error_still(live: Live) -> None:
    """An init/error beyond the limit reaches the caller as JSON, not as nothing."""

    async def script(runtime: FakeRuntime) -> ExitStatus:
        await runtime.client.init_error(bytes(MAX_RESPONSE_BYTES + 1), "Runtime.Big")
        return ExitStatus(1)

    life = await live(script).open()
    await life.gone()
    result = life.environment.refuse_invocation(make_invocation(life.spec))
    assert error_of(result.payload)[0] == "Runtime.Big"


@pytest.mark.parametrize("status", [ExitStatus(1), ExitStatus(0), ExitStatus(signal=9)])
@on_loop
async def test_an_exit_during_init_is_the_answer(live: Live, status: ExitStatus) -> None:
    """A runtime that ends without a word answers the waiting event with its id and how it ended."""

    async def script(runtime: FakeRuntime) -> ExitStatus:
        return status

    life = await live(script).open()
    await life.gone()
    result = life.environment.refuse_invocation(make_invocation(life.spec, request_id="r"))
    words = (
        "without providing a reason"
        if status == ExitStatus()
        else f"with error: {status.describe()}"
    )
    assert error_of(result.payload) == (
        "Runtime.ExitError", f"RequestId: r Error: Runtime exited {words}",
    )  # fmt: skip


@on_loop
async def test_an_init_that_takes_too_long_is_ended(live: Live) -> None:
    """At the Init phase's deadline the sandbox is killed, and the waiting event hears of a timeout."""

    async def script(runtime: FakeRuntime) -> None:
        await asyncio.sleep(FOREVER)

    life = await live(script).open()
    life.environment._on_deadline()
    await life.gone()
    result = life.environment.refuse_invocation(make_invocation(life.spec, request_id="r"))
    assert error_of(result.payload) == (
        "Sandbox.Timedout", "RequestId: r Error: Init timed out after 10.00 seconds",
    )  # fmt: skip
    assert b"Status: timeout" in life.lines[-1]


@pytest.mark.parametrize("moment", ["before open", "init", "ready", "invoking"])
@on_loop
async def test_stop_gives_everything_back_at_any_moment(live: Live, moment: str) -> None:
    """Stopped in any state it ends once, answers its event, and keeps no descriptor, not even the edge's."""
    life = live(_sleep if moment in ("before open", "init") else hang, has_endpoint=True)
    answer = None
    if moment == "before open":
        life.environment.stop()
    await life.open()
    if moment in ("ready", "invoking"):
        await life.ready()
    if moment == "invoking":
        answer = life.invoke()
        await turns()
    life.environment.stop()
    life.environment.stop()
    await life.gone()
    if answer is not None:
        assert error_of((await answer).payload)[0] == "Runtime.ExitError"


async def _sleep(runtime: FakeRuntime) -> None:
    await asyncio.sleep(FOREVER)
