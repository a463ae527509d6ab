"""Tasks under way: none is forgotten by the loop, what fails is logged, all end with their owner."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger("lambent.events")


class Tasks:
    """Lives on the loop's thread."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Begins with it; nobody waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def cancel(self) -> None:
        """Ends all of them."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("work on asynchronous events failed", exc_info=error)
