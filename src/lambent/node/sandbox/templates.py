"""Templates, and the environments forked from them: SnapStart's way of starting (ADR 25).

The order of things: an empty environment is made by the zygote; the template forks into it; what joined is looked
at; it gets its cgroup and its way out; it waits to be woken with what is its own. All but the last is done
ahead, like a stem cell, for versions in use.
"""

import asyncio
import json
import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from lambent.node.linux.cgroups import Cgroup
from lambent.node.linux.network_namespace import open_namespace
from lambent.node.runtimes import Interpreter
from lambent.node.sandbox import ways
from lambent.node.sandbox.birth import bear, receive_fds
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.made_ahead import MadeAhead
from lambent.node.sandbox.namespace_sandbox import Owner
from lambent.node.sandbox.stem_cells import StemCells
from lambent.node.sandbox.template_sandbox import ForkSandbox, TemplateSandbox, hear_joined
from lambent.node.sandbox.zygote_client import RUNTIME_API_PORT, ZygoteClient

_KEEP_S = 600.0
_MOST_TEMPLATES = 32
"""POLICY: forks are made ahead of the versions restored last, for as long as they are restored."""
_FIRST_PID, _LAST_PID = 300, 30_000


class Room(Protocol):
    """What a backend has for environments."""

    def take_room(self, memory_mib: int) -> tuple[int, Cgroup]:
        """A slot and a cgroup. Raises SandboxError."""
        ...

    def abandon(self, cgroup: Cgroup, slot: int) -> None:
        """Gives both back."""
        ...

    def way(self, slot: int) -> Mapping[str, Any]:
        """How a slot's network is connected; see :mod:`.ways`."""
        ...

    def uid(self, slot: int) -> int:
        """Whom a slot's environment runs as."""
        ...

    async def zygote(self, interpreter: Interpreter) -> ZygoteClient:
        """The zygote of an interpreter. Raises SandboxError."""
        ...


class Templates:
    """Of one backend, ``owner`` of the sandboxes. ``cpu_limit``: whether CPU goes with memory.

    ``count``: how many forks of each in use wait; up to ``most`` as they are wanted.
    """

    def __init__(
        self,
        owner: Owner,
        room: Room,
        endpoint_port: int,
        count: int,
        *,
        cpu_limit: bool,
        most: int | None = None,
        ahead: MadeAhead | None = None,
    ) -> None:
        self._owner = owner
        self._room = room
        self._ports = [RUNTIME_API_PORT, endpoint_port]
        self._cpu_limit = cpu_limit
        self._made: dict[TemplateSandbox, _Made] = {}
        self._cells: StemCells[TemplateSandbox] = StemCells(
            self._fork,
            lambda t: str(id(t)),
            count,
            most=most,
            keep_s=_KEEP_S,
            most_kinds=_MOST_TEMPLATES,
            ahead=ahead,
            label=self._label,
        )

    async def start(
        self, interpreter: Interpreter, memory_mib: int, rest: dict[str, Any]
    ) -> TemplateSandbox:
        """One on its way to its snapshot; ``rest`` is what makes an environment the function's.

        Raises SandboxError.
        """
        zygote = await self._room.zygote(interpreter)
        slot, cgroup = self._room.take_room(memory_mib)
        uid = self._room.uid(slot)
        template = TemplateSandbox(self._owner, slot, cgroup, self._cpu(memory_mib), uid)
        request = {
            "ports": self._ports,
            "hostname": "lambda",
            "network": self._room.way(slot),
            "uid": uid,
            "v2": True,
            "extensions": (),
            "template": True,
            "rest": rest,
        }
        reports, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        reports.setblocking(False)
        try:
            with theirs:
                await bear(template, zygote, request, cgroup, (theirs.fileno(),))
        except BaseException:
            reports.close()
            if not template.pid:
                self._room.abandon(cgroup, slot)
            raise
        template.hear(reports)
        self._made[template] = _Made(zygote, memory_mib, rest)
        template.exited.add_done_callback(lambda _: self.forget(template))
        return template

    def forget(self, template: TemplateSandbox) -> None:
        """No more forks of it: it is to end, or has."""
        self._made.pop(template, None)
        self._cells.forget(str(id(template)))

    async def restore(self, template: TemplateSandbox, environ: Mapping[str, str]) -> ForkSandbox:
        """An environment in the state of ``template``, with what is its own in ``environ``.

        Raises SandboxError.
        """
        order = json.dumps({"environ": dict(environ)}).encode()
        cell = self._cells.take(template)
        if isinstance(cell, ForkSandbox):
            try:
                cell.wake(order)
            except OSError:
                cell.discard()
            else:
                return cell
        fork = await self._fork(template)
        try:
            fork.wake(order)
        except OSError as error:
            fork.discard()
            raise SandboxError(f"the fork ended: {error}") from error
        return fork

    def prepare(self, template: TemplateSandbox) -> None:
        """Forks are made ahead from now on."""
        self._cells.use(template)

    def templates(self) -> int:
        """How many are there to be forked."""
        return len(self._made)

    def count(self) -> int:
        """How many forks wait."""
        return self._cells.count()

    def close(self) -> None:
        """Ends the forks that wait; no more are made."""
        self._cells.close()

    def _label(self, template: TemplateSandbox) -> str:
        made = self._made.get(template)
        environ = made.rest["environ"] if made is not None else {}
        name = environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
        return f"forks of {name}:{environ.get('AWS_LAMBDA_FUNCTION_VERSION', '')}"

    def _cpu(self, memory_mib: int) -> int:
        return memory_mib if self._cpu_limit else 0

    async def _fork(self, template: TemplateSandbox) -> ForkSandbox:
        made = self._made.get(template)
        if made is None:
            raise SandboxError(template.given_up or "the template ended")
        slot, cgroup = self._room.take_room(made.memory_mib)
        fork = ForkSandbox(template, self._owner, slot, cgroup, self._cpu(made.memory_mib))
        try:
            with ExitStack() as lent, ExitStack() as kept:
                await self._join(fork, slot, made, lent, kept)
                kept.pop_all()
        except BaseException as error:
            template.let_go(fork)
            self._room.abandon(cgroup, slot)
            if isinstance(error, SandboxError) and template.given_up:
                raise SandboxError(template.given_up) from error
            raise
        cgroup.close_birth_fds()
        return fork

    async def _join(
        self, fork: ForkSandbox, slot: int, made: "_Made", lent: ExitStack, kept: ExitStack
    ) -> None:
        """``lent`` closes what others have a copy of, ``kept`` what is the fork's if all goes well."""
        lifeline_child, lifeline = os.pipe2(os.O_CLOEXEC)
        lent.callback(os.close, lifeline_child)
        kept.callback(os.close, lifeline)
        shell = await self._make_shell(fork, lifeline_child, made, lent, kept)
        children = _open_outputs(fork, lent, kept)
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        kept.callback(control.close)
        control.setblocking(False)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        loop = asyncio.get_running_loop()
        loop.add_reader(control, hear_joined, fork, control)
        try:
            with theirs:
                fds = [*children, theirs.fileno(), *fork.cgroup.v1_task_fds]
                await fork.template.fork(fork, shell, fds)
            await fork.enter_group()
            await self._connect(slot, fork.joined.result(), made.zygote)
            fork.adopt(fork.joined.result(), lifeline)
        except OSError as error:
            raise SandboxError(f"the fork ended: {error}") from error
        finally:
            loop.remove_reader(control)
        fork.listen_to(control)

    async def _make_shell(
        self,
        fork: ForkSandbox,
        lifeline_child: int,
        made: "_Made",
        lent: ExitStack,
        kept: ExitStack,
    ) -> int:
        """An empty environment with its listening sockets; its pid 1, by descriptor."""
        template = fork.template
        try:
            pid_namespace = open_namespace(template.pid, "pid")
        except OSError as error:
            raise SandboxError(f"the template ended: {error}") from error
        lent.callback(os.close, pid_namespace)
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.setblocking(False)
        lent.callback(control.close)
        request = {
            **made.rest,
            "ports": self._ports,
            "hostname": "lambda",
            "network": ways.loopback_only(),
            "uid": template.uid,
            "first_pid": _FIRST_PID + secrets.randbelow(_LAST_PID - _FIRST_PID),
        }
        with theirs:
            fds = (theirs.fileno(), lifeline_child, pid_namespace)
            await made.zygote.start({"shell": request}, fds)
        api, endpoint = (socket.socket(fileno=fd) for fd in await receive_fds(control, 2))
        kept.callback(api.close)
        kept.callback(endpoint.close)
        fork.runtime_api, fork.endpoint = api, endpoint
        (shell,) = await receive_fds(control, 1)
        lent.callback(os.close, shell)
        with suppress(SandboxError):  # it is closed when pid 1 is what it is to be
            await receive_fds(control, 1)
        return shell

    async def _connect(self, slot: int, pid: int, zygote: ZygoteClient) -> None:
        """Only now: what holds no capability any more cannot give itself another's address."""
        way = self._room.way(slot)
        if way["make"]:
            wanted = {name: way[name] for name in ("make", "pid_at", "configure")}
            await zygote.start(
                {"connect": {**wanted, "pid": pid, "count": way["configure_count"]}}, ()
            )


@dataclass(frozen=True, slots=True)
class _Made:
    """What a template was made with, for its forks."""

    zygote: ZygoteClient
    memory_mib: int
    rest: Mapping[str, Any]


def _open_outputs(fork: ForkSandbox, lent: ExitStack, kept: ExitStack) -> list[int]:
    """Pipes for standard output and the log: the fork has our ends, what is returned is its process's."""
    (fork.stdout_fd, stdout), (fork.telemetry_fd, telemetry) = (
        os.pipe2(os.O_CLOEXEC) for _ in range(2)
    )
    for fd in (fork.stdout_fd, fork.telemetry_fd):
        os.set_blocking(fd, False)
        kept.callback(os.close, fd)
    for fd in (stdout, telemetry):
        lent.callback(os.close, fd)
    return [stdout, telemetry]
