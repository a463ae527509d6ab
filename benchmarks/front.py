"""The least a front can do for a warm invoke with awslambdaric: pass event and answer on.

Neither API nor isolation, freezing, logs, metrics or limits: what the platform costs above it is what those cost.
Its runtimes speak as the platform's do, over sockets they have from the start, or as AWS's, by libcurl over TCP.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Self, cast

from benchmarks.harness import Connection, free_port, invoke_bytes
from lambent.app import new_event_loop_factory

_END = b"\r\n\r\n"
_POST = b"POST /2018-06-01/runtime/invocation/"
_ID_BYTES = 36
_EVENT = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nLambda-Runtime-Aws-Request-Id: %b\r\n"
    b"Lambda-Runtime-Deadline-Ms: 9999999999999\r\n"
    b"Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:f\r\n"
    b"content-length: %d\r\n\r\n%b"
)
_ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n"
    b'{"status":"OK"}\n'
)
_BOOT = (
    "import os, sys; from lambent.node.zygote import runtime; "
    "ahead = runtime.load_client([path for path in sys.path if path]); "
    "runtime.run(dict(os.environ), [os.getcwd()], ahead, int(sys.argv[1]))"
)
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class _Whole(asyncio.Protocol):
    """Waits for whole messages, and takes their form on trust."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._begun = b""

    def data_received(self, data: bytes) -> None:
        data = self._begun + data if self._begun else data
        while data:
            body_at = data.find(_END) + len(_END)
            end = body_at
            if body_at >= len(_END) and data.startswith(b"POST"):
                lower = data[:body_at].lower()
                length_at = lower.index(b"content-length:") + 15
                end += int(lower[length_at : lower.index(b"\r", length_at)])
            if body_at < len(_END) or end > len(data):
                break
            self.is_followed = end < len(data)
            self.take(data[:end] if self.is_followed else data, body_at)
            data = data[end:]
        self._begun = data

    def take(self, data: bytes, body_at: int) -> None:
        """One message."""


class _Front:
    """Events to idle runtimes, answers to whoever waits for them."""

    def __init__(self) -> None:
        self.idle: list[_Runtime] = []
        self.waiting: deque[bytes] = deque()
        self.callers: dict[bytes, asyncio.Transport] = {}
        self.count = 0


class _Caller(_Whole):
    def __init__(self, front: _Front) -> None:
        self._front = front

    def take(self, data: bytes, body_at: int) -> None:
        front = self._front
        front.count += 1
        request_id = b"%08d-0000-4000-8000-000000000000" % front.count
        front.callers[request_id] = self.transport
        event = _EVENT % (request_id, len(data) - body_at, data[body_at:])
        if front.idle:
            front.idle.pop().send(event)
        else:
            front.waiting.append(event)


class _Runtime(_Whole):
    def __init__(self, front: _Front) -> None:
        self._front = front
        self._held = b""

    def take(self, data: bytes, body_at: int) -> None:
        front = self._front
        if data.startswith(b"GET"):
            if front.waiting:
                self.send(front.waiting.popleft())
            else:
                front.idle.append(self)
            return
        if self.is_followed:
            self._held = _ACCEPTED
        else:
            self.transport.write(_ACCEPTED)
        request_id = data[len(_POST) : len(_POST) + _ID_BYTES]
        front.callers.pop(request_id).write(_ANSWER % (len(data) - body_at, data[body_at:]))

    def send(self, event: bytes) -> None:
        """An event, behind what was held back."""
        self.transport.write(self._held + event)
        self._held = b""


async def _serve(port: int, api_port: int, sockets: list[socket.socket]) -> None:
    loop, front = asyncio.get_running_loop(), _Front()
    await loop.create_server(lambda: _Caller(front), "127.0.0.1", port)
    await loop.create_server(lambda: _Runtime(front), "127.0.0.1", api_port)
    for sock in sockets:
        await loop.connect_accepted_socket(lambda: _Runtime(front), sock)
    await asyncio.Event().wait()


class BareFront:
    """The front in a process of its own (``pid``), and its runtimes, ended with the ``with`` block.

    ``libcurl``: they speak by AWS's extension over TCP.
    """

    def __init__(self, source: str, runtimes: int, *, libcurl: bool = False) -> None:
        self._source, self._count, self._libcurl = source, runtimes, libcurl

    def __enter__(self) -> Self:
        self.port, api_port = free_port(), free_port()
        pairs = [] if self._libcurl else [socket.socketpair() for _ in range(self._count)]
        self.pid = os.fork()
        if self.pid == 0:
            try:
                with asyncio.Runner(loop_factory=new_event_loop_factory()) as runner:
                    runner.run(_serve(self.port, api_port, [ours for ours, _ in pairs]))
            finally:
                os._exit(0)
        self._directory = tempfile.TemporaryDirectory(prefix="lambent-bench-")
        Path(self._directory.name, "app.py").write_text(self._source)
        environ = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "group",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "_HANDLER": "app.handler",
        }
        official = [sys.executable, "-m", "awslambdaric", "app.handler"]
        commands = [official] * self._count
        if pairs:
            own = [sys.executable, "-c", _BOOT]
            commands = [[*own, str(theirs.fileno())] for _, theirs in pairs]
        self._runtimes = [
            subprocess.Popen(
                command,
                cwd=self._directory.name,
                env={**os.environ, **environ},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno() for _, theirs in pairs],
            )
            for command in commands
        ]
        for pair in pairs:
            for end in pair:
                end.close()
        for runtime in self._runtimes:  # as the platform has its environments scheduled
            os.sched_setscheduler(runtime.pid, os.SCHED_BATCH, os.sched_param(0))
        while True:
            try:
                Connection(self.port).call(invoke_bytes("f", b'{"n": 1}'))
                break
            except OSError:
                time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        for runtime in self._runtimes:
            runtime.kill()
            runtime.wait()
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        self._directory.cleanup()
