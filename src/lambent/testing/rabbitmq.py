"""A RabbitMQ server for tests: Debian's, started on loopback with a node, ports and data of its own.

No system service is touched: the Erlang port mapper is one of its own, and everything goes when it is closed.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")
_START_DEADLINE_S = 90.0
_STOP_DEADLINE_S = 30.0
_DEADLINE_S = 15.0
USER, PASSWORD = "lambent", "pass:word/@"


def find_server() -> Path | None:
    """The server's script, past Debian's wrapper that wants a system user; None where it is not installed."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return found[-1] if found and shutil.which("epmd") else None


class RabbitServer:
    """Runs until it is closed. ``home`` is an empty directory.

    ``certificate`` (a file with a certificate and its key) opens a port for TLS, too.
    """

    def __init__(self, script: Path, home: Path, certificate: Path | None = None) -> None:
        self.port, self.tls_port = _free_port(), _free_port()
        distribution, mapper = _free_port(), _free_port()
        self.url = f"amqp://127.0.0.1:{self.port}"
        self._log = home / "log"
        (home / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{self.port}\n"
            f"default_user = {USER}\ndefault_pass = {PASSWORD}\n"
            "log.console = true\nlog.file = false\n" + self._tls_lines(certificate)
        )
        loopback = "[{kernel, [{inet_dist_use_interface, {127, 0, 0, 1}}]}]."
        (home / "advanced.config").write_text(loopback)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "RABBITMQ_NODENAME": f"test{os.getpid()}x{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "logs"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none",
            "ERL_EPMD_PORT": str(mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        with self._log.open("wb") as log:
            started: dict[str, Any] = {
                "env": environment,
                "stdin": subprocess.DEVNULL,
                "stdout": log,
                "stderr": log,
                "start_new_session": True,
            }
            command = ["epmd", "-address", "127.0.0.1", "-port", str(mapper)]
            self._mapper = subprocess.Popen(command, **started)
            self._server = subprocess.Popen([str(script)], **started)
        try:
            self._await_start()
        except BaseException:
            self.close()
            raise

    def _tls_lines(self, certificate: Path | None) -> str:
        if certificate is None:
            return ""
        return (
            f"listeners.ssl.local = 127.0.0.1:{self.tls_port}\n"
            f"ssl_options.certfile = {certificate}\nssl_options.keyfile = {certificate}\n"
        )

    def close(self) -> None:
        """Stops the server and its port mapper."""
        for process in (self._server, self._mapper):
            process.terminate()
            try:
                process.wait(_STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def declare(self, queue: str, arguments: Mapping[str, Any] | None = None) -> None:
        """Makes a queue that is durable."""
        self._do(lambda c: c.queue_declare(queue, durable=True, arguments=dict(arguments or {})))

    def publish(self, queue: str, *bodies: bytes | str, **properties: Any) -> None:
        """Messages, in order; there when it returns. ``properties`` are those of AMQP's basic class."""
        from pamqp.commands import Basic  # noqa: PLC0415 - for tests only

        async def all_of_them(channel: Any) -> None:
            for body in bodies:
                data = body.encode() if isinstance(body, str) else body
                basic = Basic.Properties(delivery_mode=2, **properties)
                await channel.basic_publish(data, routing_key=queue, properties=basic)

        self._do(all_of_them)

    def waiting(self, queue: str) -> int:
        """Messages that are ready: neither consumed nor unacknowledged."""
        answer = self._do(lambda channel: channel.queue_declare(queue, passive=True))
        return int(answer.message_count)

    def drain(self, queue: str) -> Sequence[bytes]:
        """What waits in a queue, taken out of it."""

        async def all_of_it(channel: Any) -> list[bytes]:
            found: list[bytes] = []
            while True:
                message = await channel.basic_get(queue, no_ack=True)
                if type(message.delivery).__name__ == "GetEmpty":
                    return found
                found.append(bytes(message.body))

        return self._do(all_of_it)

    def delete(self, queue: str) -> None:
        """Deletes a queue; its consumers are cancelled."""
        self._do(lambda channel: channel.queue_delete(queue))

    def _do(self, work: Callable[[Any], Awaitable[_T]]) -> _T:
        """Work on a channel of a connection made for it."""

        async def run() -> _T:
            from aiormq import Connection  # noqa: PLC0415
            from yarl import URL  # noqa: PLC0415

            place = URL(self.url).with_user(USER).with_password(PASSWORD)
            connection: Any = Connection(place)
            async with asyncio.timeout(_DEADLINE_S):
                await connection.connect()
                try:
                    return await work(await connection.channel())
                finally:
                    await connection.close()

        return asyncio.run(run())

    def _await_start(self) -> None:
        deadline_s = time.monotonic() + _START_DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if self._server.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError(f"no RabbitMQ: {self._log.read_text()}") from None
                time.sleep(0.05)
            else:
                return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
