"""Idle environments make room: for others, and when the machine has little memory left. On a fake node."""

import asyncio
from dataclasses import dataclass, field
from dataclasses import replace as changed

import pytest

from lambent.invoke.placement import Placement
from lambent.invoke.room import Room
from lambent.model.errors import PlatformFault
from lambent.model.invocation import SNAP_START
from lambent.testing.loop import on_loop, turns, until
from lambent.testing.node import FakeEnvironment, FakeNode, make_invocation, make_spec

MIB = 1024 * 1024


@dataclass
class FakeTemplate:
    """One that nothing lives of."""

    held_bytes: int
    is_used: bool = False
    is_made: bool = True
    idle_s: float = 10.0
    init_s: float = 1.0


@dataclass
class FakeAhead:
    """Cells of one MiB each, and templates."""

    cells: int = 0
    ended: list[str] = field(default_factory=list)
    made: dict[str, FakeTemplate] = field(default_factory=dict)
    allowed: tuple[int, int] | None = None

    def held_bytes(self) -> int:
        return self.cells * MIB

    def give_back(self, lacking_bytes: int) -> int:
        count = min(self.cells, -(-lacking_bytes // MIB))
        self.cells -= count
        return count * MIB

    def allow(self, spare_bytes: int, left_bytes: int) -> None:
        self.allowed = spare_bytes, left_bytes

    def templates(self) -> dict[str, FakeTemplate]:
        return self.made

    def end_template(self, key: str) -> None:
        del self.made[key]
        self.ended.append(key)


class Machine:
    """A platform's pools with a memory of a size that tests choose."""

    def __init__(self, available_mib: int = 1 << 20, cells: int = 0, **room: int) -> None:
        self.available_mib = available_mib
        self.node = FakeNode(automatic=True)
        self.ahead = FakeAhead(cells)
        bounds = Room(**room)
        self.placement = Placement(
            self.node, 100, 300, bounds, lambda: self.available_mib * MIB, self.ahead
        )

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


@on_loop
async def test_what_was_made_ahead_goes_before_any_environment() -> None:
    """As much as lacks; then idle environments; templates that nothing lives of only where that is too little."""
    machine = Machine(cells=20, reserve_bytes=100 * MIB)
    idle = await machine.idle("idle", held_mib=10)
    machine.ahead.made = {
        "used": FakeTemplate(50 * MIB, is_used=True),
        "slow": FakeTemplate(50 * MIB, init_s=9),
        "quick": FakeTemplate(50 * MIB, init_s=1),
        "on disk": FakeTemplate(0, init_s=0.001),
    }
    machine.available_mib = 95
    machine.placement._sweep()
    assert (machine.ahead.cells, idle.state, machine.ahead.ended) == (15, "ready", [])
    machine.available_mib = 80
    machine.placement._sweep()
    await turns()
    assert (machine.ahead.cells, idle.state, machine.ahead.ended) == (0, "gone", [])
    machine.available_mib = 99
    machine.placement._sweep()
    assert machine.ahead.ended == ["quick"]
    machine.available_mib = 10
    machine.placement._sweep()
    assert machine.ahead.ended == ["quick", "slow"]
    assert machine.ahead.allowed == (0, 0)
    await machine.placement.close(1)


@on_loop
async def test_what_waits_makes_room_for_a_start() -> None:
    """Where it alone is what is too much nothing else ends; what is kept initialised is never taken for it."""
    machine = Machine(cells=50, max_committed_mib=600)
    idle = await machine.idle("idle", 256)
    machine.placement.keep(make_spec("kept", memory_mib=128, key="kept"), 1)
    await until(lambda: machine.placement.counts()["idle"] == 2)
    machine.placement.invoke(make_invocation(make_spec("new", memory_mib=192)))
    await until(lambda: machine.placement.counts()["busy"] == 1)
    assert (machine.ahead.cells, idle.state) == (24, "ready")
    assert machine.placement.counts()["idle"] == 2
    answer = machine.placement.invoke(make_invocation(make_spec("more", memory_mib=512)))
    with pytest.raises(PlatformFault, match="no memory left"):
        await answer
    assert machine.placement.counts()["idle"] == 1  # the one that is kept
    await machine.placement.close(1)


@on_loop
async def test_a_template_counts_with_what_it_holds_or_will_hold() -> None:
    """An unused one of another version goes; one that initialises has what its environment will have after it."""
    machine = Machine(max_committed_mib=600)
    machine.ahead.made = {"other": FakeTemplate(200 * MIB)}
    spec = changed(make_spec("snap", memory_mib=512), initialization_type=SNAP_START)
    machine.placement.invoke(make_invocation(spec))
    assert machine.ahead.ended == ["other"]
    machine.ahead.made = {spec.key: FakeTemplate(512 * MIB, is_used=True, is_made=False)}
    assert machine.placement.has_room_for(spec, 0)
    assert not machine.placement.has_room_for(make_spec("published"), 128)
    machine.ahead.made = {spec.key: FakeTemplate(89 * MIB, is_used=True)}
    assert not machine.placement.has_room_for(spec, 0)
    machine.ahead.made = {spec.key: FakeTemplate(40 * MIB, is_used=True)}
    assert machine.placement.has_room_for(spec, 0)
    await machine.placement.close(1)


@on_loop
async def test_the_template_that_is_needed_stays() -> None:
    """Its version's environment is refused rather than what it would be forked from ended."""
    machine = Machine(max_committed_mib=400)
    spec = changed(make_spec("snap", memory_mib=256), initialization_type=SNAP_START)
    machine.ahead.made = {spec.key: FakeTemplate(200 * MIB)}
    with pytest.raises(PlatformFault, match="no memory left"):
        await machine.placement.invoke(make_invocation(spec))
    assert machine.ahead.ended == []
    await machine.placement.close(1)
