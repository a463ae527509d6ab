"""A function that is initialised to be written down, and what is restored from that, as the node sees them.

Contract:
1. It is written down while it stands still: one process, that can make no other, and reads what it will be told.
2. Then it ends; what was written stays until it is retired, its user until the last of the restored is gone too.
3. What was restored holds no capability, runs filtered, in namespaces of its own, before it is told anything.
"""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from lambent.node.linux.cgroups import Cgroup
from lambent.node.sandbox.assignment import Assignment
from lambent.node.sandbox.contract import ExitStatus, SandboxError
from lambent.node.sandbox.namespace_sandbox import NamespaceSandbox, Owner

_REMOVE_RETRY_S = 0.005
_REMOVE_TRIES = 400
_END_S = 2.0
"""POLICY: how long after its pipe was closed a process may take to end, which tells more than that."""


class CheckpointSandbox(NamespaceSandbox):
    """``uid``: whom it and the restored run as; ``images``: the directory it is written to, its own."""

    def __init__(
        self, backend: Owner, slot: int, cgroup: Cgroup, cpu_mib: int, uid: int, images: Path
    ) -> None:
        super().__init__(backend, slot, cgroup, cpu_mib)
        self.uid = uid
        self.images = images
        self.cgroup = cgroup
        self.snapshot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when it is written down; fails where it could not be, or ended before."""
        self.assignment: Assignment = Assignment()
        self.is_retired = False
        self.pipes: tuple[int, ...] = ()
        """Standard output, log and orders, by inode: what is put in their places when it is restored."""
        self._is_written = self._is_gone = self._is_released = False
        self._restored: set[RestoredSandbox] = set()
        self._writing: asyncio.Task[None] | None = None

    def write_down(self, write: Callable[["CheckpointSandbox"], Awaitable[None]]) -> None:
        """Has ``write`` called when it waits; what that raises, ``snapshot`` fails with."""
        self._writing = asyncio.get_running_loop().create_task(self._write_down(write))

    async def _write_down(self, write: Callable[["CheckpointSandbox"], Awaitable[None]]) -> None:
        try:
            if not await self.assignment.waits:
                await asyncio.wait([self.exited], timeout=_END_S)
                self._fail(SandboxError("the function closed what it is told by"))
                return
            ends = (self.stdout_fd, self.telemetry_fd, self.assignment.writer)
            self.pipes = tuple(os.fstat(fd).st_ino for fd in ends)
            await write(self)
        except (SandboxError, OSError) as error:
            self._fail(error if isinstance(error, SandboxError) else SandboxError(str(error)))
            return
        self._is_written = True
        super().kill()
        if not self.snapshot.done():
            self.snapshot.set_result(None)

    def hold(self, restored: "RestoredSandbox") -> None:
        """One more that runs as its user."""
        self._restored.add(restored)

    def let_go(self, restored: "RestoredSandbox") -> None:
        """One less."""
        self._restored.discard(restored)
        self._settle()

    def retire(self) -> None:
        """Nothing is restored of it any more; what was lives on."""
        if self._writing is not None and not self._writing.done():
            self._writing.cancel()
        self.is_retired = True
        self.kill()
        self._tell_end()  # where it has ended already
        self._settle()

    def _tell_end(self) -> None:
        if not self._is_written or self.is_retired:
            super()._tell_end()

    def _finish(self, status: ExitStatus) -> None:
        super()._finish(status)
        if not self._is_written:
            self._fail(SandboxError("the function ended"))

    def _fail(self, error: SandboxError) -> None:
        if not self.snapshot.done():
            self.snapshot.set_exception(error)
            self.snapshot.exception()  # nobody may wait for it

    def _remove_cgroup(self, tries: int) -> None:
        """Its slot, which is its user's id, is not free before the last of the restored is gone."""
        if self._cgroup.remove() or tries == 0:
            self._is_gone = True
            self._settle()
            return
        asyncio.get_running_loop().call_later(_REMOVE_RETRY_S, self._remove_cgroup, tries - 1)

    def _settle(self) -> None:
        is_needed = self._is_written and not self.is_retired
        if not self._is_gone or self._restored or is_needed or self._is_released:
            return
        self._is_released = True
        shutil.rmtree(self.images, ignore_errors=True)
        self._backend.release(self._slot)


class RestoredSandbox(NamespaceSandbox):
    """An environment in the state of ``template``; until :meth:`wake` it waits to be one."""

    def __init__(
        self, template: CheckpointSandbox, backend: Owner, slot: int, cgroup: Cgroup, cpu_mib: int
    ) -> None:
        super().__init__(backend, slot, cgroup, cpu_mib)
        self.template = template
        self.cgroup = cgroup
        self.orders = -1
        """Where what it is told is written."""

    def wake(self, order: bytes) -> None:
        """It is an environment from now on. Raises OSError; it is of no use then."""
        orders, self.orders = self.orders, -1
        try:
            if os.write(orders, order) != len(order):
                raise BlockingIOError("the message was not taken as a whole")
        finally:
            os.close(orders)

    def _take_report(self, data: bytes, fds: list[int]) -> None:  # noqa: ARG002
        """Nothing it says now matters."""
        for fd in fds:
            os.close(fd)

    def _finish(self, status: ExitStatus) -> None:
        if self.orders >= 0:
            with suppress(OSError):
                os.close(self.orders)
            self.orders = -1
        super()._finish(status)
        self.template.let_go(self)
