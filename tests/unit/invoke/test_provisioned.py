"""Provisioned concurrency: environments that are there before the event, and what takes them."""

import asyncio

import pytest

from lambent.invoke.counting import Counting
from lambent.invoke.eviction import Eviction
from lambent.invoke.frontend import Frontend
from lambent.invoke.placement import Placement
from lambent.invoke.provisioned import Provisioned, share
from lambent.invoke.room import Room
from lambent.model.invocation import InvocationResult, Target
from lambent.testing.loop import on_loop, turns, until
from lambent.testing.node import FakeNode, make_spec

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
LIVE = Target(f"{ARN}:live", make_spec(version="1"))


class Place:
    """A frontend over a fake node: ``f:live`` and ``f:1`` both lead to version 1."""

    def __init__(self, *, automatic: bool = True, limit: int = 10) -> None:
        self.node = FakeNode(automatic=automatic)
        self.placement = Placement(self.node, 1000, 300)
        self.provisioned = Provisioned(self.placement)
        self.counting = Counting(limit)
        self.frontend = Frontend(self, self.counting, self.placement, provisioned=self.provisioned)

    def resolve(self, account_id: str, region: str, name: str, qualifier: str | None) -> Target:
        return Target(f"{ARN}:{qualifier}", make_spec(version="1"))

    def invoke(self, qualifier: str) -> "asyncio.Task[InvocationResult]":
        work = self.frontend.invoke("000000000000", "us-east-1", "f", qualifier, b"{}")
        return asyncio.create_task(work)

    def types(self) -> list[str]:
        """How each environment made so far was initialised."""
        return [start.spec.initialization_type for start in self.node.starts]


@on_loop
async def test_environments_are_initialised_without_an_event() -> None:
    """READY is said when all of them are, and not before."""
    place = Place(automatic=False)
    place.provisioned.put(LIVE, 2)
    await turns()
    assert place.types() == ["provisioned-concurrency"] * 2
    place.node.starts[0].make().become_ready()
    assert place.provisioned.status(LIVE.invoked_arn).status == "IN_PROGRESS"
    place.node.starts[1].make().become_ready()
    status = place.provisioned.status(LIVE.invoked_arn)
    assert (status.available, status.allocated, status.status) == (2, 2, "READY")
    place.provisioned.close()


@on_loop
async def test_events_take_what_is_provisioned_and_spill_over() -> None:
    """By the alias two events run on what is there, the third starts another; by the version all do."""
    place = Place()
    place.provisioned.put(LIVE, 2)
    await turns()
    for qualifier in ("live", "live", "live", "1"):
        place.invoke(qualifier)
    await until(lambda: place.node.by_state() == {"invoking": 4})
    assert place.types() == ["provisioned-concurrency"] * 2 + ["on-demand"] * 2
    assert place.provisioned.status(LIVE.invoked_arn).available == 2
    place.provisioned.close()


@on_loop
async def test_one_that_ends_is_replaced() -> None:
    """A provisioned environment that exits is initialised anew, with no event waiting."""
    place = Place()
    place.provisioned.put(LIVE, 1)
    await turns()
    place.node.environments[0].end()
    await turns()
    assert place.node.by_state() == {"gone": 1, "ready": 1}
    place.provisioned.close()


@on_loop
async def test_what_is_no_longer_provisioned_goes() -> None:
    """Fewer, and then none: idle environments stop, one that is busy when it has answered."""
    place = Place()
    place.provisioned.put(LIVE, 3)
    await turns()
    place.invoke("live")
    await until(lambda: place.node.by_state().get("invoking") == 1)
    place.provisioned.put(LIVE, 1)
    await turns()
    assert place.node.by_state() == {"invoking": 1, "gone": 2}
    place.provisioned.put(LIVE, 0)
    busy = next(e for e in place.node.environments if e.state == "invoking")
    busy.respond()
    busy.become_ready()
    await turns()
    assert place.node.by_state() == {"gone": 3}


@on_loop
async def test_they_move_with_the_alias() -> None:
    """When an alias points elsewhere the new version's are initialised and the old one's stop."""
    place = Place()
    place.provisioned.put(LIVE, 2)
    await turns()
    place.provisioned.put(Target(LIVE.invoked_arn, make_spec(version="2", key="v2")), 2)
    await turns()
    assert [e.spec.version for e in place.node.environments if e.state == "ready"] == ["2", "2"]
    assert place.node.by_state()["gone"] == 2
    place.provisioned.close()


@on_loop
async def test_the_same_again_changes_nothing() -> None:
    """A change that concerns neither version nor number leaves the environments alone."""
    place = Place()
    place.provisioned.put(LIVE, 2)
    await turns()
    place.provisioned.put(LIVE, 2)
    await turns()
    assert place.node.by_state() == {"ready": 2}
    place.provisioned.close()


@on_loop
async def test_a_failing_initialisation_is_said_and_not_hammered() -> None:
    """The status is FAILED, and nothing more is started until the retry is due."""
    place = Place(automatic=False)
    place.provisioned.put(LIVE, 1)
    await turns()
    place.node.starts[0].make().end()
    await turns()
    assert len(place.node.starts) == 1
    assert place.provisioned.status(LIVE.invoked_arn).status == "FAILED"
    place.placement.refill(place.node.starts[0].spec.key)
    await turns()
    assert len(place.node.starts) == 2
    place.provisioned.close()


@on_loop
async def test_neither_idleness_nor_eviction_takes_them() -> None:
    """What is provisioned stays however long it is idle."""
    place = Place()
    place.provisioned.put(LIVE, 1)
    await turns()
    place.placement._idle_timeout_s = -1.0
    place.placement._sweep()
    short = Eviction(Room(1 << 50), lambda: 0, place.placement._pools, place.placement._specs)
    short.relieve()
    await turns()
    assert place.node.by_state() == {"ready": 1}
    await place.placement.close(1)
    place.provisioned.close()


@on_loop
async def test_executions_on_provisioned_environments_leave_the_shared_part_alone() -> None:
    """With two of three places provisioned, two events of the alias and one of others run at once."""
    place = Place(limit=3)
    place.counting.provision("000000000000", "us-east-1", "f", 2)
    place.provisioned.put(LIVE, 2)
    await turns()
    for qualifier in ("live", "live", "1"):
        place.invoke(qualifier)
    await until(lambda: place.node.by_state() == {"invoking": 3})
    with pytest.raises(Exception, match=r"Rate Exceeded\."):
        await place.invoke("live")
    place.provisioned.close()


@pytest.mark.parametrize(
    ("weight", "shares"), [(0.0, [4]), (0.25, [3, 1]), (0.3, [3, 1]), (1.0, [4])]
)
def test_a_weighted_alias_shares_its_environments(weight: float, shares: list[int]) -> None:
    """Both versions get theirs by the weights; together they are what was asked for."""
    target = Target("a", make_spec(version="1"), make_spec(version="2"), weight)
    assert [count for _, count in share(target, 4)] == shares
