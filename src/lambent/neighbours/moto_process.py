"""The embedded neighbour: moto in a process of its own, started at first use and never before.

1. One process at most; those who need it while it starts wait for the same start.
2. It ends with the platform, also when that is killed.
3. What it holds is in memory. When it ended by itself, the next request is told so (503) and a new,
   empty one starts; nobody is silently answered from it.
"""

import asyncio
import importlib.util
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from lambent.http1.client import Server
from lambent.model.errors import PlatformFault

START_DEADLINE_S: Final = 60.0
_BACKLOG: Final = 128
_log = logging.getLogger("lambent.neighbours")


@cache
def moto_directory() -> Path | None:
    """Where moto is installed; it is not imported. None where it is not."""
    found = importlib.util.find_spec("moto")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent


def moto_serves(service: str) -> bool:
    """Whether moto knows a service (botocore's name)."""
    directory = moto_directory()
    name = service.replace("-", "")
    return directory is not None and name.isalnum() and (directory / name / "urls.py").is_file()


class MotoProcess:
    """Made stopped; lives on the loop's thread."""

    def __init__(self, log_path: Path) -> None:
        self._log_path = log_path
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Task[Server] | None = None
        self._server: Server | None = None
        self._closed = False

    @property
    def state(self) -> str:
        """``running``, ``starting``, ``ended`` (by itself), or ``not started``."""
        if self._starting is not None and not self._starting.done():
            return "starting"
        if self._process is None:
            return "not started"
        return "running" if self._process.returncode is None else "ended"

    def describe(self) -> dict[str, Any]:
        """For the health document."""
        running = self.state == "running" and self._process is not None
        pid = self._process.pid if running and self._process else None
        return {"state": self.state, "pid": pid, "storage": "memory"}

    async def server(self) -> Server:
        """Where it listens, started if need be.

        Raises 503: it cannot start, or it ended by itself since it was last asked.
        """
        if self._closed:
            raise PlatformFault("The platform stops.", "ServiceUnavailable", 503)
        if self.state == "ended":
            self._begin()
            raise self.lost()
        if self._server is not None and self.state == "running":
            return self._server
        if self._starting is None or self._starting.done():
            self._begin()
        assert self._starting is not None  # noqa: S101 - just begun
        return await asyncio.shield(self._starting)

    def lost(self) -> PlatformFault:
        """What those are told whose data went with the process."""
        return PlatformFault(
            "The embedded neighbour (moto) ended. What it held was in memory and is gone; an empty one "
            f"starts now. Its log is {self._log_path}.",
            "ServiceUnavailable",
            503,
        )

    def _begin(self) -> None:
        self._process = self._server = None
        self._starting = asyncio.get_running_loop().create_task(self._start())
        # An error is told to those who wait; with nobody waiting it is logged by _start.
        self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _start(self) -> Server:
        listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        with listener:
            port = listener.getsockname()[1]
            process = await self._spawn(listener.fileno(), port)
        self._process = process
        assert process.stdout is not None  # noqa: S101 - asked for
        try:
            async with asyncio.timeout(START_DEADLINE_S):
                line = await process.stdout.readline()
        except TimeoutError:
            line = b""
        if line.strip() != b"ready":
            _log.error("the embedded neighbour (moto) did not start; see %s", self._log_path)
            await self._end(process)
            self._process = None
            text = f"The embedded neighbour (moto) did not start; see {self._log_path}."
            raise PlatformFault(text, "ServiceUnavailable", 503)
        self._server = Server("127.0.0.1", port)
        return self._server

    async def _spawn(self, fd: int, port: int) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "lambent.neighbours.moto_server"]
        with open(self._log_path, "ab") as log:  # noqa: ASYNC230 - once a start
            return await asyncio.create_subprocess_exec(
                *command, str(fd), str(port), str(os.getpid()),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log,
                pass_fds=(fd,), env=_environ(), start_new_session=True,
            )  # fmt: skip

    async def reset(self) -> None:
        """Forgets everything: ends the process; the next request starts an empty one."""
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.cancel()
            with suppress(asyncio.CancelledError, PlatformFault):
                await starting
        process, self._process, self._server = self._process, None, None
        if process is not None:
            await self._end(process)

    async def close(self) -> None:
        """Ends it for good."""
        self._closed = True
        await self.reset()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)  # it has nothing to save
        await process.wait()


def _environ() -> dict[str, str]:
    """The platform's, without the operator's credentials; buckets stand in paths (see routing)."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MOTO_", "LAMBENT_"))}
    return kept | {"S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true", "PYTHONUNBUFFERED": "1"}
