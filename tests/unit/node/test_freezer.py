"""What is idle is frozen in a moment, and nothing before that."""

import asyncio
import time

from lambent.node.freezer import MOMENT_S, Freezer
from lambent.testing.loop import on_loop, until


class Idle:
    """Something that is idle from now on."""

    def __init__(self) -> None:
        self.idle_since_s = time.monotonic()
        self.frozen_s: list[float] = []

    def freeze_if_idle(self) -> None:
        self.frozen_s.append(time.monotonic())


@on_loop
async def test_each_is_frozen_once_and_never_before_its_moment() -> None:
    """However many become idle at whatever times, one timer serves them all."""
    freezer, things = Freezer(), []
    for _ in range(5):
        things.append(Idle())
        freezer.watch(things[-1])
        await asyncio.sleep(0.0004)
    await until(lambda: all(thing.frozen_s for thing in things))
    assert all(thing.frozen_s[0] - thing.idle_since_s >= MOMENT_S for thing in things)
    await asyncio.sleep(0.01)
    assert [len(thing.frozen_s) for thing in things] == [1] * 5


@on_loop
async def test_what_was_busy_meanwhile_begins_its_moment_anew() -> None:
    """An environment that is idle for the second time is not frozen for the first."""
    freezer, thing = Freezer(), Idle()
    freezer.watch(thing)
    for _ in range(20):
        await asyncio.sleep(0.0002)
        thing.idle_since_s = time.monotonic()
        freezer.watch(thing)
        assert not thing.frozen_s or thing.frozen_s[-1] - thing.idle_since_s < 0
    count = len(thing.frozen_s)
    await until(lambda: len(thing.frozen_s) > count)
    assert thing.frozen_s[-1] - thing.idle_since_s >= MOMENT_S
