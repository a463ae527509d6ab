"""Idle environments make room: for others, and when the machine has little memory left. On a fake node."""

import asyncio

import pytest

from lambent.invoke.placement import Placement
from lambent.invoke.room import Room
from lambent.model.errors import PlatformFault
from lambent.testing.loop import on_loop, turns, until
from lambent.testing.node import FakeEnvironment, FakeNode, make_invocation, make_spec

MIB = 1024 * 1024


class Machine:
    """A platform's pools with a memory of a size that tests choose."""

    def __init__(self, available_mib: int = 1 << 20, **room: int) -> None:
        self.available_mib = available_mib
        self.node = FakeNode(automatic=True)
        bounds = Room(**room)
        self.placement = Placement(self.node, 100, 300, bounds, lambda: self.available_mib * MIB)

    async def idle(self, name: str, memory_mib: int = 128, held_mib: int = 4) -> FakeEnvironment:
        """An idle environment of that function."""
        before = len(self.node.environments)
        self.placement.invoke(make_invocation(make_spec(name, memory_mib=memory_mib)))
        await until(lambda: len(self.node.environments) > before)
        made = self.node.environments[-1]
        await until(lambda: made.state == "invoking")
        made.memory_bytes = held_mib * MIB
        made.respond()
        made.become_ready()
        return made


@on_loop
async def test_configured_memory_stays_within_what_the_operator_allows() -> None:
    """With 512 MB allowed a third function of 256 ends the idle one; where none is idle it is refused, 503."""
    machine = Machine(max_committed_mib=512)
    first = await machine.idle("first", 256)
    second = await machine.idle("second", 256)
    first.idle_since_s -= 60
    machine.placement.invoke(make_invocation(make_spec("third", memory_mib=256)))
    await turns()
    assert (first.state, second.state) == ("gone", "ready")
    machine.placement.invoke(make_invocation(make_spec("second", memory_mib=256)))
    answer = machine.placement.invoke(make_invocation(make_spec("fourth", memory_mib=256)))
    with pytest.raises(PlatformFault, match="no memory left") as caught:
        await answer
    assert (caught.value.code, caught.value.status) == ("ServiceException", 503)
    assert machine.placement.counts()["starting"] == 0
    assert len(machine.node.starts) == 3


@on_loop
async def test_a_burst_gets_as_many_as_there_is_room_for() -> None:
    """Of five events at once with room for three environments three are served, and two refused."""
    machine = Machine(max_committed_mib=3 * 128)
    spec = make_spec("f", memory_mib=128)
    answers = [machine.placement.invoke(make_invocation(spec)) for _ in range(5)]
    await until(lambda: machine.node.by_state() == {"invoking": 3})
    for environment in machine.node.environments:
        environment.respond()
    done = await asyncio.gather(*answers, return_exceptions=True)
    assert sum(isinstance(one, PlatformFault) for one in done) == 2


@on_loop
async def test_little_memory_ends_what_is_least_useful() -> None:
    """Below the reserve the sweep ends as many idle environments as make up for it, and spares the busy ones."""
    machine = Machine(reserve_bytes=100 * MIB)
    large = await machine.idle("large", held_mib=60)
    old = await machine.idle("old", held_mib=4)
    young = await machine.idle("young", held_mib=4)
    old.idle_since_s -= 100
    large.idle_since_s -= 50
    young.idle_since_s -= 1
    machine.available_mib = 60
    machine.placement._sweep()
    await turns()
    assert [one.state for one in (large, old, young)] == ["gone", "ready", "ready"]
    machine.available_mib = 98
    machine.placement._sweep()
    await turns()
    assert [one.state for one in (old, young)] == ["gone", "ready"]
    machine.available_mib = 100
    machine.placement._sweep()
    await turns()
    assert young.state == "ready"
    await machine.placement.close(1)


@on_loop
async def test_without_memory_nothing_starts() -> None:
    """Near the end of memory a start is refused, an environment that is there goes on serving."""
    machine = Machine(reserve_bytes=100 * MIB)
    there = await machine.idle("there")
    again = machine.placement.invoke(make_invocation(make_spec("there", memory_mib=128)))
    machine.available_mib = 10
    with pytest.raises(PlatformFault, match="--memory-reserve"):
        await machine.placement.invoke(make_invocation(make_spec("other")))
    there.respond()
    await again
    machine.available_mib = 60
    machine.placement.invoke(make_invocation(make_spec("other")))
    await until(lambda: machine.node.by_state().get("invoking") == 1)
    await machine.placement.close(1)
