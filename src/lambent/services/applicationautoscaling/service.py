"""Application Auto Scaling of provisioned concurrency: what its operations and its clock share.

Contract: 1. Operations, and all the clock does with records, run on the control plane's thread: so the records
have one writer, and capacity is set by the operation that clients use. 2. The clock is one task on the
loop; it sleeps until the next period or the next scheduled action, and where there is neither, for long.
3. A scheduled action that was due while the platform was down runs once when it is back.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from lambent.control import lifecycle
from lambent.control.plane import ControlPlane
from lambent.model.call import Call, Result
from lambent.services.applicationautoscaling.scaler import Scaler
from lambent.services.applicationautoscaling.tracking import PERIOD_S, Use

T = TypeVar("T")
Operation = Callable[["AutoScaling", Call], Result]
_MAX_SLEEP_S = 30.0
"""POLICY: a wall clock that is set shows within this."""
_log = logging.getLogger("lambent.autoscaling")


class Usage(Protocol):
    """What is in use: :class:`lambent.invoke.provisioned.Provisioned`. Asked on the loop."""

    def take_uses(self) -> Mapping[str, tuple[int, int]]:
        """Of each allocation that is READY: the most executions at once since the last call, and environments."""
        ...


class AutoScaling:
    """Made by the composition root. ``time_scale``: how much faster than AWS's clocks its own are."""

    def __init__(
        self, plane: ControlPlane, thread: Executor, usage: Usage, time_scale: int = 1
    ) -> None:
        self.plane = plane
        self.time_scale = time_scale
        self.scaler = Scaler(plane, time_scale)
        self._thread = thread
        self._usage = usage
        self._wake = asyncio.Event()
        self._next_due_s: float | None = None
        self._stale = True
        """Whether that may have changed."""
        self._task: asyncio.Task[None] | None = None

    async def operate(self, operation: Operation, call: Call) -> Result:
        """Runs an operation on the control plane's thread."""
        try:
            return await self._on_thread(lambda: operation(self, call))
        finally:
            self._stale = True
            self._wake.set()

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return self.plane.clock().astimezone(UTC)

    def start(self) -> None:
        """Lets the clock run."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """No action and no evaluation begins any more; one that runs on the thread ends by itself."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def forget_all(self) -> None:
        """After a reset, which emptied the records."""
        await self._on_thread(self.scaler.forget_all)
        self._stale = True
        self._wake.set()

    async def _run(self) -> None:
        period_s = PERIOD_S / self.time_scale
        next_period_s = time.monotonic() + period_s
        while True:
            self._wake.clear()  # first: an operation that ends meanwhile is not slept through
            try:
                if time.monotonic() >= next_period_s:
                    next_period_s += period_s * (1 + (time.monotonic() - next_period_s) // period_s)
                    uses = {arn: Use(*use) for arn, use in self._usage.take_uses().items()}
                    if uses:
                        await self._on_thread(lambda uses=uses: self.scaler.observe(uses))  # type: ignore[misc]
                if self._stale or self._is_due():
                    self._stale = False
                    self._next_due_s = await self._on_thread(self.scaler.run_due)
            except Exception:
                self._next_due_s, self._stale = None, True  # with the next wake, not at once
                _log.exception("scaling failed; it goes on with the next period")
            await self._sleep(next_period_s - time.monotonic())

    def _is_due(self) -> bool:
        return self._next_due_s is not None and self.now().timestamp() >= self._next_due_s

    async def _sleep(self, until_period_s: float) -> None:
        wait_s = min(until_period_s, _MAX_SLEEP_S)
        if self._next_due_s is not None:
            wait_s = min(wait_s, self._next_due_s - self.now().timestamp())
        try:
            await asyncio.wait_for(self._wake.wait(), max(wait_s, 0.01))
        except TimeoutError:
            return

    async def _on_thread(self, work: Callable[[], T]) -> T:
        def settled() -> T:
            try:
                return work()
            finally:
                lifecycle.drain(self.plane)

        return await asyncio.get_running_loop().run_in_executor(self._thread, settled)
