"""Freezes what has been idle for a moment.

A frozen environment makes no progress, and freezing and thawing cost as much as the rest of a short invocation's
system calls. So an environment whose next event comes at once is not frozen for it. Contract:

1. What is idle is frozen at the first tick after :data:`MOMENT_S`, which is one to three milliseconds.
2. An event that comes sooner finds it running: what its threads did meanwhile they would have done a moment later.

AWS: freezing follows when "there are no pending events"; how long after is not said.
Source: "Understanding the Lambda execution environment lifecycle".
"""

import asyncio
import time
from typing import Protocol

MOMENT_S = 0.001
"""POLICY: longer than a busy caller takes from one event to the next, shorter than anything worth hiding."""


class Freezable(Protocol):
    """An environment, idle since then on the monotonic clock."""

    idle_since_s: float

    def freeze_if_idle(self) -> None:
        """Freezes it, unless it works on an event or is gone."""


class Freezer:
    """One for all environments of a node: one timer, however many became idle."""

    def __init__(self, moment_s: float = MOMENT_S) -> None:
        self._moment_s = moment_s
        self._idle: set[Freezable] = set()
        self._is_ticking = False

    def watch(self, environment: Freezable) -> None:
        """It became idle now."""
        self._idle.add(environment)
        if not self._is_ticking:
            self._is_ticking = True
            asyncio.get_running_loop().call_later(self._moment_s, self._tick)

    def _tick(self) -> None:
        latest_s = time.monotonic() - self._moment_s
        due = [e for e in self._idle if e.idle_since_s <= latest_s]
        self._idle.difference_update(due)
        for environment in due:
            environment.freeze_if_idle()
        self._is_ticking = bool(self._idle)
        if self._is_ticking:
            asyncio.get_running_loop().call_later(self._moment_s, self._tick)
