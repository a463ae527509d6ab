"""Provisioned event pollers: how many there are, and what they may do."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sources.conftest import Bench, answered

from lambent.sources.provisioned_pollers import (
    GROWTH_PER_S,
    KAFKA_POLLER,
    SQS_POLLER,
    PollerUnit,
    ProvisionedPollers,
)
from lambent.testing.loop import on_loop, until

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["backlog", "quiet", "rest", "failed", "throttled"]), st.floats(0, 120)
    )
)


@given(STEPS, st.integers(1, 20), st.integers(0, 50), st.sampled_from([SQS_POLLER, KAFKA_POLLER]))
def test_pollers_stay_between_the_two(
    steps: list[tuple[str, float]], minimum: int, more: int, unit: PollerUnit
) -> None:
    """Whatever happens there are no fewer than the minimum, nor more than the maximum; growth keeps its rate."""
    pollers = ProvisionedPollers(unit, minimum, minimum + more)
    now_s = seen_s = 0.0
    for step, passed_s in steps:
        now_s += passed_s
        before = pollers.limit
        match step:
            case "backlog" | "quiet":
                pollers.grow(now_s, backlog=step == "backlog")
                assert pollers.limit <= before + (now_s - seen_s) * GROWTH_PER_S + unit.invokes
                seen_s = now_s
            case "rest":
                pollers.rest(now_s)
                assert pollers.pollers == minimum
            case "failed":
                pollers.failed()
            case _:
                pollers.throttled()
        assert minimum <= pollers.pollers <= minimum + more
        assert pollers.limit == pollers.pollers * unit.invokes


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 3_000_000)), max_size=60))
def test_polls_and_bytes_keep_their_rates(polls: list[tuple[float, int]]) -> None:
    """In no stretch of time more polls, or bytes, than the pollers' rate and a second's worth of reserve;

    of bytes the last poll may bring more, for its size shows afterwards.
    """
    pollers = ProvisionedPollers(SQS_POLLER, 2, 2)
    now_s, made, held = 0.0, 0, 0
    for passed_s, size_bytes in polls:
        now_s += passed_s
        wait_s = pollers.wait_s(now_s)
        if wait_s > 0:
            now_s += wait_s
            assert pollers.wait_s(now_s) <= 1e-6
            now_s += 1e-6
        assert held <= (now_s + 1) * 2_000_000 + 1
        pollers.polled(now_s)
        pollers.received(now_s, size_bytes)
        made, held = made + 1, held + size_bytes
        assert made <= (now_s + 1) * 20 + 1


def test_growth_is_as_published() -> None:
    """A minute of backlog adds 1,000 invocations; nothing grows in the time before the backlog was seen."""
    pollers = ProvisionedPollers(SQS_POLLER, 2, 2_000)
    pollers.grow(500.0, backlog=True)
    assert pollers.limit == 20
    pollers.grow(560.0, backlog=True)
    assert pollers.limit == pytest.approx(1_020, abs=10)


@on_loop
async def test_two_pollers_run_twenty_batches() -> None:
    """In provisioned mode the pollers, not the usual five batches, limit what runs; it is shown and counted."""
    bench = Bench()
    await bench.queue("q")
    await bench.send(*map(str, range(30)))
    config = {"MinimumPollers": 2, "MaximumPollers": 2}
    bench.start(BatchSize=1, ProvisionedPollerConfig=config)
    await until(lambda: bench.functions.running == 20)
    described = await bench.poller.describe()  # type: ignore[union-attr]
    assert (described["pollers"], described["concurrency"]) == (2, 20)
    bench.functions.answers = answered()
    for future in bench.functions.waiting:
        future.set_result(b"null")
    await until(lambda: len(bench.functions.bodies) == 30)
    await bench.stop()
    assert bench.functions.most == 20
    assert await bench.left() == (0, 0)


@on_loop
async def test_polls_beyond_the_rate_wait() -> None:
    """Two pollers make a second's 20 polls at once, then 20 a second: 50 of a message each take 1.5 s."""
    bench = Bench()
    await bench.queue("q.fifo", FifoQueue="true")
    await bench.send(*(f"g{number}" for number in range(50)))
    bench.functions.answers = answered()
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    config = {"MinimumPollers": 2, "MaximumPollers": 2}
    bench.start(BatchSize=1, ProvisionedPollerConfig=config)
    await until(lambda: len(bench.functions.bodies) == 50, deadline_s=20)
    took_s = loop.time() - began_s
    await bench.stop()
    assert took_s >= 1.4
    assert bench.api.calls.count("ReceiveMessage") >= 50
