"""Loaded stem cells: programs that cannot be forked, started and isolated ahead, made a function's from outside.

Contract, beyond that of :mod:`lambent.node.sandbox.stem_cells`:
1. A kind is all that was decided when the program was started: its command, its mounts, the variables that are
   everybody's. A cell becomes a function that would have been started with the same, and no other.
2. Where a cell cannot be made a function's, that function is started as if there had been none; the cell is ended.

How a program waits, and what happens to it then, is in ADR 27.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lambent.node.runtimes import Interpreter
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.made_ahead import MadeAhead
from lambent.node.sandbox.namespace_sandbox import NamespaceSandbox
from lambent.node.sandbox.stem_cells import StemCells
from lambent.node.sandbox.zygote_client import ZygoteClient

KEEP_S = 600.0
"""POLICY: a kind that no function was started with for ten minutes has no cells any more."""
MOST_KINDS = 8
"""POLICY: of how many kinds cells wait at a time; each holds some 10 MB, a Java virtual machine more."""
_LOAD_DEADLINE_S = 10.0
_LABEL_LENGTH = 120
_TMP_MIB = 512
"""What /tmp is made with; it gets the function's size later."""


@dataclass(frozen=True, slots=True)
class LoadedKind:
    """What cells are made with. ``interpreter``: whose zygote makes them; ``rest``: what it is told."""

    interpreter: Interpreter
    rest: Mapping[str, Any]
    key: str


def loaded_kind(interpreter: Interpreter, rest: Mapping[str, Any]) -> LoadedKind:
    """The kind of those that would be started as ``rest`` says: command, mounts and environment."""
    rest = {
        "task_dir": None,
        "opt_dir": None,
        "tmp_mib": _TMP_MIB,
        "search": [],
        "extensions": [],
        "file_system": None,
        **rest,
        "waits": True,
    }
    return LoadedKind(interpreter, rest, json.dumps([interpreter.version, rest], sort_keys=True))


class LoadedStemCells:
    """See the module. ``make`` starts a program; ``zygote`` finds the process that mounts for it.

    ``count``: how many of each kind wait; up to ``most`` as they are wanted.
    """

    def __init__(
        self,
        make: Callable[[LoadedKind], Awaitable[NamespaceSandbox]],
        zygote: Callable[[Interpreter], Awaitable[ZygoteClient]],
        count: int,
        *,
        cpu_limit: bool,
        most: int | None = None,
        ahead: MadeAhead | None = None,
    ) -> None:
        self._make_one = make
        self._zygote = zygote
        self._cpu_limit = cpu_limit
        self.cells = StemCells[LoadedKind, NamespaceSandbox](
            self._make,
            lambda kind: kind.key,
            count,
            most=most,
            keep_s=KEEP_S,
            most_kinds=MOST_KINDS,
            ahead=ahead,
            label=_label,
        )

    async def start(
        self, kind: LoadedKind, rest: Mapping[str, Any], memory_mib: int
    ) -> NamespaceSandbox | None:
        """A cell that is the function of ``rest`` now; None where none waits, or none could become it."""
        cell = self.cells.take(kind)
        if cell is None:
            return None
        try:
            await self._assign(cell, kind, rest, memory_mib)
        except (OSError, SandboxError):
            cell.discard()
            return None
        except BaseException:
            cell.discard()
            raise
        return cell

    async def _assign(
        self, cell: NamespaceSandbox, kind: LoadedKind, rest: Mapping[str, Any], memory_mib: int
    ) -> None:
        zygote = await self._zygote(kind.interpreter)
        assignment = cell.assignment
        if assignment is None or assignment.writer < 0:
            raise SandboxError("the stem cell ended")
        wanted = {name: rest[name] for name in ("task_dir", "opt_dir", "tmp_mib")}
        problems: list[OSError] = []

        def let_go() -> None:
            """While the zygote mounts the cell is told who it is, and gets its limits.

            The program goes on when both have let go.
            """
            try:
                cell.hurry()
                assignment.say(rest["environ"])
                cell.limit(memory_mib, cpu_limit=self._cpu_limit)
            except OSError as error:
                problems.append(error)
                cell.kill()
            assignment.close()

        await zygote.assign(wanted, [assignment.namespace, assignment.writer], let_go)
        if problems:
            raise problems[0]
        if cell.exited.done():
            raise SandboxError("the stem cell ended")

    async def _make(self, kind: LoadedKind) -> NamespaceSandbox:
        """One whose program waits. Raises SandboxError."""
        cell = await self._make_one(kind)
        try:
            async with asyncio.timeout(_LOAD_DEADLINE_S):
                waits = cell.assignment is not None and await cell.assignment.waits
        except TimeoutError:
            waits = False
        except BaseException:
            cell.discard()
            raise
        if not waits:
            cell.discard()
            raise SandboxError("the program did not come to wait")
        return cell


def _label(kind: LoadedKind) -> str:
    """The execution environment, and what distinguishes it from others of the same: its program's options."""
    environ, command = kind.rest["environ"], kind.rest["entry"]["command"]
    options = [word for word in command if word.startswith("-")]
    return " ".join([environ.get("AWS_EXECUTION_ENV", command[0]), *options])[:_LABEL_LENGTH]
