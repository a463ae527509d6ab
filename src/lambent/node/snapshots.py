"""The snapshots of this node, one for each version in use: made when it is published, or when it is first needed.

Contract:
1. However many environments ask at once, a version is initialised once; again only after its template died, was
   given up to make room, or the platform was started anew.
2. A version that is no more has no snapshot; environments forked from it go on.
3. One that nothing is being forked from may be given up for its memory; environments forked from it go on.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from lambent.model.errors import PlatformFault
from lambent.model.invocation import EnvironmentSpec
from lambent.node.sandbox.contract import Sandbox, SandboxError, SnapshotBackend
from lambent.node.snapshot import Snapshot, SnapshotError

_MOST_SNAPSHOTS = 64
"""POLICY: how many versions are kept initialised; one not used for longest is initialised again when it is."""

_NO_ROOM = (
    "there is no memory left for an initialised version. "
    "See --max-memory and --memory-reserve of lambent up"
)
_MIB = 1024 * 1024

Begin = Callable[[SnapshotBackend, EnvironmentSpec], Awaitable[Snapshot]]
"""Starts a template and initialises it. Raises SandboxError or SnapshotError."""


@dataclass(frozen=True, slots=True)
class TemplateState:
    """What it would cost to give one up. ``held_bytes``: also what one may come to that initialises."""

    is_made: bool
    is_used: bool
    idle_s: float
    init_s: float
    held_bytes: int


class Snapshots:
    """Lives on the loop's thread only."""

    has_room: Callable[[EnvironmentSpec, int], bool] = staticmethod(lambda *_: True)
    """Whether there is memory for a version's template, and so many MiB more; by whoever answers for it."""

    def __init__(self, backend: SnapshotBackend, begin: Begin, most: int = _MOST_SNAPSHOTS) -> None:
        self._backend = backend
        self._begin = begin
        self._most = most
        self._specs: dict[str, EnvironmentSpec] = {}
        self._made: dict[str, asyncio.Task[Snapshot]] = {}
        self._restoring: Counter[str] = Counter()

    async def make(self, spec: EnvironmentSpec) -> None:
        """Has a version initialised, if it is not.

        Raises SandboxError, PlatformFault where there is no memory for it, or SnapshotError: it is the function's.
        """
        if not self._is_made(spec.key) and not self.has_room(spec, spec.memory_mib):
            raise PlatformFault(_NO_ROOM, "ServiceException", 503)
        await self._get(spec)

    async def restore(self, spec: EnvironmentSpec, environ: Mapping[str, str]) -> Sandbox:
        """An environment in the state of its snapshot, with ``environ`` as its own.

        Raises SandboxError, or PlatformFault where it had to be initialised again and left no memory for a fork.
        """
        self._restoring[spec.key] += 1
        try:
            was_live = _is_live(self._made.get(spec.key))
            snapshot = await self._get(spec)
            if not was_live and not self.has_room(spec, 0):
                raise PlatformFault(_NO_ROOM, "ServiceException", 503)
            sandbox = await self._backend.restore(snapshot.template, environ)
            snapshot.use(sandbox)
        except SnapshotError as error:
            raise SandboxError(f"its snapshot could not be made again: {error}") from error
        finally:
            self._restoring[spec.key] -= 1
            self._restoring += Counter()  # those at nothing are gone from it
        return sandbox

    async def _get(self, spec: EnvironmentSpec) -> Snapshot:
        task = self._made.get(spec.key)
        if task is None or not self._is_made(spec.key):
            task = asyncio.get_running_loop().create_task(self._make(spec))
            self._made[spec.key] = task
            self._specs[spec.key] = spec
            self._make_room()
        return await asyncio.shield(task)

    def _is_made(self, key: str) -> bool:
        """Or is on its way."""
        task = self._made.get(key)
        return task is not None and (not task.done() or _is_live(task))

    async def _make(self, spec: EnvironmentSpec) -> Snapshot:
        snapshot = await self._begin(self._backend, spec)
        if spec.key in self._made:
            self._backend.prepare(snapshot.template)
        else:
            snapshot.template.retire()  # nobody wants it any more
        return snapshot

    def _make_room(self) -> None:
        unused = [
            (task.result().used_s, key)
            for key, task in self._made.items()
            if _is_live(task) and not task.result().forks
        ]
        for _, key in sorted(unused)[: max(0, len(self._made) - self._most)]:
            self._drop(key)

    def states(self) -> Mapping[str, TemplateState]:
        """Of all there are or that are on their way, by the key of their version."""
        found = {}
        for key, task in self._made.items():
            if not task.done():
                promised_bytes = self._specs[key].memory_mib * _MIB
                found[key] = TemplateState(False, True, 0.0, 0.0, promised_bytes)
            elif _is_live(task):
                made = task.result()
                found[key] = TemplateState(
                    True,
                    self._restoring[key] > 0,
                    time.monotonic() - made.used_s,
                    made.init_s,
                    made.template.own_bytes(),
                )
        return found

    def give_up(self, key: str) -> None:
        """Ends what is not used; the version is initialised again when it is invoked next."""
        state = self.states().get(key)
        if state is not None and not state.is_used:
            self._drop(key)

    def retire(self, is_current: Callable[[EnvironmentSpec], bool]) -> None:
        """Ends the template of every version for which ``is_current(spec)`` is false."""
        for key in [key for key, spec in self._specs.items() if not is_current(spec)]:
            self._drop(key)

    def _drop(self, key: str) -> None:
        self._specs.pop(key, None)
        task = self._made.pop(key, None)
        if task is not None and _is_live(task):
            task.result().template.retire()

    def count(self) -> int:
        """How many versions are initialised."""
        return sum(1 for task in self._made.values() if _is_live(task))

    async def close(self) -> None:
        """Ends every template, also one on its way."""
        tasks = [task for task in self._made.values() if not task.done()]
        self.retire(lambda _: False)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _is_live(task: "asyncio.Task[Snapshot] | None") -> bool:
    if task is None or not task.done() or task.cancelled() or task.exception() is not None:
        return False
    return task.result().is_live
