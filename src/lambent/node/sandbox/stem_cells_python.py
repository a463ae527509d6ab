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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambent.node.linux import syscalls as sys_
from lambent.node.runtimes import Interpreter
from lambent.node.sandbox.contract import Launch, SandboxError
from lambent.node.sandbox.namespace_sandbox import NamespaceSandbox

_REHEARSAL_DEADLINE_S = 10.0
_TOLD = ("environ", "search", "tmp_mib")


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


def is_plain_python(launch: Launch, rest: Mapping[str, Any]) -> bool:
    """Whether a loaded cell can become it: no other program, no extensions, nothing else mounted."""
    spec = launch.spec
    return not (rest["entry"] or launch.extensions or spec.file_system or spec.image)


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


def become_python(
    cell: NamespaceSandbox, launch: Launch, rest: Mapping[str, Any], *, cpu_limit: bool
) -> bool:
    """Makes a loaded cell the function of ``rest``; False where it could not be, and is ended."""
    spec = launch.spec
    trees: list[int] = []
    try:
        for directory in filter(None, (spec.task_dir, spec.opt_dir)):
            trees.append(sys_.clone_mount_apart(str(directory)))  # noqa: PERF401 - closed below
        cell.tell(json.dumps({name: rest[name] for name in _TOLD}).encode(), trees)
        cell.limit(spec.memory_mib, cpu_limit=cpu_limit)  # while it sets itself up
        cell.tell(b"go")
    except OSError:
        cell.discard()
        return False
    finally:
        for tree in trees:
            os.close(tree)
    return True
