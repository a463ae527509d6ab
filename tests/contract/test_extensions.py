"""The seventh rule of lambent.node.sandbox.contract, with real processes: extensions beside the runtime."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambent.node.sandbox.contract import ExitStatus
from lambent.testing.host import descendants, open_descriptors
from lambent.testing.loop import on_loop, until

Open = Callable[..., Any]
SCRIPT = "#!/bin/sh\necho from $0\n{}\n"


class Told:
    """What a sandbox told of its processes."""

    def __init__(self, sandbox: Any) -> None:
        self.ends: dict[str, ExitStatus] = {}
        sandbox.on_process_exit = self.ends.__setitem__


async def start(host: Any, open_line: Any, **scripts: str) -> Any:
    """A sandbox with these extensions, and the line to it. Skips the sandbox that has no processes."""
    if host.kind == "fake":
        pytest.skip("the fake has no processes")
    opt_dir = Path(host.task_dir).parent / "opt"
    directory = opt_dir / "extensions"
    directory.mkdir(parents=True, exist_ok=True)
    for name, body in scripts.items():
        file = directory / name
        file.write_text(SCRIPT.format(body))
        file.chmod(0o755)
    launch = replace(host.launch("echo", opt_dir=opt_dir), extensions=tuple(sorted(scripts)))
    return await open_line(await host.backend.start(launch))


async def end(line: Any) -> None:
    """Kills the sandbox and gives everything back."""
    line.sandbox.kill()
    await line.exited()
    os.close(line.sandbox.extension_fd)
    line.close()


def output(line: Any) -> bytes:
    """What extensions have printed so far."""
    try:
        return os.read(line.sandbox.extension_fd, 4096)
    except BlockingIOError:
        return b""


@on_loop
async def test_the_runtime_starts_when_it_is_told(open_host: Open, open_line: Any) -> None:
    """Extensions run first, their output apart; then the runtime serves events beside them; nothing is left."""
    processes = descendants()
    async with open_host() as host:
        line = await start(host, open_line, a="exec sleep 60", b="exec sleep 60")
        told = Told(line.sandbox)
        printed = b""

        def has_printed() -> bool:
            nonlocal printed
            printed += output(line)
            return printed.count(b"\n") == 2

        await until(has_printed)
        assert b"/extensions/a" in printed
        line.sandbox.start_runtime()
        assert await line.call(b"[1]") == b"[1]"
        line.sandbox.freeze()
        line.sandbox.thaw()
        assert await line.call(b"2") == b"2"
        assert told.ends == {}
        await end(line)
    await until(lambda: descendants() <= processes)


@on_loop
async def test_ends_are_told(open_host: Open, open_line: Any) -> None:
    """An extension's status, why one could not be executed, and the runtime's end; the sandbox lives on."""
    async with open_host() as host:
        line = await start(
            host, open_line, ends="exit 3", killed="kill -9 $$", stays="exec sleep 60"
        )
        told = Told(line.sandbox)
        await until(lambda: set(told.ends) == {"ends", "killed"})
        assert told.ends == {"ends": ExitStatus(3), "killed": ExitStatus(signal=9)}
        line.sandbox.start_runtime()
        await line.asked()
        line.sandbox.terminate_runtime()
        await until(lambda: "" in told.ends)
        assert told.ends[""].signal == 15 or told.ends[""].code
        assert not line.sandbox.exited.done()
        await end(line)


@on_loop
async def test_what_is_no_program(open_host: Open, open_line: Any) -> None:
    """The reason is told in AWS's words; the others run."""
    async with open_host() as host:
        if host.kind == "fake":
            pytest.skip("the fake has no processes")
        directory = Path(host.task_dir).parent / "opt" / "extensions"
        directory.mkdir(parents=True)
        (directory / "broken").write_bytes(b"\x7fELF no program")
        (directory / "broken").chmod(0o755)
        (directory / "closed").write_text("#!/bin/sh\n")
        launch = replace(
            host.launch("echo", opt_dir=directory.parent), extensions=("broken", "closed")
        )
        line = await open_line(await host.backend.start(launch))
        told = Told(line.sandbox)
        await until(lambda: len(told.ends) == 2)
        reasons = {name: how.not_started for name, how in told.ends.items()}
        assert reasons["broken"].endswith("/extensions/broken: exec format error")
        assert reasons["closed"].endswith("/extensions/closed: permission denied")
        await end(line)


@on_loop
async def test_a_runtime_that_ignores_sigterm_is_killed(open_host: Open, open_line: Any) -> None:
    """``kill_runtime`` ends it alone."""
    async with open_host() as host:
        line = await start(host, open_line, stays="exec sleep 60")
        told = Told(line.sandbox)
        line.sandbox.start_runtime()
        await line.asked()
        line.sandbox.kill_runtime()
        await until(lambda: "" in told.ends)
        assert told.ends == {"": ExitStatus(signal=9)}
        await end(line)


@on_loop
async def test_sockets_of_its_network(open_host: Open, open_line: Any) -> None:
    """``connection`` gives a socket with which a listener inside can be reached, as the Runtime API can be."""
    async with open_host() as host:
        line = await start(host, open_line, stays="exec sleep 60")
        await end(line)
        before = open_descriptors()
        line = await start(host, open_line, stays="exec sleep 60")
        sock = await line.sandbox.connection()
        sock.setblocking(False)
        address = line.sandbox.runtime_api.getsockname()
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().sock_connect(sock, address)
        sock.close()
        await end(line)
        await until(lambda: open_descriptors().items() <= before.items())
