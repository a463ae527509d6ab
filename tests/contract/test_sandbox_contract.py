"""The six rules of lambent.node.sandbox.contract, over every kind of sandbox, with real runtimes.

Where namespaces cannot be made their part is skipped with the reason; the fake has no processes to count.
"""

import asyncio
import json
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lambent.node.linux import cgroups
from lambent.node.runtimes import find_interpreters
from lambent.node.sandbox.contract import ExitStatus, SandboxError
from lambent.node.sandbox.namespaces import NamespaceBackend
from lambent.testing.host import descendants, mounts, open_descriptors, processes_with
from lambent.testing.loop import on_loop, until

Open = Callable[..., Any]


@on_loop
async def test_a_started_sandbox_serves_events(open_host: Open) -> None:
    """Rule 1: what ``start`` returns is alive: its runtime asks for events and answers them."""
    async with open_host() as host:
        line = await host.start("echo")
        assert not line.sandbox.exited.done()
        for number in (b"1", b'{"a": "\\u00e9"}', b"[]"):
            assert await line.call(number) == number
        line.sandbox.kill()
        await line.exited()
        line.close()


@on_loop
async def test_a_start_that_fails_leaves_nothing(open_host: Open) -> None:
    """Rule 1: a failing ``start`` raises SandboxError, keeps no descriptor and leaves no process."""
    async with open_host(max_environments=1) as host:
        if host.kind == "stem cells":
            pytest.skip("those made ahead stay: see test_stem_cells.py")
        with pytest.raises(SandboxError):  # the first also loads what is loaded once
            await host.fail(host)
        places = getattr(host.backend, "places", None)
        await until(lambda: places is None or len(places.free) > 0)
        descriptors, processes = open_descriptors(), descendants()
        with pytest.raises(SandboxError):
            await host.fail(host)
        # Of the first one something may have been about to be closed.
        await until(lambda: open_descriptors().items() <= descriptors.items())
        await until(lambda: descendants() <= processes)


class _Killed:
    """A zygote that dies between forking and saying so."""

    alive = True

    def __init__(self, real: Any) -> None:
        self._real = real

    async def start(self, request: Any, fds: Any) -> int:
        """Forks, and the answer is lost."""
        await self._real.start(request, fds)
        raise SandboxError("the zygote ended")


@on_loop
async def test_a_zygote_that_dies_after_forking_leaves_nothing(open_host: Open) -> None:
    """Rule 1: the child nobody heard of is ended and reaped, and its place is free only then."""
    async with open_host(max_environments=2) as host:
        if host.kind == "stem cells":
            pytest.skip("those made ahead stay: see test_stem_cells.py")
        zygotes = getattr(getattr(host.backend, "_zygotes", None), "clients", None)
        if not zygotes or not host.backend.places.layout.v2:
            pytest.skip("only a fork into a cgroup can be found again")
        processes, descriptors = descendants(), open_descriptors()
        real = dict(zygotes)
        zygotes.update({version: _Killed(zygote) for version, zygote in real.items()})
        for _ in range(2):
            with pytest.raises(SandboxError, match="the zygote ended"):
                await host.backend.start(host.launch("echo"))
        zygotes.update(real)
        await until(lambda: sorted(host.backend.places.free) == [0, 1])
        await until(lambda: descendants() == processes)
        assert _groups(host.backend) == 0
        assert open_descriptors() == descriptors
        line = await host.start("echo")
        assert await line.call(b"1") == b"1"
        line.sandbox.kill()
        await line.exited()
        line.close()


@on_loop
async def test_a_frozen_sandbox_does_nothing_until_it_is_thawed(open_host: Open) -> None:
    """Rule 2: an event that reaches a frozen sandbox is worked on only after ``thaw``."""
    async with open_host() as host:
        line = await host.start("echo")
        for _ in range(2):
            asked = await line.asked()
            line.sandbox.freeze()
            line.sandbox.freeze()
            line.send(asked, b"1")
            answer = asyncio.ensure_future(line.request())
            await asyncio.wait([answer], timeout=0.05)
            assert not answer.done()
            line.sandbox.thaw()
            line.sandbox.thaw()
            (await answer).respond(202)
        line.sandbox.kill()
        await line.exited()
        line.close()


@pytest.mark.parametrize("state", ["starting", "waiting", "frozen", "working"])
@on_loop
async def test_kill_ends_it_in_any_state(open_host: Open, state: str) -> None:
    """Rules 2 and 3: killed at any time and more than once it ends within a deadline; then all calls are quiet."""
    async with open_host() as host:
        line = await host.start("echo")
        if state != "starting":
            asked = await line.asked()
            if state == "frozen":
                line.sandbox.freeze()
            if state == "working":
                line.send(asked, b"1")
        for _ in range(3):
            line.sandbox.kill()
        assert await line.exited() == ExitStatus(signal=9)
        for _ in range(2):
            line.sandbox.freeze()
            line.sandbox.thaw()
            line.sandbox.kill()
        line.close()


@pytest.mark.parametrize("ends_itself", [False, True], ids=["killed", "by itself"])
@on_loop
async def test_no_process_outlives_its_sandbox(open_host: Open, ends_itself: bool) -> None:
    """Rule 3: a child the function left running is gone too, however the sandbox ended."""
    marker = f"{random.randrange(10**6, 10**7)}.{random.randrange(10**6, 10**7)}"
    async with open_host() as host:
        line = await host.start("leave_child")
        assert await line.call(f'"{marker}"'.encode()) == f'"{marker}"'.encode()
        await line.asked()
        if host.kind != "fake":
            await until(lambda: len(processes_with(marker)) == 1)
        if ends_itself:
            line.close()  # the runtime client ends when its API is gone
            await line.exited()
        else:
            line.sandbox.kill()
            await line.exited()
            line.close()
        await until(lambda: not processes_with(marker))


@pytest.mark.parametrize(
    ("handler", "status"), [("exit_three", ExitStatus(3)), ("kill_itself", ExitStatus(signal=9))]
)
@on_loop
async def test_an_end_of_its_own_is_told_once(
    open_host: Open, handler: str, status: ExitStatus
) -> None:
    """Rule 4: ``exited`` says how the runtime ended by itself, and a later ``kill`` changes nothing."""
    async with open_host() as host:
        line = await host.start(handler)
        told: list[ExitStatus] = []
        line.sandbox.exited.add_done_callback(lambda done: told.append(done.result()))
        line.send(await line.asked(), b"{}")
        assert await line.exited() == status
        line.sandbox.kill()
        await asyncio.sleep(0)
        assert told == [status]
        line.close()


@on_loop
async def test_cpu_is_shared_by_memory_once_it_is_limited(open_host: Open) -> None:
    """Rule 5: a busy loop gets all there is, then 7% of a CPU for 128 MB and nearly ten times that for 1,200.

    Other tests may take CPU meanwhile, so the bounds are wide where that matters.
    """
    shares: dict[int, tuple[float, float]] = {}
    async with open_host() as host:
        if not host.backend.describe()["isolation"].get("cpu_limit"):
            pytest.skip(f"CPU is not limited in {host.kind} sandboxes here")
        for memory_mib in (128, 1200):
            line = await host.start("burn", memory_mib=memory_mib)
            burst = float(await line.call(b"0.3"))
            line.sandbox.limit_cpu()
            shares[memory_mib] = burst, float(await line.call(b"0.6"))
            line.send(await line.asked(), b"60")
            line.sandbox.kill()
            await line.exited()
            line.close()
    burst, limited = shares[128]
    assert 0.02 < limited < 0.12
    assert burst > 2 * limited
    assert shares[1200][1] > 2 * limited


@on_loop
async def test_memory_is_known_after_death(open_host: Open) -> None:
    """Rule 6: the peak and whether memory ran out are answered after the end as before it."""
    async with open_host() as host:
        line = await host.start("echo")
        await line.call(b"1")
        peak_bytes = line.sandbox.memory_peak_bytes()
        assert peak_bytes > (0 if host.kind == "fake" else 1 << 20)
        line.sandbox.kill()
        await line.exited()
        assert line.sandbox.memory_peak_bytes() >= peak_bytes
        assert line.sandbox.oom_killed() is False
        line.close()


@on_loop
async def test_running_out_of_memory_is_told(open_host: Open) -> None:
    """Rule 6: where memory is limited, taking more ends the runtime, and it is known why."""
    async with open_host() as host:
        if not host.backend.describe()["isolation"].get("memory_limit"):
            pytest.skip(f"memory is not limited in {host.kind} sandboxes here")
        line = await host.start("hog")
        line.send(await line.asked(), b"300")
        assert await line.exited() == ExitStatus(signal=9)
        assert line.sandbox.oom_killed() is True
        assert line.sandbox.memory_peak_bytes() <= 128 << 20
        line.close()


def _groups(backend: Any) -> int:
    """How many cgroups the backend's environments have now."""
    layout = getattr(backend, "_layout", cgroups.CgroupLayout(None, frozenset()))
    return len(_subdirectories([d for d in (layout.v2, *layout.v1.values()) if d]))


def _subdirectories(parents: list[str]) -> list[str]:
    return [str(child) for p in parents for child in Path(p).iterdir() if child.is_dir()]


@on_loop
async def test_lives_leave_nothing(open_host: Open) -> None:
    """Rule 3: after several lives, at once and one after the other, every count is what it was before."""

    async def live(host: Any) -> None:
        line = await host.start("echo")
        await line.call(b"1")
        line.sandbox.kill()
        await line.exited()
        line.close()

    def counts(host: Any) -> tuple[Any, ...]:
        return open_descriptors(), descendants(), mounts(), _groups(host.backend)

    async with open_host() as host:
        if host.kind == "stem cells":
            pytest.skip("those made ahead stay: see test_stem_cells.py")
        if host.kind == "forks":  # the zygote of theirs is started when it is first needed
            await host.backend.zygote(find_interpreters()[0], runs_functions=False)
        processes = descendants()
        await live(host)  # what is loaded once is loaded now
        await until(lambda: _groups(host.backend) == 0 and descendants() == processes)
        before = counts(host)
        for _ in range(2):
            await asyncio.gather(*(live(host) for _ in range(3)))
        with suppress(TimeoutError):
            await until(lambda: counts(host) == before)
        assert counts(host) == before
        places = getattr(host.backend, "places", None)
        assert places is None or sorted(places.free) == list(range(8)), "every slot came back, once"


@on_loop
async def test_a_closed_backend_leaves_nothing(open_host: Open) -> None:
    """After ``close`` the host is as it was: no process, no descriptor, no mount, no cgroup."""
    descriptors, processes, mounted = open_descriptors(), descendants(), mounts()
    async with open_host() as host:
        line = await host.start("echo")
        await line.asked()
        line.sandbox.kill()
        await line.exited()
        line.close()
        layout = getattr(host.backend, "_layout", cgroups.CgroupLayout(None, frozenset()))
    await until(lambda: descendants() <= processes)
    await until(lambda: set(open_descriptors()) <= set(descriptors))
    assert mounts() == mounted
    assert not _existing([d for d in (layout.v2, *layout.v1.values()) if d])


def _existing(directories: list[str]) -> list[str]:
    return [d for d in directories if Path(d).exists()]


@pytest.mark.parametrize("network", ["auto", "isolated"])
@on_loop
async def test_its_network_is_given_back(open_host: Open, network: str) -> None:
    """Rule 3: environments have interfaces of their own, and after all is over the host lacks the way."""
    before = {name for _, name in socket.if_nameindex()}
    async with open_host(network=network) as host:
        if not host.isolated:
            pytest.skip(f"{host.kind}: no network of its own")
        mode = host.backend.describe()["network"]["mode"]
        made = {name for _, name in socket.if_nameindex()} - before
        lines = [await host.start("interfaces") for _ in range(3)]
        for line in lines:
            seen = json.loads(await line.call(b"1"))
            assert seen == (["lo", "eth0"] if mode == "outbound" else ["lo"])
            line.sandbox.kill()
            await line.exited()
            line.close()
        name = host.backend.describe()["network"].get("interface")
    assert name is None or name in made
    assert name not in {left for _, left in socket.if_nameindex()}


@on_loop
async def test_a_closed_backend_makes_no_zygote(open_host: Open) -> None:
    """Whoever still asks for an environment when the backend is closed is refused, and nothing is left of it."""
    async with open_host() as host:
        if not isinstance(host.backend, NamespaceBackend):
            pytest.skip("only namespaces have a zygote")
        backend = host.backend
    processes = descendants()
    with pytest.raises(SandboxError, match="the platform stops"):
        await backend.start(host.launch("echo"))
    assert descendants() == processes
