"""Stem cells: made ahead, used once, and nothing of them left in the end."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
