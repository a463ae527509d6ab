"""The clock: it runs what is due, looks at the use period by period, and sleeps otherwise."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lambent.services.applicationautoscaling.registry import OPERATIONS
from lambent.services.applicationautoscaling.service import AutoScaling
from lambent.testing.loop import on_loop, until


class FakeUsage:
    """As much in use as a test says; counts how often it was asked."""

    def __init__(self) -> None:
        self.uses: dict[str, tuple[int, int]] = {}
        self.asked = 0

    def take_uses(self) -> Mapping[str, tuple[int, int]]:
        self.asked += 1
        return self.uses


@on_loop
async def test_an_action_put_later_is_not_slept_through(place: Any) -> None:
    """The sleeper is woken by an operation, and runs the action when the wall clock says so."""
    place.register(1, 10)
    with ThreadPoolExecutor(1) as thread:
        scaling = AutoScaling(place.plane, thread, FakeUsage())
        scaling.start()
        await until(lambda: not scaling._stale)
        call = place.call(
            "PutScheduledAction", ScheduledActionName="a", Schedule="rate(1 minute)",
            ScalableTargetAction={"MinCapacity": 4},
        )  # fmt: skip
        await OPERATIONS["PutScheduledAction"](scaling, call)
        await until(lambda: scaling._next_due_s is not None)
        place.clock.advance(minutes=1)
        scaling._wake.set()
        await until(lambda: scaling._next_due_s == place.clock().timestamp() + 60)
        await scaling.stop()
    assert place.provisioned == 4


@on_loop
async def test_a_failure_ends_nothing(place: Any) -> None:
    """What goes wrong in one period is logged, and the next one comes."""
    usage = FakeUsage()
    usage.uses = {"nonsense": ()}  # type: ignore[dict-item]
    with ThreadPoolExecutor(1) as thread:
        scaling = AutoScaling(place.plane, thread, usage, time_scale=3600)
        scaling.start()
        await until(lambda: usage.asked > 2)
        usage.uses = {}
        await until(lambda: not scaling._stale)
        await scaling.stop()
