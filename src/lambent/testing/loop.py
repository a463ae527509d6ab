"""Tests as coroutines: each runs on a loop of its own, and nothing that goes wrong there stays unseen."""

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")
PATIENCE = float(os.environ.get("LAMBENT_TEST_PATIENCE", "1"))
"""How many times as long as at a desk everything may take: on an emulated machine (scripts/guest)."""
DEADLINE_S = 20.0 * PATIENCE
"""POLICY: no test waits longer than that for anything."""


def on_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Makes an ``async def`` test a plain one.

    What reaches the loop's exception handler (a failing callback, a lost exception) fails the test.
    """

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(_watched(test(*args, **kwargs)))

    return run


async def _watched(work: Awaitable[None]) -> None:
    problems: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: problems.append(context))
    async with asyncio.timeout(DEADLINE_S):
        await work
    await asyncio.sleep(0)
    for problem in problems:
        raise AssertionError(problem["message"]) from problem.get("exception")


async def until(holds: Callable[[], bool], deadline_s: float = 5.0) -> None:
    """Gives the loop its turns until ``holds()``. Raises TimeoutError when it never does."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + deadline_s * PATIENCE
    while not holds():
        if loop.time() > end_s:
            raise TimeoutError("what was waited for did not come true")
        await asyncio.sleep(0.001)


async def turns(count: int = 10) -> None:
    """Lets everything that is ready on the loop run."""
    for _ in range(count):
        await asyncio.sleep(0)
