"""How an environment ends: timeouts, exits, failed initialisation, and stopping at any moment."""

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
from lambent.testing.sandbox import FakeRuntime

Live = Callable[..., Any]
FOREVER = 3600


async def hang(runtime: FakeRuntime) -> None:
    """A runtime that takes its event and never answers."""
    await runtime.client.next()
    await asyncio.sleep(FOREVER)


def error_of(payload: bytes) -> tuple[str, str]:
    document = json.loads(payload)
    return document["errorType"], document["errorMessage"]


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
    assert life.sandbox.calls[-1] == "kill"
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
    assert life.lines[-1].startswith(b"REPORT RequestId: r\t")
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
async def test_a_program_that_could_not_be_started_is_the_answer(live: Live) -> None:
    """Why is in the event's error and in the log, as AWS words it."""
    reason = "fork/exec /var/task/bootstrap: exec format error"

    async def script(runtime: FakeRuntime) -> ExitStatus:
        return ExitStatus(1, not_started=reason)

    life = await live(script, phase="invoke").open()
    await life.gone()
    result = life.environment.refuse_invocation(make_invocation(life.spec, request_id="r"))
    words = f"RequestId: r Error: {reason}"
    assert error_of(result.payload) == ("Runtime.InvalidEntrypoint", words)
    assert re.fullmatch(
        rb"INIT_REPORT Init Duration: [0-9.]+ ms\tPhase: invoke\tStatus: error"
        rb"\tError Type: Runtime.InvalidEntrypoint\n"
        rb"START RequestId: r Version: \$LATEST\n" + re.escape(words.encode())
        + rb"\nRuntime.InvalidEntrypoint\nEND RequestId: r\nREPORT RequestId: r\t.+\n",
        b"".join(life.lines),
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


@on_loop
async def test_a_runtime_that_stays_after_its_init_error_is_ended(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that told its error and lives on is killed long before the Init phase is over."""
    monkeypatch.setattr("lambent.node.environment.LAST_WORDS_S", 0.01)

    async def script(runtime: FakeRuntime) -> None:
        await runtime.client.init_error(b"{}", "Runtime.Odd")
        await asyncio.sleep(FOREVER)

    life = await live(script).open()
    await life.gone()
    assert b"Phase: init\tStatus: error\tError Type: Runtime.Odd\n" in life.lines[-1]


@on_loop
async def test_a_second_initialisation_is_part_of_the_invocation(live: Live) -> None:
    """Its time is Duration and no Init Duration, and what was written before stands in the tail; once."""
    begin = asyncio.Event()

    async def script(runtime: FakeRuntime) -> None:
        await begin.wait()
        runtime.print(b"from init\n")
        for _ in range(2):
            event = await runtime.client.next()
            await runtime.client.respond(event.request_id, b"1")
        await runtime.client.next()

    life = await live(script, phase="invoke", timeout_s=5).open()
    await asyncio.sleep(0.05)
    begin.set()
    await life.ready()
    assert life.sandbox.cpu_limits == 1, "no burst for a second one"
    first = await life.invoke(request_id="r")
    assert first.log_tail.startswith(b"from init\nSTART RequestId: r ")
    duration = re.search(rb"\tDuration: ([0-9.]+) ms", life.lines[-1])
    assert duration
    assert float(duration[1]) >= 49
    assert b"Init Duration" not in b"".join(life.lines)
    await life.ready(2)
    second = await life.invoke(request_id="s")
    assert second.log_tail.startswith(b"START RequestId: s ")
    assert float(re.findall(rb"\tDuration: ([0-9.]+) ms", life.lines[-1])[0]) < 49
    await life.end()


@on_loop
async def test_a_second_initialisation_has_the_timeout_of_the_function(live: Live) -> None:
    """Over it the event hears of a timeout, in AWS's order: INIT_REPORT, START, the timeout, END, REPORT."""

    async def script(runtime: FakeRuntime) -> None:
        await asyncio.sleep(FOREVER)

    life = await live(script, phase="invoke", timeout_s=0.03).open()
    await life.gone()
    result = life.environment.refuse_invocation(make_invocation(life.spec, request_id="r"))
    error_type, message = error_of(result.payload)
    assert error_type == "Sandbox.Timedout"
    assert message.endswith("Z r Task timed out after 0.03 seconds")
    assert re.fullmatch(
        rb"INIT_REPORT Init Duration: [0-9.]+ ms\tPhase: invoke\tStatus: timeout\n"
        rb"START RequestId: r Version: \$LATEST\n\S+Z r Task timed out after 0.03 seconds\n\n"
        rb"END RequestId: r\nREPORT RequestId: r\tDuration: .+\tStatus: timeout\n",
        b"".join(life.lines),
    )


@on_loop
async def test_what_both_initialisations_left_of_the_timeout_is_the_events(live: Live) -> None:
    """The deadline told to the function, and kept, is that of the invocation, which began before it."""
    deadlines: list[int] = []

    async def script(runtime: FakeRuntime) -> None:
        event = await runtime.client.next()
        deadlines.append(int(event.headers["lambda-runtime-deadline-ms"]))
        await asyncio.sleep(FOREVER)

    life = live(script, phase="invoke", timeout_s=0.3)
    life.environment._born_s -= 0.2
    await life.open()
    await life.ready()
    before_ms = time.time() * 1000
    result = await life.invoke(request_id="r")
    assert error_of(result.payload)[0] == "Sandbox.Timedout"
    assert deadlines[0] <= before_ms + 101
    await life.gone()


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
