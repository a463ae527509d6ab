"""The node: specs become environments, credentials live as long as they do, the strongest sandbox is taken."""

from collections.abc import Mapping
from typing import Any

import pytest

from lambent.http1.server import HttpServer
from lambent.invoke.placement import Placement
from lambent.model.invocation import EnvironmentSpec
from lambent.node.agent import Node
from lambent.node.runtimes import Interpreter
from lambent.node.sandbox.choose import open_backend
from lambent.node.sandbox.contract import NetworkError, SandboxError
from lambent.settings import SandboxChoice
from lambent.testing.host import open_descriptors
from lambent.testing.loop import on_loop, until
from lambent.testing.node import make_invocation, make_spec
from lambent.testing.sandbox import FakeBackend, FakeRuntime, echo

PYTHON = Interpreter("3.11", "/usr/bin/python3.11", "/usr", {}, "ab" * 32)


class Around:
    """A node's credentials and log."""

    def __init__(self) -> None:
        self.live: set[str] = set()
        self.minted = 0
        self.lines: list[tuple[str, bytes]] = []

    def mint(self, spec: EnvironmentSpec, session_name: str) -> Mapping[str, str]:
        self.minted += 1
        self.live.add(f"K{self.minted}")
        assert 2 <= len(session_name) <= 64
        return {"AWS_ACCESS_KEY_ID": f"K{self.minted}"}

    def revoke(self, environ: Mapping[str, str]) -> None:
        self.live.remove(environ["AWS_ACCESS_KEY_ID"])

    def append(self, *event: Any) -> None:
        self.lines.append((event[3], event[5]))


def make_node(backend: FakeBackend, around: Around) -> Node:
    return Node(backend, [PYTHON], around, around, HttpServer(lambda e: e.respond(200), 10))


@on_loop
async def test_credentials_live_as_long_as_their_environment() -> None:
    """Each environment is launched with its own, and they are revoked at its end or failed start."""
    around, backend = Around(), FakeBackend({"app.handler": echo})
    placement = Placement(make_node(backend, around), 10, 300)
    await placement.invoke(make_invocation())
    environ = backend.sandboxes[0].runtime.launch.environ
    assert (environ["AWS_ACCESS_KEY_ID"], around.live) == ("K1", {"K1"})
    with pytest.raises(Exception, match="no script"):
        await placement.invoke(make_invocation(make_spec(handler="other", key="other")))
    assert (around.live, around.minted) == ({"K1"}, 3)
    await placement.close(5)
    assert not around.live


class Closed(FakeBackend):
    """Sandboxes whose Runtime API cannot be served."""

    async def start(self, launch: Any) -> Any:
        sandbox = await super().start(launch)
        sandbox.runtime_api.close()
        return sandbox


@on_loop
async def test_an_environment_that_cannot_be_served_is_given_back() -> None:
    """It ends, its event is answered, and neither credentials, descriptors nor a place in the pool stay."""
    before = open_descriptors()
    around, backend = Around(), Closed({"app.handler": echo})
    placement = Placement(make_node(backend, around), 10, 300)
    result = await placement.invoke(make_invocation())
    assert result.function_error == "Unhandled"
    assert placement.counts() == {"idle": 0, "busy": 0, "starting": 0}
    await placement.close(5)
    assert around.live == set()
    assert open_descriptors() == before


def test_health_tells_stand_ins_from_the_runtimes_themselves() -> None:
    """Every Python of AWS's is listed with what it runs under; only the interpreter's own is exact."""
    listed = make_node(FakeBackend({}), Around()).describe()["runtimes"]
    pythons = [r for r in listed if r["name"].startswith("python")]
    assert [r["name"] for r in pythons if r["exact"]] == ["python3.11"]
    assert {r["executable"] for r in pythons} == {PYTHON.executable}
    assert all((r["notice"] is None) == r["exact"] for r in listed)
    assert len(pythons) == 5


@on_loop
async def test_each_environment_has_a_log_stream_of_its_own() -> None:
    """INIT_START opens the stream the function is told of; an interpreter not asked for is noticed."""
    around, backend = Around(), FakeBackend({"app.handler": echo})
    placement = Placement(make_node(backend, around), 10, 300)
    await placement.invoke(make_invocation(make_spec(runtime="python3.13")))
    stream = backend.sandboxes[0].runtime.launch.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert {s for s, _ in around.lines} == {stream}
    assert around.lines[0][1] == (
        b"INIT_START Runtime Version: python:3.11"
        b"\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:" + b"ab" * 32 + b"\n"
    )
    assert b"python3.13 is not on this host" in around.lines[1][1]
    await placement.close(5)


@on_loop
async def test_the_whole_path_survives_runtimes_that_leave() -> None:
    """Runtimes that exit after each answer never cost a caller its event, nor a descriptor."""

    async def once(runtime: FakeRuntime) -> None:
        event = await runtime.client.next()
        await runtime.client.respond(event.request_id, event.body)

    before = open_descriptors()
    around, backend = Around(), FakeBackend({"app.handler": once})
    placement = Placement(make_node(backend, around), 10, 300)
    for number in range(20):
        result = await placement.invoke(make_invocation(payload=b"%d" % number))
        assert (result.payload, result.function_error) == (b"%d" % number, None)
    await placement.close(5)
    assert not around.live
    await until(lambda: open_descriptors() == before)


class _Backend(FakeBackend):
    """Opens, or says why not."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__({})
        self.error = error

    async def open(self) -> None:
        if self.error:
            raise self.error


@pytest.mark.parametrize(
    ("choice", "error", "expected"),
    [
        ("auto", None, "namespaces"),
        ("auto", SandboxError("no unshare"), "process"),
        ("auto", OSError("no unshare"), "process"),
        ("namespaces", None, "namespaces"),
        ("namespaces", SandboxError("no unshare"), "refused"),
        ("process", None, "process"),
    ],
)
@on_loop
async def test_the_strongest_sandbox_that_works_is_taken(
    choice: SandboxChoice, error: Exception | None, expected: str
) -> None:
    """Isolation wherever it works, a notice where it was wanted and does not, an error where demanded."""
    namespaces, process = _Backend(error), _Backend()
    if expected == "refused":
        with pytest.raises(SandboxError, match="no unshare"):
            await open_backend(choice, lambda: namespaces, lambda: process)
        return
    backend, notice = await open_backend(choice, lambda: namespaces, lambda: process)
    assert backend is (namespaces if expected == "namespaces" else process)
    assert (notice is not None) == (choice == "auto" and expected == "process")
    assert notice is None or "no unshare" in notice


@on_loop
async def test_a_network_asked_for_is_never_replaced_by_another_sandbox() -> None:
    """No way out, or none to shut, is an error where it was demanded; plain processes are no answer to it."""
    process = _Backend()
    refused = NetworkError("a way out needs root")
    with pytest.raises(NetworkError, match="needs root"):
        await open_backend("auto", lambda: _Backend(refused), lambda: process, "outbound")
    for choice, namespaces in (("process", _Backend()), ("auto", _Backend(SandboxError("no")))):
        with pytest.raises(NetworkError, match="host's network"):
            await open_backend(choice, lambda n=namespaces: n, lambda: process, "isolated")  # type: ignore[arg-type, misc]
    backend, _ = await open_backend("process", lambda: process, lambda: process, "outbound")
    assert backend is process


@on_loop
async def test_initialisation_is_run_again_inside_the_invocation() -> None:
    """What fails once costs time only: one stream, INIT_START once, an INIT_REPORT, new credentials."""
    lives = 0

    async def second_time(runtime: FakeRuntime) -> None:
        nonlocal lives
        lives += 1
        if lives == 1:
            await runtime.client.init_error(b"{}", "Runtime.ImportModuleError")
            return
        await echo(runtime)

    before = open_descriptors()
    around, backend = Around(), FakeBackend({"app.handler": second_time})
    placement = Placement(make_node(backend, around), 10, 300)
    result = await placement.invoke(make_invocation(request_id="r"))
    assert (result.payload, result.function_error) == (b"{}", None)
    assert len({stream for stream, _ in around.lines}) == 1
    words = [line.split(b" ")[0] for _, line in around.lines]
    assert words == [b"INIT_START", b"INIT_REPORT", b"START", b"END", b"REPORT"]
    line = around.lines[1][1]
    assert line.endswith(b"\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError\n")
    assert b"Init Duration" not in around.lines[-1][1]
    assert result.log_tail.startswith(b"INIT_REPORT")
    assert around.live == {"K2"}
    assert (await placement.invoke(make_invocation())).payload == b"{}"
    await placement.close(5)
    assert not around.live
    await until(lambda: open_descriptors() == before)
