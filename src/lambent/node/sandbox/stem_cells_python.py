"""Stem cells that are forks, and how one that has Python's runtime loaded becomes a function.

Contract, beyond that of :mod:`lambent.node.sandbox.stem_cells`:
1. A loaded cell becomes any function of Python on its interpreter that needs code, layers and variables alone.
2. It runs nothing of that function before it has that function's limits.
3. Where a cell cannot be made a function's, that function is started as if there had been none; the cell is ended.

What happens on the other side is in :mod:`lambent.node.zygote.python_cell`, why in ADR 36.
"""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lambent.model.invocation import EnvironmentSpec
from lambent.node.entrypoint import WRAPPER
from lambent.node.linux import syscalls as sys_
from lambent.node.runtimes import Interpreter, is_python
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.namespace_sandbox import NamespaceSandbox

_REHEARSAL_DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class ForkKind:
    """``interpreter``: whose zygote makes them.

    ``is_loaded``: all is done but what is a function's (ADR 36). Else they stop halfway through their isolation
    (ADR 21), and become whatever is started in a fork.
    """

    interpreter: Interpreter
    is_loaded: bool

    @property
    def key(self) -> str:
        """Of its shelf."""
        return (
            self.interpreter.runtime if self.is_loaded else f"{self.interpreter.runtime}, halfway"
        )


def fork_kinds(interpreter: Interpreter) -> tuple[ForkKind, ForkKind]:
    """All that one zygote makes."""
    return ForkKind(interpreter, True), ForkKind(interpreter, False)


def is_plain_python(spec: EnvironmentSpec, extensions: Sequence[str]) -> bool:
    """Whether a loaded cell can become it: no other program, no extensions, nothing else mounted."""
    is_other = spec.image or spec.file_system or spec.environment.get(WRAPPER)
    return is_python(spec.runtime) and not is_other and not extensions


async def until_it_waits(cell: NamespaceSandbox) -> NamespaceSandbox:
    """The cell, when it has rehearsed. Raises SandboxError where that will never be; it is ended then."""
    assert cell.waits is not None  # noqa: S101 - made as one
    try:
        async with asyncio.timeout(_REHEARSAL_DEADLINE_S):
            waits = await cell.waits
    except TimeoutError:
        waits = False
    except BaseException:
        cell.discard()
        raise
    if not waits:
        cell.discard()
        raise SandboxError("the stem cell did not come to wait")
    return cell


class PythonBeginning:
    """A function of Python that waits for its variables, if there was a cell for it.

    See :class:`lambent.node.sandbox.contract.Beginning`.
    """

    __slots__ = ("_cell",)

    def __init__(self, cell: NamespaceSandbox | None) -> None:
        self._cell = cell

    def discard(self) -> None:
        """Ends it."""
        cell, self._cell = self._cell, None
        if cell is not None:
            cell.discard()

    def finish(self, environ: Mapping[str, str]) -> NamespaceSandbox | None:
        """Its sandbox, which runs the function now; None where there is none, or it is of no use."""
        cell, self._cell = self._cell, None
        if cell is None:
            return None
        try:
            cell.tell(json.dumps(environ).encode())
        except OSError:
            cell.discard()
            return None
        cell.hang_up()
        return cell


def begin_python(
    cell: NamespaceSandbox | None, spec: EnvironmentSpec, search: Sequence[str], *, cpu_limit: bool
) -> PythonBeginning:
    """Tells a cell where its code lies; then it gets its limits, which it has before it is told more."""
    trees: list[int] = []
    if cell is None:
        return PythonBeginning(None)
    try:
        for directory in filter(None, (spec.task_dir, spec.opt_dir)):
            trees.append(sys_.clone_mount_apart(str(directory)))  # noqa: PERF401 - closed below
        cell.hurry()
        begun = {"search": search, "tmp_mib": spec.ephemeral_storage_mib}
        cell.tell(json.dumps(begun).encode(), trees)
        cell.limit(spec.memory_mib, cpu_limit=cpu_limit)
    except OSError:
        cell.discard()
        return PythonBeginning(None)
    finally:
        for tree in trees:
            os.close(tree)
    return PythonBeginning(cell)
