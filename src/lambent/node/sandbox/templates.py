"""Templates, and the environments forked from them: SnapStart's way of starting (ADR 25).

The order of things: an empty environment is made by the zygote; the template forks into it; what joined is looked
at; it gets its cgroup and its way out; it waits to be woken with what is its own. All but the last is done
ahead, like a stem cell, for versions in use; for what is wanted beyond that a few empty environments wait.
"""

import asyncio
import json
import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from lambent.node.linux.cgroups import Cgroup
from lambent.node.runtimes import Interpreter
from lambent.node.sandbox.birth import bear
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.made_ahead import MadeAhead
from lambent.node.sandbox.namespace_sandbox import Owner
from lambent.node.sandbox.runtime_socket import open_runtime_socket
from lambent.node.sandbox.shells import SHELL_BYTES, Shell, make_shell
from lambent.node.sandbox.stem_cells import StemCells
from lambent.node.sandbox.template_sandbox import ForkSandbox, TemplateSandbox, hear_joined
from lambent.node.sandbox.zygote_client import RUNTIME_API_PORT, ZygoteClient

_KEEP_S = 600.0
_MOST_TEMPLATES = 32
"""POLICY: forks are made ahead of the versions restored last, for as long as they are restored."""
_SHELLS = 8
"""POLICY: of each of them so many empty environments wait besides, which are half of a fork's work."""


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

    async def zygote(
        self, interpreter: Interpreter, *, runs_functions: bool = True
    ) -> ZygoteClient:
        """The zygote of an interpreter, or one that makes shells alone. Raises SandboxError."""
        ...

    def expect_shells(self, interpreter: Interpreter) -> None:
        """The latter is needed soon."""
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
        self._forking = 0
        self._cells: StemCells[TemplateSandbox, ForkSandbox] = StemCells(
            self._fork,
            lambda t: str(id(t)),
            count,
            most=most,
            keep_s=_KEEP_S,
            most_kinds=_MOST_TEMPLATES,
            ahead=ahead,
            label=self._label,
        )
        self._shells: StemCells[TemplateSandbox, Shell] = StemCells(
            self._make_shell,
            lambda t: str(id(t)),
            _SHELLS if count else 0,
            keep_s=_KEEP_S,
            most_kinds=_MOST_TEMPLATES,
            ahead=ahead,
            label=lambda t: f"shells for {self._label(t)}",
            least_bytes=SHELL_BYTES,
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
        self._room.expect_shells(interpreter)
        template.hear(reports)
        self._made[template] = _Made(interpreter, memory_mib, rest)
        template.exited.add_done_callback(lambda _: self.forget(template))
        return template

    def forget(self, template: TemplateSandbox) -> None:
        """No more forks of it: it is to end, or has."""
        self._made.pop(template, None)
        self._cells.drop(str(id(template)))
        self._shells.drop(str(id(template)))

    async def restore(self, template: TemplateSandbox, environ: Mapping[str, str]) -> ForkSandbox:
        """An environment in the state of ``template``, with what is its own in ``environ``.

        Raises SandboxError.
        """
        order = json.dumps({"environ": dict(environ)}).encode()
        cell = self._cells.take(template)
        if cell is not None:
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
        self._shells.use(template)

    def templates(self) -> int:
        """How many are there to be forked."""
        return sum(not template.is_retired for template in self._made)

    def count(self) -> int:
        """How many forks wait."""
        return self._cells.count()

    def close(self) -> None:
        """Ends the forks that wait; no more are made."""
        self._cells.close()
        self._shells.close()

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
        if not self._forking:
            template.expect_forks()
        self._forking += 1
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
        finally:
            self._forking -= 1
        cgroup.close_birth_fds()
        return fork

    async def _join(
        self, fork: ForkSandbox, slot: int, made: "_Made", lent: ExitStack, kept: ExitStack
    ) -> None:
        """``lent`` closes what others have a copy of, ``kept`` what is the fork's if all goes well."""
        shell = await self._shell(fork.template)
        shell.join(kept)
        lent.callback(os.close, shell.pidfd)
        fork.runtime_api, fork.endpoint = shell.runtime_api, shell.endpoint
        children = _open_outputs(fork, lent, kept)
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        kept.callback(control.close)
        control.setblocking(False)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        loop = asyncio.get_running_loop()
        loop.add_reader(control, hear_joined, fork, control)
        try:
            with theirs:
                fds = [*children[:2], theirs.fileno(), children[2], *fork.cgroup.v1_task_fds]
                await fork.template.fork(fork, shell.pidfd, fds)
            await fork.enter_group()
            await self._connect(slot, fork.joined.result(), made.interpreter)
            fork.adopt(fork.joined.result(), shell.lifeline)
        except OSError as error:
            raise SandboxError(f"the fork ended: {error}") from error
        finally:
            loop.remove_reader(control)
        fork.listen_to(control)

    async def _shell(self, template: TemplateSandbox) -> Shell:
        """One that waits, or another. Raises SandboxError."""
        while (shell := self._shells.take(template)) is not None:
            if shell.is_alive:
                return shell
            shell.discard()
        return await self._make_shell(template)

    async def _make_shell(self, template: TemplateSandbox) -> Shell:
        """An empty environment. Raises SandboxError."""
        made = self._made.get(template)
        if made is None:
            raise SandboxError(template.given_up or "the template ended")
        zygote = await self._room.zygote(made.interpreter, runs_functions=False)
        async with template.standing_still():
            return await make_shell(zygote, template, made.rest, self._ports)

    async def _connect(self, slot: int, pid: int, interpreter: Interpreter) -> None:
        """Only now: what holds no capability any more cannot give itself another's address."""
        way = self._room.way(slot)
        if way["make"]:
            zygote = await self._room.zygote(interpreter, runs_functions=False)
            wanted = {name: way[name] for name in ("make", "pid_at", "configure")}
            await zygote.start(
                {"connect": {**wanted, "pid": pid, "count": way["configure_count"]}}, ()
            )


@dataclass(frozen=True, slots=True)
class _Made:
    """What a template was made with, for its forks."""

    interpreter: Interpreter
    memory_mib: int
    rest: Mapping[str, Any]


def _open_outputs(fork: ForkSandbox, lent: ExitStack, kept: ExitStack) -> list[int]:
    """Pipes for standard output and the log, and the runtime's socket.

    The fork has our ends, what is returned is its process's.
    """
    (fork.stdout_fd, stdout), (fork.telemetry_fd, telemetry) = (
        os.pipe2(os.O_CLOEXEC) for _ in range(2)
    )
    fork.runtime_fd, runtime = open_runtime_socket()
    for fd in (fork.stdout_fd, fork.telemetry_fd, fork.runtime_fd):
        os.set_blocking(fd, False)
        kept.callback(os.close, fd)
    for fd in (stdout, telemetry, runtime):
        lent.callback(os.close, fd)
    return [stdout, telemetry, runtime]
