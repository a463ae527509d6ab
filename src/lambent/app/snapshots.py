"""Versions with SnapStart, from the control plane's thread to the node and back."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from lambent.control.directory import Directory
from lambent.control.snap_start import INIT_FAILED
from lambent.model.errors import AwsError
from lambent.model.function import FunctionVersion
from lambent.model.invocation import EnvironmentSpec
from lambent.node.agent import Node
from lambent.node.sandbox.contract import Backend, SandboxError
from lambent.node.sandbox.namespaces import NamespaceBackend
from lambent.node.snapshot import SnapshotError

Done = Callable[[tuple[str, str] | None], None]
_NOT_ISOLATED = (
    "isolated functions: a plain process has nothing that what is forked from it could go into "
    "(sudo lambent up)"
)


class SnapshotMaker:
    """See :class:`lambent.control.snap_start.Snapshots`. What is asked before there is a node waits for it."""

    def __init__(self, thread: ThreadPoolExecutor, loop: asyncio.AbstractEventLoop) -> None:
        self._thread = thread
        self._loop = loop
        self._missing: Callable[[str], str | None] = lambda _: "a platform that is up"
        self._directory: Directory | None = None
        self._node: Node | None = None
        self._waiting: list[tuple[FunctionVersion, Done]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, node: Node, directory: Directory, backend: Backend) -> None:
        """From now on they are made. Called on the loop's thread."""
        self._node, self._directory = node, directory
        self._missing = partial(snap_start_missing, backend)
        waiting, self._waiting = self._waiting, []
        for version, done in waiting:
            self._begin(version, done)

    def missing(self, runtime: str) -> str | None:
        """See the Protocol; called on the control plane's thread."""
        return self._missing(runtime)

    def prepare(self, version: FunctionVersion, done: Done) -> None:
        """See the Protocol; called on the control plane's thread."""
        self._loop.call_soon_threadsafe(self._begin, version, done)

    def _begin(self, version: FunctionVersion, done: Done) -> None:
        if self._node is None:
            self._waiting.append((version, done))
            return
        task = self._loop.create_task(self._make(version, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(self, version: FunctionVersion, done: Done) -> None:
        failure = await self._try(version)
        self._thread.submit(partial(done, failure))

    async def _try(self, version: FunctionVersion) -> tuple[str, str] | None:
        """``StateReason`` and its code, where there is no snapshot in the end."""
        if self._node is None or self._node.snapshots is None or self._directory is None:
            return f"This host lacks {self._missing('')}.", "InternalError"
        try:
            await self._node.snapshots.make(self._directory.spec(version))
        except SnapshotError as error:
            reason, code = INIT_FAILED
            return error.notice or reason, code
        except (SandboxError, AwsError, OSError) as error:
            return str(error), "InternalError"
        return None

    def retire(self, is_current: Callable[[EnvironmentSpec], bool]) -> None:
        """Ends what versions that are no more are forked from. Called on the loop's thread."""
        if self._node is not None and self._node.snapshots is not None:
            self._node.snapshots.retire(is_current)

    async def close(self) -> None:
        """Makes no more; ends those there are."""
        for task in self._tasks:
            task.cancel()
        if self._node is not None and self._node.snapshots is not None:
            await self._node.snapshots.close()


def snap_start_missing(backend: Backend, runtime: str) -> str | None:
    """What SnapStart of a runtime needs and this host, or this way of running functions, has not."""
    if isinstance(backend, NamespaceBackend):
        return backend.snap_start_missing(runtime)
    return _NOT_ISOLATED
