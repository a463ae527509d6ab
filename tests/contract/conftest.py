"""Every kind of sandbox behind one face, and a line to the runtime in it."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lambent.http1.exchange import Exchange
from lambent.http1.server import HttpServer
from lambent.model.invocation import SNAP_START
from lambent.node.environ import build_environ
from lambent.node.runtimes import find_interpreters
from lambent.node.sandbox.contract import Backend, ExitStatus, Launch, Sandbox, SandboxError
from lambent.node.sandbox.namespace_sandbox import NamespaceSandbox
from lambent.node.sandbox.namespaces import NamespaceBackend
from lambent.node.sandbox.process import ProcessBackend
from lambent.node.sandbox.stem_cells_python import ForkKind
from lambent.node.zygote.runtime_client import CHOICE
from lambent.settings import NetworkChoice
from lambent.testing.loop import until
from lambent.testing.node import make_spec
from lambent.testing.sandbox import FakeBackend, FakeRuntime, echo

_FUNCTIONS = """
import logging, os, signal, subprocess
def echo(event, context):
    return event
def exit_three(event, context):
    os._exit(3)
def kill_itself(event, context):
    os.kill(os.getpid(), signal.SIGKILL)
def leave_child(event, context):
    subprocess.Popen(["/bin/sleep", event])
    return event
def warn(event, context):
    logging.warning(event)
def burn(event, context):
    import time
    start, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() < start + event: pass
    return (time.process_time() - cpu) / (time.perf_counter() - start)
def interfaces(event, context):
    import socket
    return [name for _, name in socket.if_nameindex()]
def hog(event, context):
    return len(bytearray(event << 20))
"""
_CREDENTIALS = dict.fromkeys(
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "x"
)
_DEADLINE_S = 10.0


async def _exit_three(runtime: FakeRuntime) -> ExitStatus:
    await runtime.client.next()
    return ExitStatus(3)


async def _kill_itself(runtime: FakeRuntime) -> ExitStatus:
    await runtime.client.next()
    return ExitStatus(signal=9)


_SCRIPTS = {
    "app.echo": echo,
    "app.leave_child": echo,
    "app.exit_three": _exit_three,
    "app.kill_itself": _kill_itself,
}


class Line:
    """Serves one sandbox's Runtime API, by hand, and owns what the sandbox hands over."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._requests: asyncio.Queue[Exchange] = asyncio.Queue()
        self._server = HttpServer(self._requests.put_nowait, 1 << 20)

    async def open(self) -> "Line":
        """Listens on every socket of the sandbox."""
        if self.sandbox.runtime_fd >= 0:
            await self._server.converse(socket.socket(fileno=self.sandbox.runtime_fd))
        await self._server.listen(self.sandbox.runtime_api)
        if self.sandbox.endpoint is not None:
            await self._server.listen(self.sandbox.endpoint)
        return self

    async def request(self) -> Exchange:
        """The runtime's next request."""
        async with asyncio.timeout(_DEADLINE_S):
            return await self._requests.get()

    async def asked(self) -> Exchange:
        """Waits until the runtime asks for an event."""
        exchange = await self.request()
        assert exchange.target.endswith(b"/invocation/next"), exchange.target
        return exchange

    @staticmethod
    def send(asked: Exchange, event: bytes) -> None:
        """Answers it with one."""
        asked.respond(
            200,
            [
                ("Content-Type", "application/json"),
                ("Lambda-Runtime-Aws-Request-Id", "r"),
                ("Lambda-Runtime-Deadline-Ms", "4102444800000"),
                ("Lambda-Runtime-Invoked-Function-Arn", "arn"),
            ],
            event,
        )

    async def call(self, event: bytes) -> bytes:
        """One whole invocation: the function's result."""
        self.send(await self.asked(), event)
        answer = await self.request()
        assert answer.target.endswith(b"/invocation/r/response"), answer.body
        answer.respond(202)
        return answer.body

    async def exited(self) -> ExitStatus:
        """How the runtime ended, within a deadline."""
        async with asyncio.timeout(_DEADLINE_S):
            return await asyncio.shield(self.sandbox.exited)

    def close(self) -> None:
        """Gives back what the sandbox handed over."""
        self._server.close()
        for fd in (self.sandbox.stdout_fd, self.sandbox.telemetry_fd):
            os.close(fd)


@dataclass(frozen=True)
class Host:
    """An open backend and functions to start on it. ``fail`` starts one in a way that cannot work."""

    kind: str
    backend: Backend
    task_dir: Path
    fail: Callable[["Host"], Any]

    @property
    def isolated(self) -> bool:
        """Whether its environments are apart from the host and each other."""
        return self.kind in ("namespaces", "libcurl", "stem cells", "forks")

    def launch(self, handler: str, **settings: Any) -> Launch:
        """A function of this host's own interpreter."""
        spec = make_spec(
            handler=f"app.{handler}",
            task_dir=self.task_dir,
            runtime=f"python3.{sys.version_info.minor}",
            **settings,
        )
        environ = build_environ(spec, "stream", _CREDENTIALS)
        if self.kind == "libcurl":
            environ[CHOICE] = "libcurl"
        return Launch(spec, environ)

    async def grow(self) -> None:
        """Until a stem cell waits for a function of Python."""
        await grow_stem_cells(self.backend)

    async def start(self, handler: str, **settings: Any) -> Line:
        """A sandbox with the function in it, and the line to it."""
        if self.kind == "stem cells":
            await grow_stem_cells(self.backend)
        return await Line(await self.backend.start(self.launch(handler, **settings))).open()


async def grow_stem_cells(backend: Any) -> None:
    """Until the next start finds one made ahead."""
    cells = backend._stem_cells
    cells._use(ForkKind(find_interpreters()[0], is_loaded=not backend.rootless))
    if not cells.count():
        cells._begin()
        await until(cells.count, _DEADLINE_S)


async def _fail_without_room(host: Host) -> None:
    """Namespaces: all slots but one are taken by the first, so the second start fails."""
    line = await host.start("echo")
    try:
        await host.backend.start(host.launch("echo"))
    finally:
        line.sandbox.kill()
        await line.exited()
        line.close()


async def _fail_without_interpreter(host: Host) -> None:
    broken = [replace(i, executable="/nonexistent/python") for i in find_interpreters()]
    await ProcessBackend(broken, "http://127.0.0.1:1").start(host.launch("echo"))


async def _fail_without_script(host: Host) -> None:
    await host.backend.start(host.launch("unknown"))


class ForkingBackend(NamespaceBackend):
    """Initialises a template for each sandbox, and forks that; the template ends with its fork."""

    async def start(self, launch: Launch) -> NamespaceSandbox:
        is_wrapped = "AWS_LAMBDA_EXEC_WRAPPER" in launch.environ
        if launch.extensions or is_wrapped or not launch.spec.runtime.startswith("python"):
            return await super().start(launch)
        environ = {**launch.environ, "AWS_LAMBDA_INITIALIZATION_TYPE": SNAP_START}
        template = await self.start_template(replace(launch, environ=environ))
        try:
            async with asyncio.timeout(_DEADLINE_S):
                await template.snapshot
            fork = await self.restore(template, {})
        except BaseException:
            template.discard()
            await asyncio.wait([template.exited])
            raise
        fork.exited.add_done_callback(lambda _: template.discard())
        return fork


Open = Callable[..., AbstractAsyncContextManager[Host]]


@pytest.fixture(params=["namespaces", "libcurl", "stem cells", "forks", "process", "fake"])
def open_host(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """``async with open_host() as host``; skips where this host cannot isolate."""
    kind = str(request.param)
    code_root = tmp_path / "code"
    task_dir = code_root / "task"
    task_dir.mkdir(parents=True)
    (task_dir / "app.py").write_text(_FUNCTIONS)
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(directory.stat().st_mode | 0o111)  # functions run as another user

    @asynccontextmanager
    async def opened(
        max_environments: int = 8, network: NetworkChoice = "auto"
    ) -> AsyncIterator[Host]:
        backend: Backend
        if kind in ("namespaces", "libcurl", "stem cells", "forks"):
            run_dir = tmp_path / "run"
            make = ForkingBackend if kind == "forks" else NamespaceBackend
            backend = make(
                find_interpreters(),
                code_root,
                run_dir,
                4566,
                max_environments,
                network=network,
                stem_cells=2 if kind == "stem cells" else 0,
            )
            fail: Any = _fail_without_room
        elif kind == "process":
            backend = ProcessBackend(find_interpreters(), "http://127.0.0.1:4566")
            fail = _fail_without_interpreter
        else:
            backend, fail = FakeBackend(_SCRIPTS), _fail_without_script
        try:
            await backend.open()
            if isinstance(backend, ForkingBackend) and backend.snap_start_missing():
                await backend.close()
                pytest.skip(f"no forks here, for want of {backend.snap_start_missing()}")
        except (SandboxError, OSError) as error:
            pytest.skip(f"this host cannot isolate functions: {error}")
        try:
            yield Host(kind, backend, task_dir, fail)
        finally:
            await backend.close()

    return opened


@pytest.fixture
def open_line() -> Callable[..., Any]:
    """``await open_line(sandbox)``: the line to it."""

    async def opened(sandbox: Sandbox) -> Line:
        return await Line(sandbox).open()

    return opened
