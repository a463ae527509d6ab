"""Deadlines on one timer: each is kept, none that was lifted or moved is."""

import asyncio
import time

from lambent.node.deadline import Deadline
from lambent.testing.loop import on_loop, until


class Bell:
    """When it rang, on the monotonic clock."""

    def __init__(self) -> None:
        self.rings_s: list[float] = []
        self.deadline = Deadline(self.ring)

    def ring(self) -> None:
        self.rings_s.append(time.monotonic())


@on_loop
async def test_a_deadline_is_told_once_and_not_before_it_is_due() -> None:
    """Within the timer's millisecond."""
    bell = Bell()
    due_s = time.monotonic() + 0.02
    bell.deadline.set(due_s)
    await until(lambda: bool(bell.rings_s))
    assert bell.rings_s[0] >= due_s - 0.002
    await asyncio.sleep(0.03)
    assert len(bell.rings_s) == 1


@on_loop
async def test_a_deadline_moved_on_is_told_then() -> None:
    """The timer of the earlier one rings in vain."""
    bell = Bell()
    bell.deadline.set(time.monotonic() + 0.01)
    due_s = time.monotonic() + 0.05
    bell.deadline.set(due_s)
    await until(lambda: bool(bell.rings_s))
    assert bell.rings_s[0] >= due_s - 0.002


@on_loop
async def test_a_deadline_sooner_than_the_one_before_is_told_then() -> None:
    """A shorter one does not wait for the longer one's timer."""
    bell = Bell()
    bell.deadline.set(time.monotonic() + 60)
    bell.deadline.set(time.monotonic() + 0.01)
    await until(lambda: bool(bell.rings_s), deadline_s=5)
    bell.deadline.close()


@on_loop
async def test_a_lifted_deadline_is_not_told_and_the_next_one_is() -> None:
    """Lifting leaves the timer, which rings in vain; another deadline is told all the same."""
    bell = Bell()
    bell.deadline.set(time.monotonic() + 0.01)
    bell.deadline.lift()
    await asyncio.sleep(0.03)
    assert bell.rings_s == []
    bell.deadline.set(time.monotonic() + 0.01)
    await until(lambda: bool(bell.rings_s))


@on_loop
async def test_a_deadline_in_the_past_is_told_at_once() -> None:
    """As one is whose initialisation took the whole timeout."""
    bell = Bell()
    bell.deadline.set(time.monotonic() - 1)
    assert bell.rings_s == []
    await until(lambda: bool(bell.rings_s))


@on_loop
async def test_a_closed_deadline_is_silent() -> None:
    """Nothing rings after the end."""
    bell = Bell()
    bell.deadline.set(time.monotonic() + 0.01)
    bell.deadline.close()
    await asyncio.sleep(0.03)
    assert bell.rings_s == []
