"""Target tracking: from what was used to how much there should be. Pure.

AWS keeps two alarms for a policy: one rings when three one-minute maxima in a row are above the target, the
other when fifteen in a row are below 90% of it. Contract (property-tested): 1. What is chosen is within the
target's bounds, and the alarm's direction is the change's. 2. Nothing is chosen while neither alarm
rings, nor within the cooldown. 3. At what is chosen the same use would not be above
the target, unless the bound is in the way.

Source: https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html
and "Managing provisioned concurrency with Application Auto Scaling". AWS does not say how far it goes in one
step: POLICY: to what would bring the highest of those minutes to the target.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

PERIOD_S = 60.0
OUT_PERIODS = 3
IN_PERIODS = 15
_IN_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Tracking:
    """A policy. Times in seconds; AWS's default cooldown for Lambda is none."""

    target: float
    disable_scale_in: bool = False
    out_cooldown_s: float = 0.0
    in_cooldown_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Use:
    """What one period showed: the most executions at once, of so many environments there were."""

    peak: int
    capacity: int

    @property
    def utilization(self) -> float:
        """The share in use."""
        return self.peak / self.capacity if self.capacity else 0.0


def alarm_of(uses: Sequence[Use], target: float) -> str | None:
    """``AlarmHigh``, ``AlarmLow`` or None; the latest period comes last."""
    latest = uses[-OUT_PERIODS:]
    if len(latest) == OUT_PERIODS and all(use.utilization > target for use in latest):
        return "AlarmHigh"
    latest = uses[-IN_PERIODS:]
    if len(latest) == IN_PERIODS and all(use.utilization < _IN_SHARE * target for use in latest):
        return "AlarmLow"
    return None


def choose_capacity(
    uses: Sequence[Use],
    current: int,
    tracking: Tracking,
    bounds: tuple[int, int],
    since_s: tuple[float, float],
) -> tuple[int, str] | None:
    """The new capacity and the alarm that asks for it; None to leave it.

    ``bounds``: least and most; ``since_s``: how long ago this policy scaled out, and in.
    """
    alarm = alarm_of(uses, tracking.target)
    if alarm is None:
        return None
    high = alarm == "AlarmHigh"
    if (since_s[0] < tracking.out_cooldown_s) if high else _in_is_barred(tracking, since_s):
        return None
    periods = uses[-1:] if high else uses[-IN_PERIODS:]
    # Rounded first: 7 / 0.7 is a little more than 10.
    needed = max(math.ceil(round(use.peak / tracking.target, 9)) for use in periods)
    chosen = min(max(needed, bounds[0]), bounds[1])
    if (chosen > current) != high or chosen == current:
        return None
    return chosen, alarm


def _in_is_barred(tracking: Tracking, since_s: tuple[float, float]) -> bool:
    return tracking.disable_scale_in or since_s[1] < tracking.in_cooldown_s
