"""The programs that fetch and unpack images: ``skopeo`` and ``umoci``, with deadlines and limits.

Contract: :meth:`Tools.run` returns when the program has ended, and has ended it, with all that it started, when
it raises. What it prints is bounded. The loop's thread never calls it.
"""

import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lambent.node.images.manifest import MAX_DOCUMENT_BYTES

NEEDED = ("skopeo", "umoci")
_TICK_S = 0.1
_MAX_ERROR_BYTES = 16 * 1024
_CHUNK = 65536


class ToolFailure(Exception):
    """The program failed, or was ended; the text is its own last words, or why."""


class Stopped(Exception):
    """The platform stops."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``check`` is asked while the program runs, and raises what is to end it."""

    deadline_s: float
    check: Callable[[], None] = lambda: None


def obstacle(which: Callable[[str], str | None] = shutil.which) -> str | None:
    """Why images cannot be had here, and what to do; None when nothing is missing."""
    missing = [name for name in NEEDED if which(name) is None]
    if not missing:
        return None
    return (
        f"container images on this host, which has no {' and no '.join(missing)} "
        "(run: lambent runtimes add images);"
    )


class Tools:
    """Runs them one at a time per thread, until :meth:`stop`."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ends what runs; nothing is started any more."""
        self._stopped.set()

    def check(self) -> None:
        """Raises Stopped where the platform stops."""
        if self._stopped.is_set():
            raise Stopped

    def run(
        self, command: Sequence[str], limits: Limits, environ: Mapping[str, str] | None = None
    ) -> bytes:
        """What it printed. Raises ToolFailure, Stopped, and what ``limits.check`` raises."""
        self.check()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=tool_environ() if environ is None else dict(environ),
                start_new_session=True,
                umask=0o022,
            )
        except OSError as error:
            raise ToolFailure(f"{command[0]}: {error.strerror}") from error
        with process:
            try:
                return self._watch(process, limits)
            except BaseException:
                if (
                    process.returncode is None
                ):  # else it has been reaped, and its number is another's
                    os.killpg(process.pid, signal.SIGKILL)
                raise

    def _watch(self, process: "subprocess.Popen[bytes]", limits: Limits) -> bytes:
        end_s = time.monotonic() + limits.deadline_s
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - asked for
        printed, said = bytearray(), bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, printed)
            selector.register(process.stderr, selectors.EVENT_READ, said)
            while selector.get_map():
                for key, _ in selector.select(_TICK_S):
                    data = os.read(key.fd, _CHUNK)
                    key.data.extend(data)
                    if not data:
                        selector.unregister(key.fileobj)
                del said[:-_MAX_ERROR_BYTES]
                if len(printed) > MAX_DOCUMENT_BYTES:
                    raise ToolFailure("it printed too much")
                self.check()
                if time.monotonic() > end_s:
                    raise ToolFailure(f"it took longer than {limits.deadline_s:.0f} seconds")
                limits.check()
        if process.wait(max(0.1, end_s - time.monotonic())):
            raise ToolFailure(last_words(said.decode(errors="replace")))
        return bytes(printed)


def tool_environ() -> dict[str, str]:
    """What skopeo needs to find its auth file, certificates and a proxy, and nothing of AWS's."""
    kept = ("PATH", "HOME", "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "TMPDIR")
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
    return {name: os.environ[name] for name in (*kept, *proxies) if name in os.environ}


def last_words(said: str) -> str:
    """The line that says why, of what a tool wrote to standard error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if not lines:
        return "it gave no reason"
    return lines[-1].removeprefix("⨯").strip()[:1000]
