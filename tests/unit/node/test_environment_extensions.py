"""Environments with extensions, on a fake sandbox: when they are ready, what is told, how they end."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambent.node.extensions_api import shutdown
from lambent.node.lifecycle import State
from lambent.node.sandbox.contract import ExitStatus
from lambent.testing.loop import on_loop, turns, until
from lambent.testing.runtime import Reply, RuntimeClient
from lambent.testing.sandbox import FakeRuntime, FakeSandbox, echo

Live = Callable[..., Any]
_ROOT = "/2020-01-01/extension"


class Extension:
    """An extension written by hand."""

    def __init__(self, sandbox: FakeSandbox, name: str = "e") -> None:
        self._client = RuntimeClient(sandbox.runtime_api.getsockname())
        self.name = name
        self.identifier = ""

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Any request of an identified extension."""
        data = b"" if body is None else json.dumps(body).encode()
        known = {"Lambda-Extension-Identifier": self.identifier} if self.identifier else {}
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.call(method, path, data, known | more)

    async def register(self, *events: str) -> Reply:
        """Registers, and remembers the identifier."""
        reply = await self.call(
            "POST", f"{_ROOT}/register", {"events": events}, Lambda_Extension_Name=self.name
        )
        self.identifier = reply.headers.get("lambda-extension-identifier", "")
        return reply

    async def next(self) -> Any:
        """The next event."""
        return json.loads((await self.call("GET", f"{_ROOT}/event/next")).body)

    async def close(self) -> None:
        """Hangs up."""
        await self._client.close()


async def hang_up(extension: Extension, waiting: "asyncio.Future[Any]") -> None:
    """It asks no more."""
    waiting.cancel()
    await asyncio.wait([waiting])
    await extension.close()


async def never_asks(runtime: FakeRuntime) -> None:
    """A runtime that is long in starting."""
    await asyncio.Event().wait()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Shutdown phase nobody waits for long."""
    for name in ("EXTERNAL_LIMIT_S", "INTERNAL_LIMIT_S", "RUNTIME_LIMIT_S"):
        monkeypatch.setattr(shutdown, name, 0.02)


@on_loop
async def test_the_life_of_an_extension(live: Live) -> None:
    """Registered, ready, invoked, told of the end: each in its turn, and the log says so."""
    life = await live(echo, extensions=("e",)).open()
    extension = Extension(life.sandbox)
    await turns()
    assert "start_runtime" not in life.sandbox.calls
    reply = await extension.register("INVOKE", "SHUTDOWN")
    assert json.loads(reply.body) == {
        "functionName": "f", "functionVersion": "$LATEST", "handler": "app.handler",
    }  # fmt: skip
    assert "start_runtime" in life.sandbox.calls
    await until(lambda: life.environment.state is State.EXTENSIONS_INIT)
    assert life.told == []
    waiting = asyncio.ensure_future(extension.next())
    await life.ready()
    answer = life.invoke(b"1")
    assert (await waiting)["eventType"] == "INVOKE"
    assert (await answer).payload == b"1"
    await until(lambda: life.environment.state is State.EXTENSIONS_BUSY)
    assert not any(line.startswith(b"REPORT") for line in life.lines)
    waiting = asyncio.ensure_future(extension.next())
    await life.ready(2)
    assert life.lines[-1].startswith(b"REPORT")
    assert b"EXTENSION\tName: e\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n" in life.lines
    life.sandbox.print_extension(b"from e\n")
    life.environment.stop()
    assert life.environment.state is State.SHUTDOWN
    assert not life.sandbox.is_frozen
    life.environment.stop()
    life.sandbox.end_process("", ExitStatus(signal=15))
    told = await waiting
    assert (told["eventType"], told["shutdownReason"]) == ("SHUTDOWN", "spindown")
    assert "kill" not in life.sandbox.calls
    life.sandbox.end_process("e", ExitStatus())
    await extension.close()
    await life.gone()
    assert b"from e\n" in life.lines


@on_loop
async def test_a_crash_while_it_works(live: Live, quick: None) -> None:
    """The caller gets Extension.Crash at once, and the environment is of no use any more."""

    async def never(runtime: FakeRuntime) -> None:
        await runtime.client.next()
        await asyncio.Event().wait()

    life = await live(never, extensions=("e",)).open()
    extension = Extension(life.sandbox)
    await extension.register("INVOKE")
    waiting = asyncio.ensure_future(extension.next())
    await life.ready()
    answer = life.invoke()
    await waiting
    life.sandbox.end_process("e", ExitStatus(code=2))
    payload = json.loads((await answer).payload)
    assert payload["errorType"] == "Extension.Crash"
    assert payload["errorMessage"].endswith(" Error: exit status 2")
    await extension.close()
    await life.gone()


@on_loop
async def test_a_crash_while_it_is_idle(live: Live, quick: None) -> None:
    """An extension killed in a frozen environment: the pool hears that it takes no event."""
    life = await live(echo, extensions=("e",)).open()
    extension = Extension(life.sandbox)
    await extension.register("INVOKE")
    waiting = asyncio.ensure_future(extension.next())
    await life.ready()
    life.sandbox.end_process("e", ExitStatus(signal=9))
    assert life.told == ["ready", "leaving"]
    await hang_up(extension, waiting)
    await life.gone()


@pytest.mark.parametrize(
    ("how", "error_type"),
    [
        (ExitStatus(), "Extension.Crash"),
        (
            ExitStatus(1, 0, "fork/exec /opt/extensions/e: exec format error"),
            "Extension.LaunchError",
        ),
    ],
)
@on_loop
async def test_ends_during_init(live: Live, quick: None, how: ExitStatus, error_type: str) -> None:
    """An initialisation that an extension broke: its type in INIT_REPORT and in the caller's answer."""
    life = await live(echo, extensions=("e",)).open()
    life.sandbox.end_process("e", how)
    await life.gone()
    assert f"Error Type: {error_type}".encode() in life.lines[-1]


@on_loop
async def test_who_registers_at_the_end_starts_nothing(live: Live) -> None:
    """In the Shutdown phase the runtime is not started any more."""
    life = await live(echo, extensions=("a", "e")).open()
    other, extension = Extension(life.sandbox, "a"), Extension(life.sandbox)
    await other.register("SHUTDOWN")
    life.environment.stop()
    assert (await other.next())["shutdownReason"] == "spindown"
    await extension.register("SHUTDOWN")
    assert "start_runtime" not in life.sandbox.calls
    assert "terminate" not in life.sandbox.calls
    for one in (other, extension):
        await one.close()
        life.sandbox.end_process(one.name, ExitStatus())
    await life.gone()


@on_loop
async def test_the_runtime_goes_first(live: Live, quick: None) -> None:
    """A runtime that exits: the caller hears as ever, the extension SHUTDOWN with ``failure``."""

    async def leaves(runtime: FakeRuntime) -> ExitStatus:
        await runtime.client.next()
        return ExitStatus(3)

    life = await live(leaves, extensions=("e",)).open()
    extension = Extension(life.sandbox)
    await extension.register("SHUTDOWN")
    waiting = asyncio.ensure_future(extension.next())
    await life.ready()
    payload = json.loads((await life.invoke()).payload)
    assert payload["errorType"] == "Runtime.ExitError"
    assert (await waiting)["shutdownReason"] == "failure"
    assert "terminate" not in life.sandbox.calls
    await extension.close()
    await life.gone()


@on_loop
async def test_a_timeout_with_the_extension_at_work(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller was answered; REPORT says timeout, and the reason of SHUTDOWN is one."""
    monkeypatch.setattr(shutdown, "RUNTIME_LIMIT_S", 0.01)
    life = await live(echo, extensions=("e",), timeout_s=0.2).open()
    extension = Extension(life.sandbox)
    await extension.register("INVOKE", "SHUTDOWN")
    waiting = asyncio.ensure_future(extension.next())
    await life.ready()
    assert (await life.invoke()).function_error is None
    await waiting
    await until(lambda: life.environment.state is State.SHUTDOWN)
    assert (await extension.next())["shutdownReason"] == "timeout"
    assert life.sandbox.calls[-2:] == ["terminate", "kill_runtime"]
    await extension.close()
    life.sandbox.end_process("e", ExitStatus())
    await life.gone()
    assert any(b"Status: timeout" in line for line in life.lines)


@on_loop
async def test_an_internal_extension_shows_itself(live: Live, quick: None) -> None:
    """Registered while the runtime starts; from then on it is waited for; without one there is no such phase."""
    begin = asyncio.Event()

    async def waits(runtime: FakeRuntime) -> ExitStatus | None:
        await begin.wait()
        return await echo(runtime)

    life = await live(waits).open()
    extension = Extension(life.sandbox, "in")
    assert json.loads((await extension.register("SHUTDOWN")).body)["errorType"] == (
        "Extension.InvalidEventType"
    )
    await extension.register("INVOKE")
    begin.set()
    await until(lambda: life.environment.state is State.EXTENSIONS_INIT)
    waiting = asyncio.ensure_future(extension.next())
    await life.ready()
    late = Extension(life.sandbox, "late")
    assert json.loads((await late.register()).body)["errorType"] == "Extension.RegistrationClosed"
    life.environment.stop()
    assert life.environment.state is State.SHUTDOWN
    await hang_up(extension, waiting)
    await late.close()
    await life.gone()
    assert "terminate" in life.sandbox.calls


@on_loop
async def test_without_extensions_nothing_is_different(live: Live) -> None:
    """Asked late, the API refuses, and the environment is killed as ever, at once."""
    life = await live(echo).open()
    await life.ready()
    extension = Extension(life.sandbox)
    assert json.loads((await extension.register()).body)["errorType"] == (
        "Extension.RegistrationClosed"
    )
    await extension.close()
    life.environment.stop()
    assert life.environment.state is State.STOPPED
    assert "terminate" not in life.sandbox.calls
    await life.gone()


@on_loop
async def test_refusals(live: Live, quick: None) -> None:
    """Each wrong request has AWS's type; none of them changes anything."""
    life = await live(never_asks, extensions=("e",)).open()
    nobody, extension = Extension(life.sandbox), Extension(life.sandbox)

    async def refused(who: Extension, method: str, path: str, body: Any = None, **h: str) -> str:
        reply = await who.call(method, path, body, **h)
        assert 400 <= reply.status < 500
        return str(json.loads(reply.body)["errorType"])

    register = ("POST", f"{_ROOT}/register")
    assert await refused(nobody, *register, {}) == "Extension.InvalidExtensionName"
    named = {"Lambda_Extension_Name": "e"}
    assert await refused(nobody, *register, [], **named) == "InvalidRequestFormat"
    assert await refused(nobody, *register, {"events": [1]}, **named) == "InvalidRequestFormat"
    assert await refused(nobody, *register, {"configurationKeys": ["k"]}, **named) == (
        "InvalidRequestFormat"
    )
    next_event = ("GET", f"{_ROOT}/event/next")
    assert await refused(nobody, *next_event) == "Extension.MissingExtensionIdentifier"
    nobody.identifier = "n"
    assert await refused(nobody, *next_event) == "Extension.UnknownExtensionIdentifier"
    await extension.register()
    assert await refused(extension, "POST", f"{_ROOT}/init/error") == "Extension.MissingHeader"
    assert await refused(extension, "PUT", "/2022-07-01/telemetry", {}) == "ValidationError"
    assert await refused(extension, "PUT", "/2020-08-15/logs", {}) == "Logs.NotSupported"
    assert await refused(extension, "GET", f"{_ROOT}/nothing") == "NotFound"
    for one in (nobody, extension):
        await one.close()
    await life.end()


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
            st.sampled_from(
                [
                    f"{_ROOT}/register", f"{_ROOT}/exit/error", f"{_ROOT}/init/error",
                    "/2022-07-01/telemetry", "/2020-08-15/logs", f"{_ROOT}/", "/2022",
                ]
            ),
            st.binary(max_size=40) | st.sampled_from([b"{}", b'{"events":["INVOKE"]}', b"[" * 5000]),
            st.sampled_from(["", "x", "\xff", "a" * 3000]),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_whatever_is_sent_is_answered(
    live: Live, requests: list[tuple[str, str, bytes, str]]
) -> None:
    """Never a 500, never silence; and the environment can be ended."""

    @on_loop
    async def run() -> None:
        life = await live(echo).open()
        for method, path, body, header in requests:
            client = RuntimeClient(life.sandbox.runtime_api.getsockname())
            headers = {"Lambda-Extension-Name": header, "Lambda-Extension-Identifier": header}
            reply = await client.call(method, path, body, {k: v for k, v in headers.items() if v})
            await client.close()
            assert reply.status < 500
        life.environment.kill()
        await life.gone()

    run()
