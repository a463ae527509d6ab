"""A platform under measurement: started as users start it, driven over HTTP from another process."""

import base64
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Self

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/lambda/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def request_bytes(method: str, path: str, body: bytes = b"") -> bytes:
    """One signed-looking request, ready to send."""
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: {AUTHORIZATION}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def invoke_bytes(name: str, payload: bytes) -> bytes:
    """An Invoke request, ready to send."""
    return request_bytes("POST", f"/2015-03-31/functions/{name}/invocations", payload)


class Connection:
    """A blocking keep-alive connection: the leanest client, so that the platform is what is measured."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, data: bytes) -> tuple[int, bytes, bytes]:
        """Status, head and body of the answer."""
        self._socket.sendall(data)
        received = self._socket.recv(262144)
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        length = _content_length(head)
        parts, size = [body], len(body)
        while size < length:
            more = self._more()
            parts.append(more)
            size += len(more)
        return int(head[9:12]), head, b"".join(parts)

    def _more(self) -> bytes:
        data = self._socket.recv(262144)
        if not data:
            raise ConnectionError("the platform closed the connection")
        return data


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


class Platform:
    """``lambent up`` on a free port, ended with the ``with`` block; on its own data or those given."""

    def __init__(self, data_dir: Path | None = None, *options: str) -> None:
        self._given = data_dir
        self._options = options
        self.sign: Callable[[str, bytes], bytes] = partial(request_bytes, "POST")
        """Path and body → the POST that this platform takes."""

    def __enter__(self) -> Self:
        self.port = free_port()
        self.data_dir = str(self._given or tempfile.mkdtemp(prefix="lambent-bench-"))
        command = [str(Path(sys.executable).parent / "lambent"), "up"]
        command += ["--port", str(self.port), "--data", self.data_dir, *self._options]
        start_s = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while True:
            try:
                self.connection = Connection(self.port)
                status, _, _ = self.connection.call(request_bytes("GET", "/_lambent/health"))
                break
            except OSError:
                if time.perf_counter() - start_s > 30 or self.process.poll() is not None:
                    raise
                time.sleep(0.005)
        self.ready_s = time.perf_counter() - start_s
        assert status == 200
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        finally:
            if self._given is None:
                shutil.rmtree(self.data_dir, ignore_errors=True)

    def create(self, name: str, source: str, memory_mib: int = 1769, timeout_s: int = 30) -> None:
        """Creates a function whose handler is ``app.handler``."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("app.py", source)
        document = {
            "FunctionName": name,
            "Runtime": f"python3.{sys.version_info.minor}",
            "Role": "arn:aws:iam::000000000000:role/bench",
            "Handler": "app.handler",
            "MemorySize": memory_mib,
            "Timeout": timeout_s,
            "Code": {"ZipFile": base64.b64encode(archive.getvalue()).decode()},
        }
        body = json.dumps(document).encode()
        status, _, answer = self.connection.call(self.sign("/2015-03-31/functions", body))
        assert status == 201, answer

    def resident_bytes(self) -> int:
        """The platform process's own resident memory."""
        return _rollup(self.process.pid)["Rss"]

    def _children(self) -> list[int]:
        task = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(pid) for pid in Path(task).read_text().split()]

    def environments(self) -> list[int]:
        """Pids of live runtime processes: the platform's children that run as another user."""
        return [
            pid for pid in self._children() if Path(f"/proc/{pid}").stat().st_uid != os.getuid()
        ]

    def private_bytes(self) -> float:
        """Private memory per live environment: the runtime process and its share of pid 1s."""
        environments = self.environments()
        zygotes = set(self._children()) - set(environments)
        inits = [
            int(pid)
            for zygote in zygotes
            for pid in Path(f"/proc/{zygote}/task/{zygote}/children").read_text().split()
        ]
        return sum(map(_private, environments + inits)) / len(environments)


def _rollup(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}


def _private(pid: int) -> int:
    rollup = _rollup(pid)
    return rollup["Private_Clean"] + rollup["Private_Dirty"]
