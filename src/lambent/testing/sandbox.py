"""Sandboxes without processes: a script plays the runtime, over real sockets and pipes.

Keeps the contract of :mod:`lambent.node.sandbox.contract`; a frozen script goes on only when it is thawed.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from lambent.model.invocation import EnvironmentSpec
from lambent.node.linux.usage import Usage
from lambent.node.sandbox.contract import ExitStatus, Launch, OnProcessExit, SandboxError
from lambent.testing.runtime import RuntimeClient


class FakeRuntime:
    """What a script has: the Runtime API, the two pipes, and what it was launched with."""

    def __init__(self, launch: Launch, client: RuntimeClient, stdout: int, telemetry: int) -> None:
        self.launch = launch
        self.client = client
        self._stdout = stdout
        self._telemetry = telemetry

    def print(self, text: bytes) -> None:
        """Writes to stdout."""
        os.write(self._stdout, text)

    def log(self, message: bytes) -> None:
        """Writes one telemetry frame."""
        head = b"\xa5\x5a\x00\x03" + len(message).to_bytes(4, "big")
        os.write(self._telemetry, head + (time.time_ns() // 1000).to_bytes(8, "big") + message)

    def close(self) -> None:
        """Gives the pipes' ends back."""
        os.close(self._stdout)
        os.close(self._telemetry)


Script = Callable[[FakeRuntime], Awaitable[ExitStatus | None]]
"""Plays a runtime; returns how it ended (None: exit status 0). An exception is exit status 1."""


async def echo(runtime: FakeRuntime) -> ExitStatus | None:
    """A function that returns its event."""
    while True:
        event = await runtime.client.next()
        await runtime.client.respond(event.request_id, event.body)


class FakeSandbox:
    """One script. ``calls`` lists what the node asked, in order."""

    def __init__(self, launch: Launch, script: Script, *, has_endpoint: bool = False) -> None:
        self.calls: list[str] = []
        self.peak_bytes = 1
        self.is_oom = False
        self.cpu_limits = 0
        self.on_process_exit: OnProcessExit | None = None
        self.terminated = asyncio.Event()
        self._started = asyncio.Event()
        if not launch.extensions:
            self._started.set()
        self.runtime_api = _listener()
        self.endpoint: socket.socket | None = _listener() if has_endpoint else None
        self.stdout_fd, stdout = os.pipe()
        self.telemetry_fd, telemetry = os.pipe()
        self.extension_fd, self._extension_output = -1, -1
        self.runtime_fd = -1
        if launch.extensions:
            self.extension_fd, self._extension_output = os.pipe()
            os.set_blocking(self.extension_fd, False)
        for fd in (self.stdout_fd, self.telemetry_fd):
            os.set_blocking(fd, False)
        self._thawed = asyncio.Event()
        self._thawed.set()
        client = RuntimeClient(self.runtime_api.getsockname(), self._thawed.wait)
        self.runtime = FakeRuntime(launch, client, stdout, telemetry)
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[ExitStatus] = loop.create_future()
        self._task = loop.create_task(self._play(script))

    async def _play(self, script: Script) -> None:
        status = ExitStatus(code=1)
        try:
            await self._started.wait()
            status = await script(self.runtime) or ExitStatus()
            if self.runtime.launch.extensions:
                self.end_process("", status)
                await asyncio.Event().wait()  # what is above it lives until it is killed
        except asyncio.CancelledError:
            status = ExitStatus(signal=9)
        except (OSError, EOFError):
            status = ExitStatus(code=1)
        finally:
            with suppress(asyncio.CancelledError):
                await self.runtime.client.close()
            self.runtime.close()
            if self._extension_output >= 0:
                os.close(self._extension_output)
            self.exited.set_result(status)

    def print_extension(self, text: bytes) -> None:
        """An extension writes to its stdout."""
        os.write(self._extension_output, text)

    @property
    def is_frozen(self) -> bool:
        """Whether the script has to wait."""
        return not self._thawed.is_set()

    def freeze(self) -> None:
        self.calls.append("freeze")
        self._thawed.clear()

    def thaw(self) -> None:
        self.calls.append("thaw")
        self._thawed.set()

    def limit_cpu(self) -> None:
        self.cpu_limits += 1

    @property
    def can_connect(self) -> bool:
        return True

    async def connection(self) -> socket.socket:
        return socket.socket()

    def start_runtime(self) -> None:
        self.calls.append("start_runtime")
        self._started.set()

    def terminate_runtime(self) -> None:
        self.calls.append("terminate")
        self.terminated.set()

    def kill_runtime(self) -> None:
        self.calls.append("kill_runtime")

    def end_process(self, name: str, status: ExitStatus) -> None:
        """The runtime (no name) or an extension ended, while others go on."""
        if self.on_process_exit is not None:
            self.on_process_exit(name, status)

    def kill(self) -> None:
        """A script that has not begun is given the turn it needs to end."""
        self.calls.append("kill")
        asyncio.get_running_loop().call_soon(self._task.cancel)

    def memory_peak_bytes(self) -> int:
        return self.peak_bytes

    def usage(self) -> Usage | None:
        return Usage()

    def oom_killed(self) -> bool:
        return self.is_oom


class FakeBackend:
    """Starts scripts by the function's handler; a handler without a script cannot be started."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        self._scripts = scripts
        self.sandboxes: list[FakeSandbox] = []

    async def open(self) -> None:
        """Nothing to prepare."""

    def begin(self, spec: EnvironmentSpec, extensions: tuple[str, ...]) -> None:
        """Nothing is done before it is started."""

    async def start(self, launch: Launch) -> FakeSandbox:
        """Plays the handler's script. Raises SandboxError when there is none."""
        script = self._scripts.get(launch.spec.handler)
        if script is None:
            raise SandboxError(f"there is no script for {launch.spec.handler}")
        sandbox = FakeSandbox(launch, script)
        self.sandboxes.append(sandbox)
        return sandbox

    async def close(self) -> None:
        """Ends every script."""
        for sandbox in self.sandboxes:
            sandbox.kill()
        if self.sandboxes:
            await asyncio.wait([s.exited for s in self.sandboxes])

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "fake", "isolation": {}, "notices": []}


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.setblocking(False)
    return listener
