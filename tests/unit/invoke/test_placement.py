"""What the pools decide is carried out: environments start, serve, retire and end, on a fake node."""

import asyncio

import pytest

from lambent.invoke.placement import Placement
from lambent.model.errors import PlatformFault
from lambent.testing.loop import on_loop, turns, until
from lambent.testing.node import FakeEnvironment, FakeNode, make_invocation, make_spec


async def ready_environments(placement: Placement, node: FakeNode, count: int) -> None:
    """Leaves ``count`` idle environments of the default spec."""
    answers = [placement.invoke(make_invocation()) for _ in range(count)]
    await until(lambda: node.by_state().get("invoking", 0) == count)
    for environment in node.environments:
        environment.respond()
        environment.become_ready()
    await asyncio.gather(*answers)


@on_loop
async def test_a_burst_starts_as_many_as_it_needs() -> None:
    """Fifty events at once start fifty environments, each serves one, each caller gets its own answer."""
    node = FakeNode(automatic=True)
    placement = Placement(node, 1000, 300)
    payloads = [b"%d" % n for n in range(50)]
    answers = [placement.invoke(make_invocation(payload=p)) for p in payloads]
    await until(lambda: node.by_state() == {"invoking": 50})
    assert placement.counts() == {"idle": 0, "busy": 50, "starting": 0}
    for environment in reversed(node.environments):
        environment.respond()
    assert [(await answer).payload for answer in answers] == payloads
    assert len(node.starts) == 50


@on_loop
async def test_an_idle_environment_is_used_again() -> None:
    """The next event goes to the environment that is there, and nothing starts."""
    node = FakeNode(automatic=True)
    placement = Placement(node, 1000, 300)
    await ready_environments(placement, node, 1)
    answer = placement.invoke(make_invocation(payload=b"2"))
    node.environments[0].respond()
    assert (await answer).payload == b"2"
    assert len(node.starts) == 1


@on_loop
async def test_two_versions_never_share() -> None:
    """An idle environment of one key is not given another key's event."""
    node = FakeNode(automatic=True)
    placement = Placement(node, 1000, 300)
    await ready_environments(placement, node, 1)
    placement.invoke(make_invocation(make_spec(version="2")))
    await turns()
    assert [start.spec.version for start in node.starts] == ["$LATEST", "2"]


@on_loop
async def test_a_failing_start_reaches_exactly_one_waiter() -> None:
    """Of three events waiting for three starts, one hears of the start that failed twice; two are served."""
    node = FakeNode()
    placement = Placement(node, 1000, 300)
    answers = [placement.invoke(make_invocation()) for _ in range(3)]
    await turns()
    node.starts[1].fail(OSError("no memory"))
    await turns()
    node.starts[3].fail(OSError("no memory still"))
    for start in (node.starts[0], node.starts[2]):
        environment = start.make()
        await turns()
        environment.become_ready()
        environment.respond()
    results = await asyncio.gather(*answers, return_exceptions=True)
    faults = [r for r in results if isinstance(r, PlatformFault)]
    assert len(faults) == 1
    assert "no memory still" in faults[0].message
    assert len(node.starts) == 4


@on_loop
async def test_a_start_that_fails_once_costs_no_event() -> None:
    """Nothing was handed over yet, so another environment is tried, and nobody hears of it."""
    node = FakeNode()
    placement = Placement(node, 1000, 300)
    answer = placement.invoke(make_invocation(payload=b"1"))
    await turns()
    node.starts[0].fail(OSError("the zygote ended"))
    await turns()
    environment = node.starts[1].make()
    await turns()
    environment.become_ready()
    environment.respond()
    assert (await answer).payload == b"1"
    assert (len(node.starts), placement._live) == (2, 1)


@on_loop
async def test_nothing_is_tried_again_for_a_version_that_is_no_more() -> None:
    """A start that another environment made unnecessary, and that failed because the version went, is the end."""
    node = FakeNode()
    placement = Placement(node, 1000, 300)
    answers = [placement.invoke(make_invocation()) for _ in range(2)]
    await turns()
    first = node.starts[0].make()
    await turns()
    for answer in answers:
        first.become_ready()
        first.respond()
        await answer
    placement.retire(lambda _: False)
    node.starts[1].fail(OSError("the template ended"))
    await turns()
    assert len(node.starts) == 2
    first.become_ready()
    await turns()
    assert (placement._live, placement._pools) == (0, {})


@on_loop
async def test_a_failed_initialisation_is_run_again_for_its_event() -> None:
    """The event that waited goes to the second environment, which serves others after it."""
    node = FakeNode()
    placement = Placement(node, 1000, 300)
    answer = placement.invoke(make_invocation(payload=b"1"))
    await turns()
    failing = node.starts[0].make()
    await turns()
    failing.end()
    await turns()
    assert placement.counts() == {"idle": 0, "busy": 0, "starting": 1}
    environment = node.starts[1].make()
    await turns()
    environment.become_ready()
    environment.respond()
    assert (await answer).payload == b"1"
    environment.become_ready()
    placement.invoke(make_invocation(payload=b"2"))
    environment.respond()
    assert environment.served == [b"1", b"2"]
    assert (len(node.starts), placement._live) == (2, 1)


@on_loop
async def test_nothing_is_run_again_for_nobody() -> None:
    """An initialisation that fails when no event waits for it any more is the end of it."""
    node = FakeNode()
    placement = Placement(node, 1000, 300)
    answers = [placement.invoke(make_invocation()) for _ in range(2)]
    await turns()
    working, failing = (start.make() for start in node.starts)
    await turns()
    for _ in range(2):
        working.become_ready()
        working.respond()
    working.become_ready()
    await asyncio.gather(*answers)
    failing.end()
    await turns()
    assert (len(node.starts), placement._live) == (2, 1)


@on_loop
async def test_a_failed_initialisation_reaches_exactly_one_waiter() -> None:
    """When it fails a second time one event hears of it, not the other, and nothing more is tried."""
    node = FakeNode()
    placement = Placement(node, 1000, 300)
    first, second = (placement.invoke(make_invocation(payload=p)) for p in (b"1", b"2"))
    await turns()
    failing, working = (start.make() for start in node.starts)
    await turns()
    failing.end()
    await turns()
    again = node.starts[2].make()
    await turns()
    assert not first.done()
    again.end()
    assert (await first).function_error == "Unhandled"
    assert not second.done()
    assert len(node.starts) == 3
    working.become_ready()
    working.respond()
    assert (await second).payload == b"2"
    assert placement.counts() == {"idle": 0, "busy": 1, "starting": 0}


@on_loop
async def test_everything_is_forgotten_after_the_last_environment() -> None:
    """A version without environments or events takes no memory."""
    node = FakeNode()
    placement = Placement(node, 1000, 300)
    for number in range(20):
        answer = placement.invoke(make_invocation(make_spec(version=str(number))))
        await turns()
        if number % 2:
            node.starts[-1].fail(OSError("no"))
            await turns()
            node.starts[-1].fail(OSError("no"))
            with pytest.raises(PlatformFault):
                await answer
        else:
            environment = node.starts[-1].make()
            await turns()
            environment.become_ready()
            environment.respond()
            environment.end()
    assert not placement._pools
    assert not placement._specs
    assert not placement._ready_once
    assert not placement._alive
    assert placement._live == 0


@on_loop
async def test_an_event_would_rather_wait_for_a_finishing_environment() -> None:
    """An event that comes a moment before an environment is ready again is served by it."""
    node = FakeNode(automatic=True)
    placement = Placement(node, 1000, 300)
    placement.invoke(make_invocation())
    await until(lambda: node.by_state() == {"invoking": 1})
    environment = node.environments[0]
    environment.respond()
    placement.invoke(make_invocation())
    assert len(node.starts) == 1
    environment.become_ready()
    assert environment.state == "invoking"


@on_loop
async def test_patience_with_a_finishing_environment_ends() -> None:
    """When the finishing environment takes too long, another is started for the event."""
    node = FakeNode(automatic=True)
    placement = Placement(node, 1000, 300)
    placement.invoke(make_invocation())
    await until(lambda: node.by_state() == {"invoking": 1})
    node.environments[0].respond()
    placement.invoke(make_invocation())
    await until(lambda: node.by_state() == {"responded": 1, "invoking": 1})


@on_loop
async def test_a_runtime_that_left_gets_no_event() -> None:
    """Between a runtime's hanging up and its end, an event goes to another environment."""
    node = FakeNode(automatic=True)
    placement = Placement(node, 1000, 300)
    await ready_environments(placement, node, 1)
    leaver = node.environments[0]
    leaver.hang_up()
    answer = placement.invoke(make_invocation(payload=b"other"))
    await until(lambda: node.by_state() == {"stopping": 1, "invoking": 1})
    leaver.end()
    node.environments[1].respond()
    assert (await answer).payload == b"other"
    assert placement._live == 1


@on_loop
async def test_a_retired_version_ends_when_it_is_done() -> None:
    """Retiring stops idle environments now, busy ones after their answer, and no other version's."""
    node = FakeNode(automatic=True)
    placement = Placement(node, 1000, 300)
    await ready_environments(placement, node, 2)
    placement.invoke(make_invocation(make_spec("other")))
    answer = placement.invoke(make_invocation())
    await until(lambda: node.by_state() == {"ready": 1, "invoking": 2})
    placement.retire(lambda spec: spec.function_name == "other")
    await turns()
    assert node.by_state() == {"gone": 1, "invoking": 2}
    busy = next(e for e in node.environments if e.spec.function_name == "f" and e.invocation)
    busy.respond()
    busy.become_ready()
    await turns()
    assert (await answer).function_error is None
    assert node.by_state() == {"gone": 2, "invoking": 1}
    assert list(placement._specs.values()) == [make_spec("other")]


@on_loop
async def test_a_revived_version_keeps_its_environments_again() -> None:
    """An environment at work while its version was retired and revived serves the next event too."""
    node = FakeNode(automatic=True)
    placement = Placement(node, 1000, 300)
    placement.invoke(make_invocation())
    await until(lambda: node.by_state() == {"invoking": 1})
    placement.retire(lambda _: False)
    placement.revive(lambda spec: spec.function_name == "other")
    assert all(pool.retired for pool in placement._pools.values())
    placement.revive(lambda spec: spec.function_name == "f")
    node.environments[0].respond()
    node.environments[0].become_ready()
    await turns()
    assert node.by_state() == {"ready": 1}
    placement.invoke(make_invocation())
    assert node.by_state() == {"invoking": 1}
    assert len(node.starts) == 1


@on_loop
async def test_a_full_node_gives_up_the_longest_idle_of_any_version() -> None:
    """Beyond max_environments the environment idle for longest makes room for another version's."""
    node = FakeNode(automatic=True)
    placement = Placement(node, 2, 300)
    for name in ("old", "young"):
        placement.invoke(make_invocation(make_spec(name)))
        await until(lambda: node.by_state().get("invoking") == 1)
        node.environments[-1].respond()
        node.environments[-1].become_ready()
    node.environments[0].idle_since_s -= 5
    placement.invoke(make_invocation(make_spec("third")))
    await until(lambda: node.by_state() == {"gone": 1, "ready": 1, "invoking": 1})
    assert node.environments[0].state == "gone"


@on_loop
async def test_the_sweep_stops_only_what_is_idle_too_long() -> None:
    """An environment idle beyond the timeout is stopped, a younger one is kept, a busy one too."""
    node = FakeNode(automatic=True)
    placement = Placement(node, 1000, 300)
    await ready_environments(placement, node, 3)
    first, second, third = node.environments
    first.idle_since_s -= 301
    second.idle_since_s -= 299
    placement.invoke(make_invocation())
    third.idle_since_s -= 10_000
    placement._sweep()
    await turns()
    assert [e.state for e in node.environments] == ["gone", "ready", "invoking"]
    await placement.close(1)


@on_loop
async def test_close_ends_everything_and_resolves_every_event() -> None:
    """Closing stops idle, busy and starting environments, and no caller is left waiting."""
    node = FakeNode(automatic=True)
    placement = Placement(node, 1000, 300)
    placement.open()
    await ready_environments(placement, node, 2)
    answers = [placement.invoke(make_invocation()) for _ in range(3)]
    await until(lambda: node.by_state() == {"invoking": 3})
    late = placement.invoke(make_invocation())
    await placement.close(5)
    assert placement._live == 0
    results = await asyncio.gather(*answers, late, return_exceptions=True)
    assert len(results) == 4
    with pytest.raises(PlatformFault) as caught:
        placement.invoke(make_invocation())
    assert caught.value.status == 503
    assert len(node.starts) <= 4, "nothing is started for what is closing"


@on_loop
async def test_close_waits_no_longer_than_its_deadline() -> None:
    """An environment that never ends does not hold the platform."""
    node = FakeNode()
    placement = Placement(node, 1000, 300)
    placement.invoke(make_invocation())
    await turns()
    environment = node.starts[0].make()
    await turns()
    environment.state = "stopping"  # deaf: stop() does nothing from here on
    await placement.close(0.02)
    assert placement._live == 1


@on_loop
async def test_an_environment_may_be_gone_before_its_start_returns() -> None:
    """A runtime that ends during the start is counted once, and its event hears of it."""
    node = FakeNode()
    placement = Placement(node, 1000, 300)
    answer = placement.invoke(make_invocation())
    await turns()
    start = node.starts[0]
    FakeEnvironment(start.spec, start.watcher, node=node).end()
    start.make()
    await turns()
    node.starts[1].make().end()
    assert (await answer).function_error == "Unhandled"
    await turns()
    assert placement._live == 0
    assert not placement._alive
    assert not placement._pools
