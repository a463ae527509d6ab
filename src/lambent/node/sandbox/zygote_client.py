"""The node's side of a zygote: starts the process, sends it start requests, matches its answers."""

import asyncio
import json
import os
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lambent.node.runtimes import Interpreter
from lambent.node.sandbox.contract import SandboxError

READY_DEADLINE_S = 60.0
"""POLICY: long, for it imports boto3 on whatever machine this is, however busy that is while it boots. Where none

comes ``auto`` makes do without isolation.
"""
_START_DEADLINE_S = 10.0
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop()); "
    "from lambent.node.zygote.main import main; sys.path.pop(0); main()"
)
RUNTIME_PATH = "/var/runtime"
RUNTIME_API_PORT = 9001


class ZygoteClient:
    """One zygote process. ``alive`` turns false when it ends, and pending starts fail."""

    def __init__(self, interpreter: Interpreter, stderr: int | None = None) -> None:
        self.interpreter = interpreter
        self.alive = False
        self._stderr = stderr
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._pending: dict[int, asyncio.Future[int]] = {}
        self._outgoing: deque[tuple[bytes, Sequence[int], Callable[[], None]]] = deque()
        self._next_id = 0

    async def open(self, setup: Mapping[str, Any], namespaces: Sequence[int] = ()) -> None:
        """Starts the process and waits until it is warm. ``namespaces``: where it is to live; the network last.

        Raises SandboxError, with the zygote's own words, when it cannot isolate on this host. The process is
        ended then, and where nobody waits any longer.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        source = str(Path(__file__).parents[3])
        self._process = subprocess.Popen(  # noqa: ASYNC220 - a vfork: a millisecond, once
            [self.interpreter.executable, "-I", "-S", "-X", "utf8", "-c", _BOOT, source],
            stdin=theirs.fileno(),
            stderr=self._stderr,
            env={"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{RUNTIME_API_PORT}", "LANG": "en_US.UTF-8"},
            cwd="/",
            start_new_session=True,
        )
        theirs.close()
        ours.setblocking(False)
        self._socket = ours
        loop = asyncio.get_running_loop()
        try:
            socket.send_fds(ours, [json.dumps(setup).encode()], namespaces)
            async with asyncio.timeout(READY_DEADLINE_S):
                answer = json.loads(await loop.sock_recv(ours, 65536) or b"{}")
        except (TimeoutError, OSError, ValueError) as error:
            await self.close()
            raise SandboxError(f"the zygote did not start: {error!r}") from error
        except asyncio.CancelledError:
            await self.close()
            raise
        if not answer.get("ready"):
            await self.close()
            raise SandboxError(answer.get("error", "the zygote ended while it started"))
        self.alive = True
        loop.add_reader(ours, self._on_answer)

    async def start(self, request: Mapping[str, Any], fds: Sequence[int]) -> int:
        """Has one environment forked; its pid. Raises SandboxError."""
        return await self._ask(request, fds, lambda: None)

    async def assign(
        self, wanted: Mapping[str, Any], fds: Sequence[int], on_sent: Callable[[], None]
    ) -> None:
        """Has a loaded stem cell made a function's; see :mod:`lambent.node.zygote.assignment`.

        ``on_sent`` is called when the zygote has the descriptors. Raises SandboxError.
        """
        await self._ask({"assign": wanted}, fds, on_sent)

    async def _ask(
        self, request: Mapping[str, Any], fds: Sequence[int], on_sent: Callable[[], None]
    ) -> int:
        if not self.alive:
            raise SandboxError("the zygote is gone")
        self._next_id += 1
        number = self._next_id
        future = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        self._outgoing.append((json.dumps({**request, "id": number}).encode(), fds, on_sent))
        self._flush()
        try:
            async with asyncio.timeout(_START_DEADLINE_S):
                pid: int = await future
        except TimeoutError as error:
            raise SandboxError("the zygote did not answer in time") from error
        finally:
            self._pending.pop(number, None)
        return pid

    def _flush(self) -> None:
        assert self._socket is not None  # noqa: S101 - for the type checker
        loop = asyncio.get_running_loop()
        while self._outgoing:
            data, fds, on_sent = self._outgoing[0]
            try:
                socket.send_fds(self._socket, [data], fds)
            except BlockingIOError:
                loop.add_writer(self._socket, self._flush)
                return
            except OSError as error:
                self._lose(str(error))
                return
            self._outgoing.popleft()
            on_sent()
        loop.remove_writer(self._socket)

    def _on_answer(self) -> None:
        assert self._socket is not None  # noqa: S101 - for the type checker
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._lose("the zygote ended")
                return
            answer = json.loads(data)
            if "between" in answer:
                _bury({"pid": answer["between"]})
            future = self._pending.pop(answer["id"], None)
            if future is None or future.done():
                _bury(answer)
                continue
            if "error" not in answer:
                future.set_result(answer["pid"])
            else:
                future.set_exception(SandboxError(answer["error"]))

    def _lose(self, reason: str) -> None:
        self.alive = False
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
        pending, self._pending = self._pending, {}
        self._outgoing.clear()
        for future in pending.values():
            if not future.done():
                future.set_exception(SandboxError(reason))

    async def close(self) -> None:
        """Ends the process; environments it made live on."""
        if self._socket is not None:
            self._lose("the zygote was closed")
            self._socket.close()
            self._socket = None
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, 9)
            await asyncio.get_running_loop().run_in_executor(None, process.wait)


def _bury(answer: Mapping[str, Any]) -> None:
    """A start nobody waits for any longer: its lifeline is closed, so it dies; we are its parent."""
    if answer.get("pid"):
        asyncio.get_running_loop().run_in_executor(None, os.waitpid, answer["pid"], 0)
