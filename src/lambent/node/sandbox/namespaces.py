"""Sandboxes from Linux namespaces, forked from a warm zygote: the way functions normally run.

The node makes cgroup, pipes and lifeline; the zygote forks; the child isolates itself and hands back
listening sockets of its own network namespace. Ending an environment is closing its lifeline: pid 1
of its namespace reads it, and the kernel kills the rest.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambent.model.invocation import EnvironmentSpec
from lambent.model.limits import MEMORY_MAX
from lambent.node.checkpoints.backend import Checkpoints
from lambent.node.checkpoints.sandbox import CheckpointSandbox
from lambent.node.java.runtimes import is_java
from lambent.node.java.waiting import waiting_command
from lambent.node.linux.cgroups import prepare_layout
from lambent.node.linux.user_notification import can_ask
from lambent.node.runtimes import Interpreter, choose_interpreter
from lambent.node.sandbox.assignment import Assignment
from lambent.node.sandbox.birth import bear
from lambent.node.sandbox.connections import Connections
from lambent.node.sandbox.contract import Launch, SandboxError, Template
from lambent.node.sandbox.isolation import isolation, not_limited
from lambent.node.sandbox.made_ahead import CGROUP_BYTES, NETWORK_BYTES, MadeAhead
from lambent.node.sandbox.managed import (
    managed_runtime,
    python_search,
)
from lambent.node.sandbox.namespace_sandbox import NamespaceSandbox
from lambent.node.sandbox.places import REMOVE_RETRY_S, Places
from lambent.node.sandbox.prepared_cgroups import PreparedCgroups
from lambent.node.sandbox.requests import Requests
from lambent.node.sandbox.stem_cells import StemCells
from lambent.node.sandbox.stem_cells_loaded import LoadedKind, LoadedStemCells
from lambent.node.sandbox.stem_cells_python import (
    ForkKind,
    PythonBeginning,
    begin_python,
    fork_kinds,
    is_plain_python,
    until_it_waits,
)
from lambent.node.sandbox.template_sandbox import TemplateSandbox
from lambent.node.sandbox.templates import Templates
from lambent.node.sandbox.zygote_client import RUNTIME_API_PORT, ZygoteClient
from lambent.node.sandbox.zygotes import Zygotes
from lambent.node.zygote.rootless import INSIDE_UID
from lambent.settings import NetworkChoice

_SETUP_DEADLINE_S = 10.0


class NamespaceBackend:
    """Starts :class:`NamespaceSandbox` es; keeps one zygote per interpreter.

    ``code_root``: the directory under which every ``task_dir`` and ``opt_dir`` lies. ``run_dir``: an empty
    directory to build roots on. ``endpoint_port``: where the platform is reachable inside. ``network``: whether
    functions have a way out; ``auto``: where that can be had. ``file_systems``: access point ARN → the host's
    directory that functions share. ``images``: where unpacked container images lie. ``stem_cells``,
    ``loaded_stem_cells``: how many of each kind wait, and up to ``most_…`` as they are wanted.
    """

    def __init__(
        self,
        interpreters: list[Interpreter],
        code_root: Path,
        run_dir: Path,
        endpoint_port: int,
        max_environments: int,
        *,
        cpu_limit: bool = True,
        network: NetworkChoice = "auto",
        stem_cells: int = 0,
        loaded_stem_cells: int = 0,
        most_stem_cells: int | None = None,
        most_loaded_stem_cells: int | None = None,
        prepared_networks: int = 0,
        file_systems: Mapping[str, Path] | None = None,
        images: Path | None = None,
        criu: str | None = None,
    ) -> None:
        self._interpreters = interpreters
        self._code_root = code_root
        self._endpoint_port = endpoint_port
        self._file_systems = dict(file_systems or {})
        ports = (RUNTIME_API_PORT, endpoint_port)
        self._connections = Connections(network, ports, prepared_networks)
        self.rootless = os.geteuid() != 0
        self.places = Places(self._connections, max_environments, rootless=self.rootless)
        # What whoever makes environments of other kinds asks a backend for.
        self.take_room, self.abandon = self.places.take_room, self.places.abandon
        self.way, self.uid, self.release = self.places.way, self.places.uid, self.places.release
        self._groups = PreparedCgroups(self.places.make_cgroup, prepared_networks)
        self._cpu_limit = cpu_limit
        self.ahead = MadeAhead()
        """What waits prepared, to be bounded by whoever answers for the machine's memory."""
        self.ahead.join_parts(self._groups, CGROUP_BYTES)
        self._stem_cells = StemCells(
            self._make_stem_cell,
            lambda k: k.key,
            stem_cells,
            most=most_stem_cells,
            ahead=self.ahead,
        )
        self._requests = Requests(code_root, endpoint_port, tuple(self._file_systems))
        self._loaded = LoadedStemCells(
            self._make_loaded,
            self.zygote,
            loaded_stem_cells,
            cpu_limit=cpu_limit,
            most=most_loaded_stem_cells,
            ahead=self.ahead,
        )
        self.templates = Templates(
            self,
            self,
            endpoint_port,
            stem_cells,
            cpu_limit=cpu_limit,
            most=most_stem_cells,
            ahead=self.ahead,
        )
        self.checkpoints = Checkpoints(
            self,
            self,
            run_dir / "checkpoints",
            endpoint_port,
            criu,
            cpu_limit=cpu_limit,
            count=loaded_stem_cells,
            most=most_loaded_stem_cells,
            ahead=self.ahead,
        )
        self._zygotes = Zygotes(
            run_dir,
            images,
            lambda: self._connections.namespaces,
            self._setup,
            self._forget_cells,
        )

    async def open(self) -> None:
        """Finds out what the host allows and warms a zygote; those of other interpreters follow meanwhile.

        Raises SandboxError with the reason where namespaces cannot be made, NetworkError where there is no way out
        for functions and one was asked for.
        """
        self.checkpoints.open()
        await self._connections.open()
        if self._connections.prepared is not None:
            self.ahead.join_parts(self._connections.prepared, NETWORK_BYTES)
        self.places.layout = prepare_layout()
        try:
            await self.zygote(self._interpreters[0])
        except SandboxError:
            self.places.layout.remove()
            await self._connections.close()
            raise
        self._zygotes.warm(self._interpreters[1:])

    async def zygote(
        self, interpreter: Interpreter, *, runs_functions: bool = True
    ) -> ZygoteClient:
        """See :meth:`Zygotes.get`. Without root there is one for both: shells are made below its namespaces."""
        runs_functions |= self.rootless
        return await self._zygotes.get(interpreter, runs_functions=runs_functions)

    def expect_shells(self, interpreter: Interpreter) -> None:
        """Something is going to be forked on it: what makes empty environments is started meanwhile."""
        self._zygotes.warm([interpreter], runs_functions=self.rootless)

    def _forget_cells(self, interpreter: Interpreter) -> None:
        """Their zygote is gone."""
        for kind in fork_kinds(interpreter):
            self._stem_cells.forget(kind.key)
        self._loaded.cells.forget_all()

    def _setup(self) -> Mapping[str, Any]:
        return {
            "code_root": str(self._code_root),
            "uids": [INSIDE_UID] if self.rootless else self.places.uids,
            "resolv_conf": self._connections.resolv_conf,
            "rootless": self.rootless,
            "file_systems": [str(path) for path in self._file_systems.values()],
        }

    def begin(self, spec: EnvironmentSpec, extensions: tuple[str, ...]) -> PythonBeginning | None:
        """Takes a loaded stem cell for a function of Python; see the contract."""
        if self.rootless or not is_plain_python(spec, extensions):
            return None
        interpreter = choose_interpreter(spec.runtime, self._interpreters).interpreter
        cell = self._stem_cells.take(ForkKind(interpreter, is_loaded=True))
        search = python_search(interpreter)
        return begin_python(cell, spec, search, cpu_limit=self._cpu_limit)

    async def start(self, launch: Launch) -> NamespaceSandbox:
        """Starts one environment; see the contract. Raises SandboxError."""
        choice = choose_interpreter(launch.spec.runtime, self._interpreters)
        managed = managed_runtime(launch.spec, choice)
        beginning = launch.beginning or self.begin(launch.spec, launch.extensions)
        if isinstance(beginning, PythonBeginning):
            self.ahead.postpone()
            python = beginning.finish(self._requests.environ(launch, managed))
            if python is not None:
                return python
        rest = self._requests.rest(launch, managed)
        memory_mib = launch.spec.memory_mib
        self.ahead.postpone()
        if managed.waiting and not launch.extensions and launch.spec.file_system is None:
            kind = self._requests.kind(launch.spec.runtime, choice.interpreter, managed)
            loaded = await self._loaded.start(kind, rest, memory_mib)
            if loaded is not None:
                return loaded
        # Extensions need a pipe more than a stem cell has.
        is_other = beginning is None and not launch.extensions
        cell = self._become(choice.interpreter, launch, rest) if is_other else None
        return cell or await self._make(choice.interpreter, memory_mib, rest)

    def _become(
        self, interpreter: Interpreter, launch: Launch, rest: Mapping[str, Any]
    ) -> NamespaceSandbox | None:
        """A halfway stem cell that is the function of ``rest`` now; None where there is none."""
        cell = self._stem_cells.take(ForkKind(interpreter, is_loaded=False))
        if cell is None:
            return None
        message = json.dumps(rest).encode()
        try:
            cell.specialise(message, launch.spec.memory_mib, cpu_limit=self._cpu_limit)
        except OSError:
            cell.discard()
            return None
        return cell

    async def start_template(self, launch: Launch) -> TemplateSandbox | CheckpointSandbox:
        """What environments of a version start from, on its way to its snapshot. Raises SandboxError."""
        choice = choose_interpreter(launch.spec.runtime, self._interpreters)
        managed = managed_runtime(launch.spec, choice)
        rest = self._requests.rest(launch, managed)
        if is_java(launch.spec.runtime):
            rest["entry"] = {"command": waiting_command(managed.command)}
            memory_mib = launch.spec.memory_mib
            return await self.checkpoints.start(choice.interpreter, memory_mib, rest)
        return await self.templates.start(choice.interpreter, launch.spec.memory_mib, rest)

    async def restore(self, template: Template, environ: Mapping[str, str]) -> NamespaceSandbox:
        """An environment in the state of one of :meth:`start_template`. Raises SandboxError."""
        self.ahead.postpone()
        if isinstance(template, CheckpointSandbox):
            return await self.checkpoints.restore(template, environ)
        assert isinstance(template, TemplateSandbox)  # noqa: S101 - made here
        return await self.templates.restore(template, environ)

    def prepare(self, template: Template) -> None:
        """Has environments of it made ahead."""
        if isinstance(template, CheckpointSandbox):
            self.checkpoints.prepare(template)
            return
        assert isinstance(template, TemplateSandbox)  # noqa: S101 - made here
        self.templates.prepare(template)

    def snap_start_missing(self, runtime: str = "") -> str | None:
        """What SnapStart of a runtime needs and this host has not; None where it has it all.

        Waits for processes the first time it is asked of Java.
        """
        if is_java(runtime):
            java = choose_interpreter(runtime, self._interpreters).java
            return self.checkpoints.missing(java, runtime, self.places.layout)
        if self.places.layout.v2 is None and self.rootless:
            return (
                "root, or a cgroup of its own to freeze initialised functions in: "
                "systemd-run --user --scope -p Delegate=yes lambent up"
            )
        if self.places.layout.v2 is None:
            return "a cgroup v2 hierarchy to freeze initialised functions in"
        if not can_ask():
            return "Linux 5.8 with seccomp's user notification"
        return None

    async def _make_stem_cell(self, kind: ForkKind) -> NamespaceSandbox:
        make = self._make(kind.interpreter, MEMORY_MAX.value, None, python_cell=kind.is_loaded)
        return await until_it_waits(await make) if kind.is_loaded else await make

    async def _make_loaded(self, kind: LoadedKind) -> NamespaceSandbox:
        return await self._make(kind.interpreter, MEMORY_MAX.value, kind.rest)

    async def _make(
        self,
        interpreter: Interpreter,
        memory_mib: int,
        rest: Mapping[str, Any] | None,
        *,
        python_cell: bool = False,
    ) -> NamespaceSandbox:
        """An environment, or without ``rest`` a stem cell. Raises SandboxError."""
        zygote = await self.zygote(interpreter)
        prepared = self._connections.take_prepared() if self.places.free else None
        ready = self._groups.take(memory_mib) if self.places.free else None
        try:
            slot, cgroup = self.places.take_room(memory_mib, prepared and prepared.address, ready)
        except SandboxError:
            if prepared is not None:
                prepared.discard()
            raise
        extensions = rest["extensions"] if rest else ()
        sandbox = NamespaceSandbox(
            self,
            slot,
            cgroup,
            memory_mib if self._cpu_limit else 0,
            is_supervised=bool(extensions),
        )
        if python_cell:
            sandbox.waits = asyncio.get_running_loop().create_future()
        if rest and rest.get("waits"):
            sandbox.assignment = Assignment()
        request = {
            "ports": [RUNTIME_API_PORT, self._endpoint_port],
            "hostname": "lambda",
            "network": self.places.way(slot) if prepared is None else None,
            "uid": self.places.uid(slot),
            "v2": self.places.layout.v2 is not None,
            "extensions": extensions,
            "rest": rest,
            "python_cell": python_cell,
        }
        try:
            await bear(sandbox, zygote, request, cgroup, prepared=prepared)
        except BaseException:
            if not sandbox.pid:
                self.places.abandon(cgroup, slot)
            raise
        return sandbox

    def settled(self) -> None:
        """An environment has been initialised: a burst may go on, so nothing is made ahead yet."""
        self.ahead.postpone()
        self._connections.postpone()
        self._groups.postpone()

    async def close(self) -> None:
        """Ends the zygotes, and removes the cgroups once every sandbox (killed before) is gone."""
        self._zygotes.stop()
        self._stem_cells.close()
        self.templates.close()
        self.checkpoints.close()
        self._loaded.cells.close()
        await self._zygotes.close()
        end = asyncio.get_running_loop().time() + _SETUP_DEADLINE_S
        while self.places.live and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - once
            await asyncio.sleep(REMOVE_RETRY_S)
        await self._connections.close()
        await self._groups.close()
        self.places.layout.remove()
        self._zygotes.remove_roots()

    def describe(self) -> Mapping[str, Any]:
        """What isolation really holds, for health and doctor."""
        return {
            "kind": "namespaces",
            "templates": self.templates.templates(),
            "forks_ahead": self.templates.count(),
            "checkpoints": self.checkpoints.count()[0],
            "restored_ahead": self.checkpoints.count()[1],
            "stem_cells": self._stem_cells.count(),
            "loaded_stem_cells": self._loaded.cells.count(),
            "ahead": self.ahead.describe(),
            "network": self._connections.describe(),
            "snap_start_missing": self.snap_start_missing(),
            "isolation": isolation(
                self.places.layout, cpu_limit=self._cpu_limit, rootless=self.rootless
            ),
            "notices": [*not_limited(self.places.layout), *self._connections.notices()],
        }
