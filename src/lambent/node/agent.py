"""The node: turns a version's spec into live environments, through whatever sandbox this host allows."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from lambent.http1.server import HttpServer
from lambent.model.invocation import SNAP_START, EnvironmentSpec
from lambent.model.runtime_version import runtime_version_arn
from lambent.node.environ import build_environ, restored_environ
from lambent.node.environment import Environment, Watcher
from lambent.node.environment_log import EnvironmentLog, LogSink, Phase, open_log
from lambent.node.extensions_api.launch import find_extensions
from lambent.node.extensions_api.registry import MAX_EXTENSIONS
from lambent.node.freezer import Freezer
from lambent.node.insights import Insights
from lambent.node.java.runtimes import find_javas
from lambent.node.nodejs.runtimes import find_nodes
from lambent.node.outcomes import Failure
from lambent.node.ruby.runtimes import find_rubies
from lambent.node.runtimes import RUNTIME_NAMES, Interpreter, choose_interpreter, runtime_label
from lambent.node.sandbox.contract import (
    Backend,
    Launch,
    Sandbox,
    SandboxError,
    SnapshotBackend,
)
from lambent.node.snapshot import Snapshot, SnapshotError
from lambent.node.snapshots import Snapshots

_NO_EXTENSIONS = "Lambent does not support SnapStart together with extensions yet."
_REMEMBERED = 4096
"""POLICY: of how many layers' contents it is remembered which extensions they bring."""


class CredentialSource(Protocol):
    """Temporary credentials of a function's role."""

    def mint(self, spec: EnvironmentSpec, session_name: str) -> Mapping[str, str]:
        """The three ``AWS_*`` credential variables of one environment."""
        ...

    def revoke(self, environ: Mapping[str, str]) -> None:
        """The environment is gone: its credentials are no longer good."""
        ...


class Node:
    """Starts environments. ``edge`` serves the platform's endpoint inside each of them."""

    def __init__(
        self,
        backend: Backend,
        interpreters: list[Interpreter],
        log: LogSink,
        credentials: CredentialSource,
        edge: HttpServer,
        snapshots: SnapshotBackend | None = None,
    ) -> None:
        self.snapshots = Snapshots(snapshots, self._begin_snapshot) if snapshots else None
        """Of versions with SnapStart; None where this host cannot fork templates."""
        self._backend = backend
        self._interpreters = interpreters
        self._log = log
        self._credentials = credentials
        self._edge = edge
        self._freezer = Freezer()
        self._found_extensions: dict[Path, tuple[str, ...]] = {}

    async def start(self, spec: EnvironmentSpec, watcher: Watcher) -> Environment:
        """One environment on its way: ``watcher.on_ready`` follows, or ``on_gone``.

        Raises SandboxError when the host could not make it; nothing is left then.
        """
        log = open_log(spec, self._log, _log_stream(spec.version))
        phase: Phase = "restore" if spec.initialization_type == SNAP_START else "init"
        return await self._start(spec, log, phase, watcher)

    async def _start(
        self, spec: EnvironmentSpec, log: EnvironmentLog, phase: Phase, watcher: Watcher
    ) -> Environment:
        """An environment in its Init phase, or with the log of one that failed inside the invocation."""
        born_s = time.monotonic()
        now_ms = time.time_ns() // 1_000_000
        extensions = () if phase == "restore" else await self._extensions(spec)
        shown = extensions[:MAX_EXTENSIONS]
        beginning = None if phase == "restore" else self._backend.begin(spec, shown)
        try:
            credentials = self._credentials.mint(spec, log.stream[-32:])
        except BaseException:
            if beginning is not None:
                beginning.discard()
            raise
        try:
            if phase == "restore":
                sandbox = await self._restore(spec, restored_environ(log.stream, credentials))
            else:
                environ = build_environ(spec, log.stream, credentials)
                sandbox = await self._backend.start(Launch(spec, environ, shown, beginning))
        except BaseException:
            self._credentials.revoke(credentials)
            raise
        self._log_start(spec, log, phase, now_ms)
        revoke = partial(self._credentials.revoke, credentials)
        again = partial(self._start, spec, log, "invoke")
        environment = Environment(
            spec,
            sandbox,
            log,
            watcher,
            born_s,
            revoke,
            phase=phase,
            again=again,
            extensions=extensions,
            freezer=self._freezer,
        )
        if spec.has_insights:
            environment.insights = Insights(spec, log.stream, self._log, sandbox.usage)
        try:
            await environment.open(self._edge)
        except (OSError, ValueError):
            # Out of descriptors, or the child died meanwhile: it ends like any other, and tells its watcher.
            environment.stop()
        return environment

    async def _restore(self, spec: EnvironmentSpec, environ: Mapping[str, str]) -> Sandbox:
        if self.snapshots is None:
            raise SandboxError("this host cannot restore snapshots any more")
        return await self.snapshots.restore(spec, environ)

    async def _begin_snapshot(self, backend: SnapshotBackend, spec: EnvironmentSpec) -> Snapshot:
        """See :data:`lambent.node.snapshots.Begin`."""
        if await self._extensions(spec):
            failure = Failure("Extension.NotSupported", _NO_EXTENSIONS)
            raise SnapshotError(failure, _NO_EXTENSIONS)
        born_s = time.monotonic()
        log = open_log(spec, self._log, _log_stream(spec.version))
        credentials = self._credentials.mint(spec, log.stream[-32:])
        revoke = partial(self._credentials.revoke, credentials)
        launch = Launch(spec, build_environ(spec, log.stream, credentials))
        self._log_start(spec, log, "init", time.time_ns() // 1_000_000)
        try:
            template = await backend.start_template(launch)
        except BaseException:
            revoke()
            raise
        snapshot = Snapshot(spec, template, log, born_s, revoke)
        await snapshot.initialise(self._edge)
        return snapshot

    async def _extensions(self, spec: EnvironmentSpec) -> tuple[str, ...]:
        """The names of its external extensions. Layers never change, so it is looked once."""
        if spec.image is not None:
            return spec.image.extensions[: MAX_EXTENSIONS + 1]
        if spec.opt_dir is None:
            return ()
        found = self._found_extensions.get(spec.opt_dir)
        if found is None:
            loop = asyncio.get_running_loop()
            names = await loop.run_in_executor(None, find_extensions, spec.opt_dir)
            found = names[: MAX_EXTENSIONS + 1]  # one too many is enough to refuse
            if len(self._found_extensions) >= _REMEMBERED:
                self._found_extensions.clear()
            self._found_extensions[spec.opt_dir] = found
        return found

    def _log_start(
        self, spec: EnvironmentSpec, log: EnvironmentLog, phase: Phase, now_ms: int
    ) -> None:
        choice = choose_interpreter(spec.runtime, self._interpreters)
        build = choice.interpreter.build
        arn = runtime_version_arn(spec.region, build) if build else None
        label = runtime_label(spec.runtime, choice)
        log.started_with = (now_ms, label, phase, arn)
        log.init_start(now_ms, label, phase, arn)
        if choice.notice and phase == "init":
            log.notice(now_ms, choice.notice)
        if phase == "init":
            log.forget_tail()

    def describe(self) -> Mapping[str, Any]:
        """The sandbox in use, and what each runtime runs under (``exact``: as asked), for health."""
        prepared = [node.name for node in find_nodes()]
        prepared += [java.name for java in find_javas()]
        prepared += [ruby.name for ruby in find_rubies()]
        names = (*RUNTIME_NAMES, *prepared)
        choices = {name: choose_interpreter(name, self._interpreters) for name in names}
        runtimes = [
            {
                "name": name,
                "executable": choice.executable,
                "exact": choice.notice is None,
                "notice": choice.notice,
            }
            for name, choice in choices.items()
        ]
        return {"sandbox": self._backend.describe(), "runtimes": runtimes}


def _log_stream(version: str) -> str:
    """``2026/01/31/[$LATEST]<32 hex digits>``."""
    return f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{secrets.token_hex(16)}"
