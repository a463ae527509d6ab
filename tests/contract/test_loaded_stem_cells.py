"""Loaded stem cells: a program that waits sees nothing of a function, then all of it; and those that die.

The program is a shell that keeps to ADR 27, so that no runtime needs to be prepared.
"""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lambent.node.runtimes import find_interpreters
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.namespaces import NamespaceBackend
from lambent.node.sandbox.stem_cells_loaded import LoadedKind, loaded_kind
from lambent.testing.host import descendants, mounts, open_descriptors
from lambent.testing.loop import on_loop, until

_LOOK = """
look() { echo "$1 task=$(ls /var/task 2>&1) opt=$(ls /opt 2>&1) own=$(env | grep -c ^OWN_)"; }
"""
_WAITS = (
    _LOOK
    + """
look before
said=$(cat)
exec < /dev/null
look after
echo "said $(echo $said)"
echo "tmp $(df -k /tmp | tail -1 | awk '{print $2}')"
grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status
echo "hidden $(ls -a /.lambent/code /.lambent/proc 2>&1 | wc -l)"
readlink /proc/self/fd/0
echo open; ls /proc/self/fd
echo end
exec sleep 60
"""
)


@dataclass(frozen=True)
class Host:
    """An open backend, and functions that cells of it can become."""

    backend: NamespaceBackend
    code_root: Path

    @property
    def cells(self) -> Any:
        """Those that wait."""
        return self.backend._loaded.cells

    def waiting(self) -> list[Any]:
        """The same, as they are."""
        return [cell for shelf in self.cells._shelves.values() for cell in shelf]

    def kind(self, script: str = _WAITS) -> LoadedKind:
        """Cells that run a script of the shell."""
        rest = {
            "mounts": {},
            "entry": {"command": ["/bin/sh", "-c", script]},
            "environ": {"PATH": "/usr/bin:/bin", "LAMBDA_TASK_ROOT": "/var/task"},
        }
        return loaded_kind(find_interpreters()[0], rest)

    async def grown(self, kind: LoadedKind) -> Any:
        """The oldest that waits, when there is one."""
        self.cells._use(kind)
        self.cells._begin()
        await until(self.cells.count, 10)
        return self.waiting()[0]

    async def start(self, kind: LoadedKind, **environ: str) -> Any:
        """One that is a function with code, a layer, 700 MB of /tmp and these variables; None where none could."""
        rest = {
            "task_dir": "/.lambent/code/task",
            "opt_dir": "/.lambent/code/layer",
            "tmp_mib": 700,
            "environ": environ,
        }
        return await self.backend._loaded.start(kind, rest, 256)


Open = Callable[..., AbstractAsyncContextManager[Host]]


@pytest.fixture
def open_cells(tmp_path: Path) -> Open:
    """``async with open_cells() as host``; skips where this host cannot isolate."""
    code_root = tmp_path / "code"
    for name, file in (("task", "app.js"), ("layer", "lib")):
        (code_root / name).mkdir(parents=True)
        (code_root / name / file).touch()
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(directory.stat().st_mode | 0o111)  # functions run as another user

    @asynccontextmanager
    async def opened(count: int = 1) -> AsyncIterator[Host]:
        backend = NamespaceBackend(
            find_interpreters()[:1], code_root, tmp_path / "run", 4566, 8, loaded_stem_cells=count
        )
        try:
            await backend.open()
        except (SandboxError, OSError) as error:
            pytest.skip(f"this host cannot isolate functions: {error}")
        try:
            yield Host(backend, code_root)
        finally:
            await backend.close()

    return opened


def memory_limit_bytes(cell: Any) -> int | None:
    """What its cgroup says, if it is one of v1's."""
    directory = cell._cgroup._directories.get("memory")
    if directory is None:
        return None
    return int(Path(f"{directory}/memory.limit_in_bytes").read_text())


async def said(cell: Any, end: str) -> str:
    """What it prints, up to a line."""
    text = ""

    def is_there() -> bool:
        nonlocal text
        with suppress(BlockingIOError):
            text += os.read(cell.stdout_fd, 65536).decode()
        return end in text

    await until(is_there, 10)
    return text


async def end(cell: Any) -> None:
    """Kills an environment that was a cell, and waits for it."""
    cell.discard()
    async with asyncio.timeout(10):
        await cell.exited


@on_loop
async def test_it_sees_nothing_before_and_all_of_its_function_after(open_cells: Open) -> None:
    """Code, layer, /tmp and message come at once; before there is nothing of them, and never a privilege."""
    async with open_cells() as host:
        kind = host.kind()
        waiting = await host.grown(kind)
        cell = await host.start(kind, OWN_SECRET="ä", _HANDLER="app.x")
        assert cell is waiting
        text = await said(cell, "\nend\n")
        assert text.startswith("before task= opt= own=0\nafter task=app.js opt=lib own=0\n")
        assert r'said {"environ": {"OWN_SECRET": "\u00e4", "_HANDLER": "app.x"}}' in text
        assert "tmp 716800" in text
        assert set(re.findall(r"^Cap\w+:\s*(\w+)$", text, re.MULTILINE)) == {"0" * 16}
        assert re.search(r"^NoNewPrivs:\s*1$", text, re.MULTILINE)
        assert re.search(r"^Seccomp:\s*2$", text, re.MULTILINE)
        assert "\n/dev/null\nopen\n0\n1\n2\n3\n4\nend\n" in text  # 4 is what lists them
        await end(cell)


@on_loop
async def test_it_waits_until_it_is_told_and_is_told_once(open_cells: Open) -> None:
    """It says nothing before, is never given to two, and a cell of another kind is none for a function."""
    async with open_cells() as host:
        kind = host.kind()
        waiting = await host.grown(kind)
        assert await said(waiting, "before") == "before task= opt= own=0\n"
        assert await host.start(host.kind("cat; sleep 60")) is None
        first, second = await asyncio.gather(host.start(kind), host.start(kind))
        assert (first, second) == (waiting, None)
        await end(first)


@on_loop
async def test_memory_is_the_functions(open_cells: Open) -> None:
    """Not what cells are made with, from before the program goes on."""
    async with open_cells() as host:
        kind = host.kind()
        await host.grown(kind)
        cell = await host.start(kind)
        limit_bytes = memory_limit_bytes(cell)
        await end(cell)
        if limit_bytes is None:
            pytest.skip("memory is not limited by a v1 group here")
        assert limit_bytes == 256 << 20


@on_loop
async def test_one_that_is_killed_while_it_waits_is_replaced(open_cells: Open) -> None:
    """Nobody gets it, and another one waits soon."""
    async with open_cells() as host:
        kind = host.kind()
        dead = await host.grown(kind)
        os.kill(dead.pid, signal.SIGKILL)
        await until(lambda: not host.cells.count())
        assert dead.exited.done()
        await until(host.cells.count, 10)
        cell = await host.start(kind)
        assert cell is not dead
        await said(cell, "\nend\n")
        await end(cell)


@pytest.mark.parametrize("when", ["before the message", "after it"])
@on_loop
async def test_one_that_dies_while_it_becomes_a_function_leaves_nothing(
    open_cells: Open, when: str
) -> None:
    """Whether there is none then, or one that has ended: whoever asked is told, and all is given back."""
    async with open_cells() as host:
        kind = host.kind()
        processes, descriptors = descendants(), open_descriptors()
        waiting = await host.grown(kind)
        if when == "before the message":
            os.kill(waiting.pid, signal.SIGKILL)
        starting = asyncio.ensure_future(host.start(kind))
        await asyncio.sleep(0)
        if when != "before the message":
            os.kill(waiting.pid, signal.SIGKILL)
        cell = await starting
        if cell is not None:
            await end(cell)
        host.cells.close()
        await until(lambda: descendants() == processes)
        await until(lambda: open_descriptors() == descriptors)
        await until(lambda: len(host.backend.places.free) == 8)


@on_loop
async def test_a_zygote_that_dies_takes_no_function_with_it(open_cells: Open) -> None:
    """The cells it made go; a function that asks is told that there is none, and the next one is served."""
    async with open_cells() as host:
        kind = host.kind()
        await host.grown(kind)
        zygote: Any = next(iter(host.backend._zygotes.clients.values()))
        os.kill(zygote._process.pid, signal.SIGKILL)
        cell = await host.start(kind)
        if cell is not None:  # made a function's by the zygote that came after
            await said(cell, "\nend\n")
            await end(cell)
        await host.grown(kind)
        cell = await host.start(kind)
        await said(cell, "\nend\n")
        await end(cell)


@on_loop
async def test_code_that_is_not_there_is_no_function(open_cells: Open) -> None:
    """What cannot be mounted ends the cell; its program is not run for anybody."""
    async with open_cells() as host:
        kind = host.kind()
        waiting = await host.grown(kind)
        (host.code_root / "task" / "app.js").unlink()
        (host.code_root / "task").rmdir()
        assert await host.start(kind) is None
        async with asyncio.timeout(10):
            await waiting.exited


@on_loop
async def test_variables_that_no_pipe_takes_are_no_cells(open_cells: Open) -> None:
    """The function is started as if there had been none."""
    async with open_cells() as host:
        kind = host.kind()
        await host.grown(kind)
        assert await host.start(kind, OWN="x" * 62_000) is None
        await host.grown(kind)
        cell = await host.start(kind, OWN="x" * 60_000)
        assert "x" * 60_000 in await said(cell, "\nend\n")
        await end(cell)


@pytest.mark.parametrize("script", ["exit 3", "exec < /dev/null; sleep 60", "kill -9 $$"])
@on_loop
async def test_a_program_that_does_not_wait_is_no_cell(open_cells: Open, script: str) -> None:
    """It is ended, and nobody waits for it."""
    async with open_cells() as host:
        kind = host.kind(script)
        host.cells._use(kind)
        host.cells._begin()
        await until(host.cells._growing.done, 15)
        assert host.cells.count() == 0
        assert await host.start(kind) is None
        await until(lambda: len(host.backend.places.free) == 8)


@on_loop
async def test_lives_leave_nothing(open_cells: Open) -> None:
    """After several, with cells that wait at the end, a closed backend leaves the host as it was."""
    descriptors, processes, mounted = open_descriptors(), descendants(), mounts()
    async with open_cells(2) as host:
        kind = host.kind()
        for _ in range(3):
            await host.grown(kind)
            cell = await host.start(kind, OWN="1")
            await said(cell, "\nend\n")
            await end(cell)
        await host.grown(kind)
    await until(lambda: descendants() <= processes)
    assert open_descriptors() == descriptors
    assert mounts() == mounted
