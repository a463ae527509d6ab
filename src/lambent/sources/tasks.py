"""Ends tasks by a deadline, and says what went wrong in them."""

import asyncio
import logging
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_log = logging.getLogger("lambent.sources")


async def end_tasks(
    tasks: Collection["asyncio.Task[None]"],
    deadline_s: float,
) -> None:
    """Waits for tasks until the deadline, then calls off what is left."""
    left = list(tasks)
    if not left:
        return
    _, pending = await asyncio.wait(left, timeout=deadline_s)
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)


def log_failure(task: "asyncio.Task[None]") -> bool:
    """For ``add_done_callback``: what went wrong in a task nobody waits for is logged. Whether it did."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.error("an event source's task failed", exc_info=error)
    return error is not None


async def until_set(work: Coroutine[Any, Any, T], event: asyncio.Event) -> T | None:
    """What ``work`` comes to; None when the event was set before, and the work called off. Leaks nothing."""
    loop = asyncio.get_running_loop()
    working, waiting = loop.create_task(work), loop.create_task(event.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        working.cancel()
        waiting.cancel()
        await asyncio.wait({working, waiting})


async def pause(event: asyncio.Event, seconds: float | None) -> None:
    """Waits until the event is set, but no longer than that; None for as long as it takes."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
