"""A loop whose clock jumps: when nothing is left to do now, it is the time of the next timer.

So hours of waiting pass at once and exactly, and ``asyncio.sleep`` needs no fake. What comes from sockets or
threads is still waited for in real time.
"""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")
MAX_JUMPS = 5_000_000
"""POLICY: a test that needs more timers than that goes round in a circle."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """``time()`` begins at 0."""

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self))
        self.now_s = 0.0

    def time(self) -> float:
        """The loop's clock."""
        return self.now_s


class _JumpingSelector(selectors.SelectSelector):
    """A selector of few files, but instead of waiting time passes."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop
        self._jumps = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See :mod:`selectors`."""
        if timeout is None:
            ready = super().select(5.0)
            if not ready:
                raise TimeoutError("nothing is left that could happen")
            return ready
        ready = super().select(0)
        if not ready and timeout > 0:
            self._jumps += 1
            if self._jumps > MAX_JUMPS:
                raise TimeoutError("time passes, and nothing comes of it")
            self._loop.now_s += timeout
        return ready


def run_virtual(work: Coroutine[Any, Any, None]) -> None:
    """Runs it on such a loop. What reaches the loop's exception handler fails it."""
    problems: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        loop = runner.get_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        runner.run(work)
    for problem in problems:
        raise AssertionError(problem["message"]) from problem.get("exception")


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Makes an ``async def`` test a plain one, in virtual time."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_virtual(test(*args, **kwargs))

    return run
