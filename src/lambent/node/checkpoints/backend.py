"""Functions that are written down, and environments restored from that: SnapStart where nothing forks (ADR 39).

The order of things: a function is initialised in an environment like any; it is written down from outside. For
each environment the zygote makes an empty one, in a user namespace of its own; CRIU restores into it, without
power over anything else; what is there then is looked at, gets its way out, and is told what is its own.
"""

import asyncio
import json
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from lambent.node.checkpoints.criu import Criu, CriuError, CriuSearch
from lambent.node.checkpoints.restoring import Restoring, keeper_of
from lambent.node.checkpoints.sandbox import CheckpointSandbox, RestoredSandbox
from lambent.node.checkpoints.writing import write_down
from lambent.node.java.runtimes import JavaRuntime
from lambent.node.java.waiting import can_wait, knows_snap_start
from lambent.node.linux.cgroup_layout import CgroupLayout
from lambent.node.runtimes import Interpreter
from lambent.node.sandbox.birth import bear
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.made_ahead import MadeAhead
from lambent.node.sandbox.namespace_sandbox import Owner
from lambent.node.sandbox.stem_cells import StemCells
from lambent.node.sandbox.stem_cells_loaded import KEEP_S, MOST_KINDS
from lambent.node.sandbox.templates import Room
from lambent.node.sandbox.zygote_client import RUNTIME_API_PORT

_MOST_BYTES = 16 * 1024**3
"""POLICY: of all images together."""


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
        await write_down(sandbox, criu, keeper_of(sandbox.uid), tmp_mib)
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
                restoring = Restoring(self._room, await self._criu(), self._ports)
                zygote = await self._room.zygote(interpreter, runs_functions=False)
                await restoring.revive(restored, slot, zygote, rest, lent, kept)
                kept.pop_all()
        except BaseException as error:
            self._room.abandon(cgroup, slot)
            template.let_go(restored)
            if isinstance(error, OSError):
                raise SandboxError(f"the environment could not be restored: {error}") from error
            raise
        cgroup.close_birth_fds()
        return restored

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


def _size_bytes(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
