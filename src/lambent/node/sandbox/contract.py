"""The contract of a sandbox: everything the node asks of isolation, and what holds after death.

Rules every implementation keeps (one contract suite runs over all of them):
1. ``Backend.start`` returns a live :class:`Sandbox`, or raises :class:`SandboxError` and leaves nothing behind.
2. ``freeze`` and ``thaw`` may be called at any time; on a dead sandbox they do nothing.
3. ``kill`` may be called at any time and more than once. After it ``exited`` resolves within a deadline,
   every process is gone, and every descriptor, cgroup and mount is given back.
4. ``exited`` resolves exactly once, also when the runtime ends by itself.
5. A sandbox starts with all the CPU there is; after ``limit_cpu`` it has its memory's share, where the host can.
6. ``memory_peak_bytes`` and ``oom_killed`` go on answering after death until the sandbox is dropped.
7. Launched with extensions it starts them, and the runtime at ``start_runtime``; it tells the end of each by
   ``on_process_exit`` and lives until it is killed.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lambent.model.invocation import EnvironmentSpec
from lambent.node.linux.usage import Usage


class SandboxError(Exception):
    """The host could not make a sandbox: our fault, not the function's."""


class NetworkError(SandboxError):
    """The network that was asked for cannot be had; no other sandbox is an answer to that."""


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How the runtime process ended: ``code``, or ``signal`` when one killed it.

    ``not_started``: why its program could not be started at all; empty when it was. ``not_mounted``: the same of
    the file system that its function shares.
    """

    code: int = 0
    signal: int = 0
    not_started: str = ""
    not_mounted: str = ""

    def describe(self) -> str:
        """AWS's words: ``exit status 1`` or ``signal: killed``."""
        if not self.signal:
            return f"exit status {self.code}"
        return f"signal: {_SIGNAL_WORDS.get(self.signal, str(self.signal))}"


# Go's syscall.Signal names, which AWS's messages show.
_SIGNAL_WORDS = {
    1: "hangup", 2: "interrupt", 3: "quit", 4: "illegal instruction", 5: "trace/breakpoint trap",
    6: "aborted", 7: "bus error", 8: "floating point exception", 9: "killed",
    11: "segmentation fault", 13: "broken pipe", 14: "alarm clock", 15: "terminated",
}  # fmt: skip


class Beginning(Protocol):
    """What a backend has begun to start, before it knows all."""

    def discard(self) -> None:
        """It will not be started."""
        ...


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start. ``environ`` is complete but for what only the backend knows (the addresses).

    ``extensions``: the files in ``/opt/extensions`` to start beside the runtime. ``beginning``: what
    :meth:`Backend.begin` gave for the same.
    """

    spec: EnvironmentSpec
    environ: Mapping[str, str]
    extensions: tuple[str, ...] = ()
    beginning: Beginning | None = None


OnProcessExit = Callable[[str, ExitStatus], None]
"""An extension's name, or nothing for the runtime, and how it ended."""


class Sandbox(Protocol):
    """One isolated runtime process and its descendants."""

    runtime_api: socket.socket
    """Listening, made where the function reaches it, served by the node."""
    endpoint: socket.socket | None
    """The same for the platform's own endpoint; None where the function shares the host's network."""
    runtime_fd: int
    """Our end of a socket that its runtime has from the start, for the Runtime API; -1 where there is none.
    Whoever serves it closes it."""
    stdout_fd: int
    telemetry_fd: int
    extension_fd: int
    """What its external extensions print; -1 where it was launched without any."""
    exited: "asyncio.Future[ExitStatus]"
    on_process_exit: OnProcessExit | None
    """Called in sandboxes that were launched with extensions."""

    @property
    def can_connect(self) -> bool: ...
    def start_runtime(self) -> None: ...
    def terminate_runtime(self) -> None: ...
    def kill_runtime(self) -> None: ...
    async def connection(self) -> socket.socket:
        """A TCP socket in its network, to be connected to a listener there. Raises OSError."""
        ...

    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def limit_cpu(self) -> None: ...
    def kill(self) -> None: ...
    def memory_peak_bytes(self) -> int: ...
    def usage(self) -> Usage | None:
        """What it has used of the machine besides; None when it is gone."""
        ...

    def oom_killed(self) -> bool: ...


class Template(Sandbox, Protocol):
    """A sandbox that others are forked from, once its function is initialised."""

    snapshot: "asyncio.Future[None]"
    """Done when it is; fails when it ends before."""
    is_retired: bool

    def retire(self) -> None:
        """Ends it; what was forked from it lives on."""
        ...

    def own_bytes(self) -> int:
        """What it holds of the machine's memory; nothing where it was written down."""
        ...


class SnapshotBackend(Protocol):
    """A backend that can fork what it started. All raise SandboxError where the host cannot."""

    async def start_template(self, launch: Launch) -> Template: ...
    async def restore(self, template: Template, environ: Mapping[str, str]) -> Sandbox:
        """A sandbox in the state of ``template``, whose runtime finds ``environ`` in its environment."""
        ...

    def prepare(self, template: Template) -> None:
        """It is about to be restored from: what can be done ahead may be."""
        ...


class Backend(Protocol):
    """Makes sandboxes of one kind."""

    async def open(self) -> None: ...
    def begin(self, spec: EnvironmentSpec, extensions: tuple[str, ...]) -> Beginning | None:
        """One is about to be started, or to be discarded: what needs no variables is under way meanwhile."""
        ...

    async def start(self, launch: Launch) -> Sandbox: ...
    async def close(self) -> None: ...
    def describe(self) -> Mapping[str, Any]: ...
