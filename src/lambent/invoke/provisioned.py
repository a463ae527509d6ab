"""Provisioned concurrency: environments initialised ahead, for what is invoked by one version or alias.

They are pools of their own that keep their number (see :mod:`lambent.invoke.assignment`); an event that comes
by that qualifier takes one of them when one is free, and spills over to the version's others when none is.
Lives on the loop's thread; :meth:`Provisioned.status` may be asked from any.

Source: https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
"""

import asyncio
import math
from collections.abc import Container
from dataclasses import dataclass, field, replace

from lambent.invoke.placement import Placement
from lambent.model.invocation import EnvironmentSpec, Target
from lambent.model.provisioned import ProvisionedStatus

INITIALIZATION_TYPE = "provisioned-concurrency"
"""What functions read in ``AWS_LAMBDA_INITIALIZATION_TYPE``."""
_RETRY_S = 10.0
_MAX_RETRY_S = 300.0
"""POLICY: how soon an initialisation that failed is tried again, doubling from the one to the other."""


@dataclass(slots=True)
class _Allocation:
    """What one qualifier has: its specs with their shares, by the key of the version they are for."""

    requested: int
    specs: dict[str, EnvironmentSpec] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    retry: asyncio.TimerHandle | None = None
    retry_s: float = _RETRY_S
    peak: int = 0
    """The most executions at once since somebody asked."""


class Provisioned:
    """All allocations of this platform, by the qualified ARN that is invoked."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._allocations: dict[str, _Allocation] = {}

    def spec_for(self, invoked_arn: str, spec: EnvironmentSpec) -> EnvironmentSpec | None:
        """The spec under which this event finds an environment that is free for it; None to spill over."""
        if not self._allocations:
            return None
        allocation = self._allocations.get(invoked_arn)
        kept = allocation.specs.get(spec.key) if allocation is not None else None
        if kept is None:
            return None
        pool = self._placement.kept(kept.key)
        if pool is None or not pool.can_take:
            return None
        if allocation is not None:
            allocation.peak = max(allocation.peak, self._in_use(allocation) + 1)
        return kept

    def take_uses(self) -> dict[str, tuple[int, int]]:
        """Of each allocation that is READY: the most executions at once since the last call, and environments."""
        uses = {}
        for arn, allocation in self._allocations.items():
            status = self.status(arn)
            if status.status == "READY":
                uses[arn] = (min(allocation.peak, status.available), status.available)
            allocation.peak = self._in_use(allocation)
        return uses

    def _in_use(self, allocation: _Allocation) -> int:
        pools = [self._placement.kept(spec.key) for spec in allocation.specs.values()]
        return sum(pool.serving for pool in pools if pool is not None)

    def put(self, target: Target, requested: int) -> None:
        """Keeps ``requested`` environments for what ``target`` resolves to now; 0 ends it.

        For a version that stays only the number changes; of one that is no longer meant the environments go.
        """
        arn = target.invoked_arn
        before = self._allocations.pop(arn, None) or _Allocation(0)
        if before.retry is not None:
            before.retry.cancel()
        shares = share(target, requested) if requested else []
        after = _Allocation(requested, counts={spec.key: n for spec, n in shares}, peak=before.peak)
        for spec, _ in shares:
            after.specs[spec.key] = before.specs.get(spec.key) or replace(
                spec, key=f"{spec.key}|{arn}", initialization_type=INITIALIZATION_TYPE
            )
        for key, spec in before.specs.items():
            if key not in after.specs:
                self._placement.keep(spec, 0)
        if requested:
            self._allocations[arn] = after
            self._retry_later(arn, after)
        for key, spec in after.specs.items():
            self._placement.keep(spec, after.counts[key])

    def drop(self, arn_prefix: str, keep: Container[str]) -> None:
        """Ends every allocation whose ARN starts so and is not in ``keep``."""
        for arn in [arn for arn in self._allocations if arn.startswith(arn_prefix)]:
            if arn not in keep:
                allocation = self._allocations.pop(arn)
                if allocation.retry is not None:
                    allocation.retry.cancel()
                for spec in allocation.specs.values():
                    self._placement.keep(spec, 0)

    def status(self, arn: str) -> ProvisionedStatus:
        """How far an allocation is."""
        allocation = self._allocations.get(arn)
        if allocation is None:
            return ProvisionedStatus(0, 0, "IN_PROGRESS", None)
        available = allocated = failed = 0
        for spec in tuple(allocation.specs.values()):
            pool = self._placement.kept(spec.key)
            if pool is not None:
                ready = len(pool.idle) + len(pool.finishing) + pool.serving
                available += ready
                allocated += ready + pool.starting
                failed += pool.failed_starts
        if available >= allocation.requested:
            return ProvisionedStatus(available, allocated, "READY", None)
        if failed:
            return ProvisionedStatus(available, allocated, "FAILED", "FUNCTION_ERROR_INIT_FAILURE")
        return ProvisionedStatus(available, allocated, "IN_PROGRESS", None)

    def _retry_later(self, arn: str, allocation: _Allocation) -> None:
        loop = asyncio.get_running_loop()
        allocation.retry = loop.call_later(allocation.retry_s, self._retry, arn, allocation)

    def _retry(self, arn: str, allocation: _Allocation) -> None:
        failed = False
        for spec in allocation.specs.values():
            pool = self._placement.kept(spec.key)
            if pool is None or pool.failed_starts:
                failed = True
                self._placement.refill(spec.key)
        allocation.retry_s = min(allocation.retry_s * 2, _MAX_RETRY_S) if failed else _RETRY_S
        self._retry_later(arn, allocation)

    def close(self) -> None:
        """No more retries; the environments are the placement's to stop."""
        for allocation in self._allocations.values():
            if allocation.retry is not None:
                allocation.retry.cancel()
        self._allocations.clear()


def share(target: Target, requested: int) -> list[tuple[EnvironmentSpec, int]]:
    """How a weighted alias's environments are split: by the weights, the first version rounded up."""
    if target.secondary is None:
        return [(target.primary, requested)]
    first = math.ceil(requested * (1 - target.secondary_weight))
    shares = [(target.primary, first), (target.secondary, requested - first)]
    return [(spec, count) for spec, count in shares if count]
