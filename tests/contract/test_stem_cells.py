"""Stem cells: made ahead, used once, and nothing of them left in the end."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambent.node.runtimes import find_interpreters
from lambent.node.sandbox.stem_cells_python import ForkKind
from lambent.testing.host import descendants, mounts, open_descriptors
from lambent.testing.loop import on_loop, until

Open = Callable[..., Any]
pytestmark = pytest.mark.parametrize("open_host", ["stem cells"], indirect=True)


def waiting(cells: Any) -> list[Any]:
    """Those that wait, oldest first."""
    return [cell for shelf in cells._shelves.values() for cell in shelf]


def memory_limit_bytes(sandbox: Any) -> int | None:
    """What its cgroup says, if it is one of v1's."""
    directory = sandbox._cgroup._directories.get("memory")
    if directory is None:
        return None
    return int(Path(f"{directory}/memory.limit_in_bytes").read_text())


async def end(line: Any) -> None:
    """Kills the environment and waits for it."""
    line.sandbox.kill()
    await line.exited()
    line.close()


@on_loop
async def test_an_environment_is_a_cell_made_before(open_host: Open) -> None:
    """What ``start`` returns was there already, serves events, and is not handed out again."""
    async with open_host() as host:
        cells = host.backend._stem_cells
        first = await host.start("echo")
        await until(lambda: cells.count() == 2)
        made = [cell.pid for cell in waiting(cells)]
        second = await host.start("echo")
        assert second.sandbox.pid == made[0]
        assert await second.call(b"1") == b"1"
        assert made[0] not in [cell.pid for cell in waiting(cells)]
        for line in (first, second):
            await end(line)


@on_loop
async def test_a_cell_that_died_is_not_handed_out(open_host: Open) -> None:
    """Killed while it waited, it is given back, and the next start makes or takes another."""
    async with open_host() as host:
        cells = host.backend._stem_cells
        line = await host.start("echo")
        await until(lambda: cells.count() == 2)
        dead = waiting(cells)
        for cell in dead:
            os.kill(cell.pid, signal.SIGKILL)
        await until(lambda: all(cell.exited.done() for cell in dead))
        other = await host.backend.start(host.launch("echo"))
        assert other.pid not in [cell.pid for cell in dead]
        other.kill()
        async with asyncio.timeout(10):
            await other.exited
        for fd in (other.stdout_fd, other.telemetry_fd, other.runtime_fd):
            os.close(fd)
        other.runtime_api.close()
        other.endpoint.close()
        await end(line)


@on_loop
async def test_a_cell_has_the_limits_of_its_function(open_host: Open) -> None:
    """Memory is the function's, not what cells are made with."""
    async with open_host() as host:
        line = await host.start("echo", memory_mib=256)
        limit_bytes = memory_limit_bytes(line.sandbox)
        await end(line)
        if limit_bytes is None:
            pytest.skip("memory is not limited by a v1 group here")
        assert limit_bytes == 256 << 20


@on_loop
async def test_lives_of_cells_leave_nothing(open_host: Open) -> None:
    """After several lives, and with cells still waiting, a closed backend leaves the host as it was."""
    descriptors, processes, mounted = open_descriptors(), descendants(), mounts()
    async with open_host() as host:
        cells = host.backend._stem_cells
        for _ in range(3):
            lines = [await host.start("echo") for _ in range(2)]
            for line in lines:
                assert await line.call(b"1") == b"1"
                await end(line)
        await until(lambda: cells.count() == 2)
    await until(lambda: descendants() <= processes)
    assert open_descriptors() == descriptors
    assert mounts() == mounted


@on_loop
async def test_a_zygote_that_died_is_noticed_while_its_cells_wait(open_host: Open) -> None:
    """They hold nothing that would hide it; they serve, and whoever comes after them is served by another one."""
    async with open_host() as host:
        cells = host.backend._stem_cells
        lines = [await host.start("echo")]
        await until(lambda: cells.count() == 2)
        zygote = next(iter(host.backend._zygotes.clients.values()))
        os.kill(zygote._process.pid, signal.SIGKILL)
        await until(lambda: not zygote.alive)
        lines += [await host.start("echo") for _ in range(4)]
        for line in lines[1:]:
            assert await line.call(b"1") == b"1"
        for line in lines:
            await end(line)


def privileges(pid: int) -> dict[str, int]:
    """What the kernel says a process may."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    sets = {
        name: int(found[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    }
    return sets | {name: int(found[name]) for name in ("NoNewPrivs", "Seccomp")}


def user_of(pid: int) -> int:
    """Whose process it is."""
    return Path(f"/proc/{pid}").stat().st_uid


def has_code(pid: int) -> bool:
    """Whether its code is mounted."""
    return " /var/task " in Path(f"/proc/{pid}/mountinfo").read_text()


def skip_unless_loaded(backend: Any) -> None:
    """Without root cells stop halfway."""
    if backend.rootless:
        pytest.skip("cells have nothing loaded without root")


@on_loop
async def test_a_cell_has_the_privilege_to_mount_until_it_knows_whose_it_is(
    open_host: Open, open_line: Open
) -> None:
    """It waits as its function's user; once code is mounted nothing is left, and nothing of it has run."""
    async with open_host() as host:
        skip_unless_loaded(host.backend)
        (host.task_dir / "app.py").write_text("print('at load')\ndef echo(e, c): return e\n")
        await host.grow()
        (cell,) = waiting(host.backend._stem_cells)[:1]
        none = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0)
        locked = {"NoNewPrivs": 1, "Seccomp": 2}
        assert privileges(cell.pid) == none | locked | {"CapPrm": 1 << 21, "CapEff": 1 << 21}
        assert user_of(cell.pid) != os.getuid()
        launch = host.launch("echo", memory_mib=256)
        beginning = host.backend.begin(launch.spec, ())
        await until(lambda: has_code(cell.pid) and not privileges(cell.pid)["CapEff"])
        assert privileges(cell.pid) == none | locked
        assert memory_limit_bytes(cell) in {256 << 20, None}
        with pytest.raises(BlockingIOError):
            os.read(cell.stdout_fd, 100)
        sandbox = await host.backend.start(replace(launch, beginning=beginning))
        assert sandbox is cell
        line = await open_line(sandbox)
        await line.asked()
        assert os.read(cell.stdout_fd, 100) == b"at load\n"
        await end(line)


@on_loop
async def test_what_was_begun_and_given_up_leaves_nothing(open_host: Open) -> None:
    """The cell ends without having run anything, and its place is another's."""
    async with open_host() as host:
        skip_unless_loaded(host.backend)
        await host.grow()
        (cell,) = waiting(host.backend._stem_cells)[:1]
        beginning = host.backend.begin(host.launch("echo").spec, ())
        beginning.discard()
        async with asyncio.timeout(10):
            await cell.exited
        line = await host.start("echo")
        assert line.sandbox is not cell
        assert await line.call(b"1") == b"1"
        await end(line)


@on_loop
async def test_a_cell_that_dies_between_is_made_up_for(open_host: Open, open_line: Open) -> None:
    """Killed after it was told whose it is, before it may run that: the function starts in another one."""
    async with open_host() as host:
        skip_unless_loaded(host.backend)
        await host.grow()
        (cell,) = waiting(host.backend._stem_cells)[:1]
        launch = host.launch("echo")
        beginning = host.backend.begin(launch.spec, ())
        os.kill(cell.pid, signal.SIGKILL)
        await until(cell.exited.done)
        line = await open_line(await host.backend.start(replace(launch, beginning=beginning)))
        assert line.sandbox is not cell
        assert await line.call(b"1") == b"1"
        await end(line)


@on_loop
async def test_a_wrapper_script_becomes_of_a_cell_that_is_halfway(
    open_host: Open, open_line: Open
) -> None:
    """What is no plain Python is made from cells with nothing loaded, of a kind of their own."""
    async with open_host() as host:
        wrapper = host.task_dir / "wrap"
        wrapper.write_text('#!/bin/sh\nexec "$@"\n')
        wrapper.chmod(0o755)
        cells = host.backend._stem_cells
        cells._use(ForkKind(find_interpreters()[0], is_loaded=False))
        cells._begin()
        await until(cells.count, 10)
        made = waiting(cells)
        variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}
        sandbox = await host.backend.start(host.launch("echo", environment=variables))
        assert sandbox in made
        line = await open_line(sandbox)
        assert await line.call(b"1") == b"1"
        await end(line)
