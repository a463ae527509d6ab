"""A platform of its own for the demo: a process on a free port with a data directory that goes with it."""

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambent.cli.failures import CliError
from lambent.cli.health import fetch_health

READY_TIMEOUT_S = 30.0
READY_POLL_S = 0.01
STOP_TIMEOUT_S = 10.0
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Running:
    """A platform that answers. ``ready_ms``: from starting the process to its first answer."""

    url: str
    health: Mapping[str, Any]
    ready_ms: float
    process: subprocess.Popen[bytes]


def free_port() -> int:
    """A port of loopback nobody listens at now."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        return int(probe.getsockname()[1])


def command_line(port: int, data_dir: Path, sandbox: str) -> list[str]:
    """How ``lambent up`` is started for the demo."""
    up = [sys.executable, "-m", "lambent.cli", "up", "--host", LOOPBACK, "--port", str(port)]
    return [*up, "--data", str(data_dir), "--sandbox", sandbox]


@contextmanager
def running_platform(sandbox: str) -> Iterator[Running]:
    """A platform for the time of the block; stopped after it and its data removed, whatever happens."""
    with tempfile.TemporaryDirectory(prefix="lambent-demo-") as scratch:
        port = free_port()
        command = command_line(port, Path(scratch) / "data", sandbox)
        with started(command, f"http://{LOOPBACK}:{port}", Path(scratch) / "output") as running:
            yield running


@contextmanager
def started(command: Sequence[str], url: str, output: Path) -> Iterator[Running]:
    """Runs ``command`` until the block ends. Raises CliError, with what it printed, if it never answers."""
    begun = time.monotonic()
    with output.open("wb") as log:
        # A session of its own: Ctrl-C reaches the demo alone, which then stops it in order.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        health = _wait_until_ready(process, url, output)
        yield Running(url, health, (time.monotonic() - begun) * 1000, process)
    finally:
        stop(process)


def _wait_until_ready(
    process: subprocess.Popen[bytes], url: str, output: Path
) -> Mapping[str, Any]:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if (health := fetch_health(url)) is not None:
            return health
        if process.poll() is not None:
            said = output.read_text(errors="replace").strip()
            raise CliError(f"The platform ended (exit code {process.returncode}).", said)
        time.sleep(READY_POLL_S)
    raise CliError(f"The platform did not answer within {READY_TIMEOUT_S:.0f} s.", "lambent doctor")


def stop(process: subprocess.Popen[bytes]) -> float:
    """Asks the process to end, as Ctrl-C does; ends it if it will not. The milliseconds it took."""
    begun = time.monotonic()
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)
    return (time.monotonic() - begun) * 1000
