"""Functions that are written down, and environments restored from that: SnapStart where nothing forks (ADR 39).

The order of things: a function is initialised in an environment like any; it is written down from outside. For
each environment the zygote makes an empty one, in a user namespace of its own; CRIU restores into it, without
power over anything else; what is there then is looked at, gets its way out, and is told what is its own.
"""

import asyncio
import json
import os
import shutil
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from lambent.node.checkpoints.criu import Criu, CriuError, CriuSearch
from lambent.node.checkpoints.ended import ended
from lambent.node.checkpoints.sandbox import CheckpointSandbox, RestoredSandbox
from lambent.node.checkpoints.writing import write_down
from lambent.node.java.runtimes import JavaRuntime
from lambent.node.java.waiting import can_wait, knows_snap_start
from lambent.node.linux import syscalls as sys_
from lambent.node.linux.cgroup_layout import CgroupLayout
from lambent.node.linux.joined import check_powerless, check_restored
from lambent.node.linux.network_namespace import open_namespace
from lambent.node.runtimes import Interpreter
from lambent.node.sandbox import ways
from lambent.node.sandbox.birth import bear, open_outputs
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.made_ahead import MadeAhead
from lambent.node.sandbox.namespace_sandbox import Owner
from lambent.node.sandbox.shells import Shell, open_shell
from lambent.node.sandbox.stem_cells import StemCells
from lambent.node.sandbox.stem_cells_loaded import KEEP_S, MOST_KINDS
from lambent.node.sandbox.template_sandbox import pid_of
from lambent.node.sandbox.templates import Room
from lambent.node.sandbox.zygote_client import RUNTIME_API_PORT, ZygoteClient
from lambent.node.zygote.root import FIRST_UID

_KEEPER_UID = FIRST_UID + 50_000_000
"""POLICY: who reads images, the root of the user namespaces that are restored in: nobody's, of no file else."""
_RESTORE_DEADLINE_S = 10.0
_FIRST_PID = 30_000
"""CRIU counts from here: what is restored keeps its ids, which are lower."""
_MOST_BYTES = 16 * 1024**3
"""POLICY: of all images together."""
_MOST_WORDS = 300
_READABLE = 0o604
"""CRIU opens by name what it is given, as its user."""
_CREDENTIALS_BYTES = 12


class Checkpoints:
    """Of one backend, ``owner`` of the sandboxes. ``directory``: its own, emptied at :meth:`open`.

    ``criu``: a path, or a name. ``cpu_limit``: whether CPU goes with memory. ``count``: how many restored of each
    in use wait; up to ``most`` as they are wanted.
    """

    def __init__(
        self,
        owner: Owner,
        room: Room,
        directory: Path,
        endpoint_port: int,
        criu: str | None,
        *,
        cpu_limit: bool,
        count: int = 0,
        most: int | None = None,
        ahead: MadeAhead | None = None,
    ) -> None:
        self._owner = owner
        self._room = room
        self._directory = directory
        self._ports = [RUNTIME_API_PORT, endpoint_port]
        self._cpu_limit = cpu_limit
        self._search = CriuSearch(criu, directory / "criu")
        self._made: dict[CheckpointSandbox, tuple[Interpreter, int, Mapping[str, Any]]] = {}
        self._count = 0
        self._cells: StemCells[CheckpointSandbox, RestoredSandbox] = StemCells(
            self._restore_ahead,
            lambda t: str(id(t)),
            count,
            most=most,
            keep_s=KEEP_S,
            most_kinds=MOST_KINDS,
            ahead=ahead,
            label=self._label,
        )

    def open(self) -> None:
        """What another platform left behind is of no use."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def missing(self, java: JavaRuntime | None, runtime: str, layout: CgroupLayout) -> str | None:
        """What this host has not; None where it has all. ``java``: what ``runtime`` would run under.

        Waits for processes until it has found a CRIU.
        """
        if self._owner.rootless:
            return "root: CRIU writes functions down with it alone (sudo lambent up)"
        if layout.v2 is None or not layout.has("pids"):
            return "a cgroup v2 hierarchy to freeze functions in, and a pids controller"
        if java is None or not knows_snap_start(java):
            return f"that runtime, prepared by this release: lambent runtimes add {runtime}"
        if not can_wait(java, ()):
            return "a JVM that can wait to be written down, which this processor has none of"
        try:
            self._search.find()
        except CriuError as error:
            return f"CRIU 4 or newer whose `criu check` passes: {error}"
        return None

    async def start(
        self, interpreter: Interpreter, memory_mib: int, rest: Mapping[str, Any]
    ) -> CheckpointSandbox:
        """One on its way to being written down. ``rest`` is what makes it the function's; its program waits.

        Raises SandboxError.
        """
        criu = await self._criu()
        zygote = await self._room.zygote(interpreter)
        slot, cgroup = self._room.take_room(memory_mib)
        uid = self._room.uid(slot)
        sandbox = CheckpointSandbox(
            self._owner, slot, cgroup, self._cpu(memory_mib), uid, self._make_directory()
        )
        request = {
            "ports": self._ports,
            "hostname": "lambda",
            "network": self._room.way(slot),
            "uid": uid,
            "v2": True,
            "extensions": (),
            "rest": {**rest, "waits": True},
        }
        try:
            await bear(sandbox, zygote, request, cgroup)
        except BaseException:
            if not sandbox.pid:
                shutil.rmtree(sandbox.images, ignore_errors=True)
                self._room.abandon(cgroup, slot)
            raise
        write = partial(self._write, criu=criu, interpreter=interpreter, tmp_mib=rest["tmp_mib"])
        sandbox.write_down(write)
        self._made[sandbox] = (interpreter, memory_mib, rest)
        sandbox.exited.add_done_callback(lambda _: self._forget(sandbox))
        return sandbox

    def _forget(self, template: CheckpointSandbox) -> None:
        self._made.pop(template, None)
        self._cells.drop(str(id(template)))

    def prepare(self, template: CheckpointSandbox) -> None:
        """Environments are restored ahead from now on."""
        self._cells.use(template)

    def close(self) -> None:
        """Ends those that wait; no more are made."""
        self._cells.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    async def _write(
        self, sandbox: CheckpointSandbox, criu: Criu, interpreter: Interpreter, tmp_mib: int
    ) -> None:
        await self._room.zygote(interpreter, runs_functions=False)  # what restores is warm by then
        await write_down(sandbox, criu, _keeper(sandbox.uid), tmp_mib)
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(None, _size_bytes, self._directory) > _MOST_BYTES:
            raise SandboxError(
                "SnapStart: the snapshots of this host would be larger than 16 GiB together; remove versions"
            )

    async def restore(
        self, template: CheckpointSandbox, environ: Mapping[str, str]
    ) -> RestoredSandbox:
        """An environment in the state of ``template``, with what is its own in ``environ``.

        Raises SandboxError.
        """
        order = json.dumps({"environ": dict(environ)}).encode()
        restored = self._cells.take(template)
        if restored is not None:
            restored.thaw()
            try:
                restored.wake(order)
            except OSError:
                restored.discard()
            else:
                return restored
        restored = await self._restore(template)
        try:
            restored.wake(order)
        except OSError as error:
            restored.discard()
            raise SandboxError(f"the restored program ended: {error}") from error
        return restored

    async def _restore_ahead(self, template: CheckpointSandbox) -> RestoredSandbox:
        """One in which nothing goes on before it is wanted. Raises SandboxError."""
        restored = await self._restore(template)
        restored.freeze()
        return restored

    async def _restore(self, template: CheckpointSandbox) -> RestoredSandbox:
        """One that waits to be told what is its own. Raises SandboxError."""
        made = self._made.get(template)
        if made is None or template.is_retired:
            raise SandboxError("the snapshot is gone")
        interpreter, memory_mib, rest = made
        slot, cgroup = self._room.take_room(memory_mib)
        restored = RestoredSandbox(template, self._owner, slot, cgroup, self._cpu(memory_mib))
        template.hold(restored)
        try:
            with ExitStack() as lent, ExitStack() as kept:
                await self._revive(restored, slot, interpreter, rest, lent, kept)
                kept.pop_all()
        except BaseException as error:
            self._room.abandon(cgroup, slot)
            template.let_go(restored)
            if isinstance(error, OSError):
                raise SandboxError(f"the environment could not be restored: {error}") from error
            raise
        cgroup.close_birth_fds()
        return restored

    async def _revive(
        self,
        restored: RestoredSandbox,
        slot: int,
        interpreter: Interpreter,
        rest: Mapping[str, Any],
        lent: ExitStack,
        kept: ExitStack,
    ) -> None:
        """``lent`` closes what others have a copy of, ``kept`` what is the environment's if all goes well."""
        zygote = await self._room.zygote(interpreter, runs_functions=False)
        shell = await self._make_shell(zygote, restored.template.uid, rest)
        shell.join(kept)
        lent.callback(os.close, shell.pidfd)
        restored.runtime_api, restored.endpoint = shell.runtime_api, shell.endpoint
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        kept.callback(control.close)
        control.setblocking(False)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with theirs:
            pid = await self._run_criu(restored, shell, zygote, theirs, control, lent, kept)
        await self._connect(slot, pid, zygote)
        restored.adopt(pid, shell.lifeline)
        restored.listen_to(control)

    async def _make_shell(self, zygote: ZygoteClient, uid: int, rest: Mapping[str, Any]) -> Shell:
        request = {
            **rest,
            "ports": self._ports,
            "hostname": "lambda",
            "network": ways.loopback_only(),
            "uid": uid,
            "keeper": _keeper(uid),
            "first_pid": _FIRST_PID,
        }
        namespace = open_namespace(os.getpid(), "pid")
        try:
            return await open_shell(zygote, request, [namespace])
        finally:
            os.close(namespace)

    async def _run_criu(
        self,
        restored: RestoredSandbox,
        shell: Shell,
        zygote: ZygoteClient,
        theirs: socket.socket,
        control: socket.socket,
        lent: ExitStack,
        kept: ExitStack,
    ) -> int:
        """The pid of what it restored. Raises SandboxError, and OSError where that is not what it is to be."""
        criu, template = await self._criu(), restored.template
        outputs, children = open_outputs(restored, extensions=False)
        for fd in outputs:
            kept.callback(os.close, fd)
        orders, restored.orders = os.pipe2(os.O_CLOEXEC)
        kept.callback(os.close, restored.orders)
        os.fchmod(orders, _READABLE)
        images = os.open(template.images, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        log = os.memfd_create("criu", os.MFD_CLOEXEC)
        tools = sys_.clone_mount(str(criu.tools))
        for fd in (*children, orders, images, log, tools):
            lent.callback(os.close, fd)
        request = {"program": criu.program, "pipes": template.pipes, "uid": template.uid}
        cgroup = restored.cgroup
        fds = [theirs.fileno(), shell.pidfd, images, tools, children[0], children[1], orders, log]
        maker = await zygote.start({"revive": request}, [*fds, cgroup.v2_fd, *cgroup.v1_task_fds])
        theirs.close()
        await ended(maker, _RESTORE_DEADLINE_S)
        program = await _joined(control)
        if await ended(program, _RESTORE_DEADLINE_S):
            template.retire()  # it is initialised again when it is needed next
            said = _last_words(log) or _read(control) or "it does not say why"
            raise SandboxError(f"CRIU could not restore the environment: {said}")
        pids = cgroup.pids()
        if len(pids) != 1:
            raise SandboxError("the restored program ended")
        pid = pids.pop()
        check_restored(pid, pid_of(shell.pidfd), template.uid)
        check_powerless({pid})
        return pid

    async def _connect(self, slot: int, pid: int, zygote: ZygoteClient) -> None:
        """Only now: CRIU, which has the network's capabilities, cannot have given itself another's address."""
        way = self._room.way(slot)
        if way["make"]:
            wanted = {name: way[name] for name in ("make", "pid_at", "configure")}
            wanted |= {"pid": pid, "count": way["configure_count"]}
            await zygote.start({"connect": wanted}, ())

    async def _criu(self) -> Criu:
        try:
            return await asyncio.get_running_loop().run_in_executor(None, self._search.find)
        except CriuError as error:
            raise SandboxError(f"SnapStart needs CRIU: {error}") from error

    def _cpu(self, memory_mib: int) -> int:
        return memory_mib if self._cpu_limit else 0

    def _make_directory(self) -> Path:
        self._count += 1
        made = self._directory / str(self._count)
        made.mkdir(mode=0o700, parents=True)
        return made

    def _label(self, template: CheckpointSandbox) -> str:
        made = self._made.get(template)
        environ = made[2]["environ"] if made is not None else {}
        name = environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
        return f"restored of {name}:{environ.get('AWS_LAMBDA_FUNCTION_VERSION', '')}"

    def count(self) -> tuple[int, int]:
        """How many are written down, or on their way to it, and how many restored wait."""
        return len(self._made), self._cells.count()


def _keeper(uid: int) -> int:
    """Each function has one, as it has a user."""
    return _KEEPER_UID + uid - FIRST_UID


async def _joined(control: socket.socket) -> int:
    """The pid of whoever is about to be CRIU: the kernel's word. Raises SandboxError."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(control, _set, readable)
    try:
        async with asyncio.timeout(_RESTORE_DEADLINE_S):
            await readable
    except TimeoutError as error:
        raise SandboxError("the environment did not set itself up in time") from error
    finally:
        loop.remove_reader(control)
    data, ancillary, _, _ = control.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS_BYTES))
    for level, kind, content in ancillary:
        if data == b"joined" and level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return int.from_bytes(content[:4], sys.byteorder)
    raise SandboxError(data.decode(errors="replace") or "the environment died while it started")


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _last_words(log: int) -> str:
    text = os.pread(log, 65536, 0).decode(errors="replace")
    lines = [line for line in text.splitlines() if "Error" in line and "seccomp" not in line]
    return " ".join(lines or text.splitlines()[-1:])[:_MOST_WORDS]


def _read(control: socket.socket) -> str:
    with suppress(BlockingIOError):
        return control.recv(4096).decode(errors="replace")
    return ""


def _size_bytes(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
