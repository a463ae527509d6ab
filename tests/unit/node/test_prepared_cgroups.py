"""Groups made ahead: given once, with the limit asked for; none is made during a start, none left behind."""

import asyncio

import pytest

from lambent.node.linux.cgroups import Cgroup, CgroupLayout
from lambent.node.sandbox import stock
from lambent.node.sandbox.prepared_cgroups import PreparedCgroups
from lambent.testing.loop import on_loop, until


class Group(Cgroup):
    """One on no host: remembers what became of it."""

    def __init__(self, name: str) -> None:
        super().__init__(CgroupLayout(None, frozenset()), name)
        self.name = name
        self.memory_mib = 10_240
        self.is_broken = False
        self.is_removed = False

    def resize(self, memory_mib: int) -> None:
        if self.is_broken:
            raise OSError("gone")
        self.memory_mib = memory_mib

    def remove(self) -> bool:
        self.is_removed = True
        return True


class Host:
    """Makes groups, as many as it has."""

    def __init__(self, most: int = 1000) -> None:
        self.made: list[Group] = []
        self.most = most

    def make(self, name: str) -> Group:
        if len(self.made) == self.most:
            raise OSError("no more")
        self.made.append(Group(name))
        return self.made[-1]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for quiet."""
    monkeypatch.setattr(stock, "QUIET_S", 0.0)


@on_loop
async def test_each_is_given_once_with_its_limit() -> None:
    """None before the first is asked for; then each that is given is another one, with the limit asked for."""
    host = Host()
    groups = PreparedCgroups(host.make, 8)
    await asyncio.sleep(0)
    assert groups.take(128) is None
    await until(lambda: groups.count == 8)
    given = [groups.take(256) for _ in range(3)]
    assert len({id(one) for one in given}) == 3
    assert {one.memory_mib for one in given if isinstance(one, Group)} == {256}
    assert len({one.name for one in host.made}) == len(host.made)
    await groups.close()
    assert [one.is_removed for one in host.made] == [one not in given for one in host.made]


@on_loop
async def test_none_is_made_before_it_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started, or has just been, postpones it."""
    monkeypatch.setattr(stock, "QUIET_S", 30.0)
    host = Host()
    groups = PreparedCgroups(host.make, 8)
    groups.take(128)
    await asyncio.sleep(0.05)
    assert not host.made
    await groups.close()


@on_loop
async def test_one_that_cannot_be_limited_is_given_to_nobody() -> None:
    """It is removed, and the next one given."""
    host = Host()
    groups = PreparedCgroups(host.make, 4)
    groups.take(128)
    await until(lambda: groups.count == 4)
    host.made[0].is_broken = True
    assert groups.take(128) is host.made[1]
    assert host.made[0].is_removed
    await groups.close()


@on_loop
async def test_a_host_that_makes_no_more_is_asked_again_when_one_is_wanted() -> None:
    """It does not turn in circles, and what was made is used."""
    host = Host(most=2)
    groups = PreparedCgroups(host.make, 8)
    groups.take(128)
    await until(lambda: len(host.made) == 2 and groups.count == 2)
    host.most = 1000
    assert groups.take(128) is host.made[0]
    await until(lambda: groups.count >= 8)
    await groups.close()


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
@on_loop
async def test_none_is_left_whenever_it_is_closed(turns: int) -> None:
    """Before, while and after they are made."""
    host = Host()
    groups = PreparedCgroups(host.make, 40)
    groups.take(128)
    for _ in range(turns):
        await asyncio.sleep(0)
    await groups.close()
    assert all(one.is_removed for one in host.made)
    assert groups.count == 0


@on_loop
async def test_they_are_given_back_and_made_again() -> None:
    """Bounded, those beyond are removed; when there may be more they are made, never more than asked for."""
    host = Host()
    groups = PreparedCgroups(host.make, 6)
    groups.postpone()
    groups.bound(3)
    assert groups._making is None  # nobody has asked for one yet
    groups.take(128)
    await until(lambda: groups.count == 3 and groups._making is None)
    groups.bound(1)
    assert sum(group.is_removed for group in host.made) == 2
    groups.bound(100)
    await until(lambda: groups.count == 6 and groups._making is None)
    await groups.close()
    assert all(group.is_removed for group in host.made)
