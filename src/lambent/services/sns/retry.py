"""When a failed HTTP delivery is tried again: AWS's four phases. Pure.

Immediate, before the back-off, back-off, after it. What a policy's ``numRetries`` leaves over from the other three
is the back-off phase. Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

MAX_RETRIES = 100
MAX_DELAY_S = 3600
MAX_TOTAL_S = 3600
"""AWS: the total policy retry time for an HTTP/S endpoint, a hard limit."""


def _exponential(k: int, n: int, low: float, high: float) -> float:
    return low + (high - low) * (2.0**k - 1) / (2.0**n - 1)


# AWS names the curves and draws them, from the shortest delay to the longest; it gives no formulas.
CURVES: Mapping[str, Callable[[int, int, float, float], float]] = MappingProxyType(
    {
        "linear": lambda k, n, low, high: low + (high - low) * k / n,
        "arithmetic": lambda k, n, low, high: low + (high - low) * k * (k + 1) / (n * (n + 1)),
        "geometric": lambda k, n, low, high: low * (high / low) ** (k / n),
        "exponential": _exponential,
    }
)
"""Delay of step ``k`` of ``n`` between ``low`` and ``high``."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A ``healthyRetryPolicy``; the defaults are AWS's for HTTP/S: three retries, 20 seconds apart."""

    min_delay_s: int = 20
    max_delay_s: int = 20
    retries: int = 3
    no_delay_retries: int = 0
    min_delay_retries: int = 0
    max_delay_retries: int = 0
    curve: str = "linear"

    @property
    def backoff_retries(self) -> int:
        """What is left for the back-off phase."""
        others = self.no_delay_retries + self.min_delay_retries + self.max_delay_retries
        return self.retries - others

    def delay_s(self, failures: int) -> float | None:
        """How long to wait after so many failed attempts (the first is 1); None: give up."""
        if failures > self.retries:
            return None
        before = self.no_delay_retries + self.min_delay_retries
        if failures <= self.no_delay_retries:
            return 0.0
        if failures <= before:
            return float(self.min_delay_s)
        step = failures - before
        if step > self.backoff_retries:
            return float(self.max_delay_s)
        if self.backoff_retries == 1:
            return float(self.min_delay_s)
        curve = CURVES[self.curve]
        delay_s = curve(step - 1, self.backoff_retries - 1, self.min_delay_s, self.max_delay_s)
        return min(float(self.max_delay_s), delay_s)  # rounding

    def problem(self) -> str | None:
        """Why AWS would not take it. The bounds are AWS's; the words are the best known."""
        counts = (self.no_delay_retries, self.min_delay_retries, self.max_delay_retries)
        bounds = (0, *counts, self.retries)
        if min(bounds) < 0 or self.retries > MAX_RETRIES:
            return f"numRetries must be between 0 and {MAX_RETRIES}, and no phase's less than 0"
        if sum(counts) > self.retries:
            return "the retries of the phases must not be more than numRetries"
        if any(
            low > high
            for low, high in pairwise((1, self.min_delay_s, self.max_delay_s, MAX_DELAY_S))
        ):
            return f"1 <= minDelayTarget <= maxDelayTarget <= {MAX_DELAY_S} must hold"
        if self.total_s() > MAX_TOTAL_S:
            return f"the total retry time must not be more than {MAX_TOTAL_S} seconds"
        return None

    def total_s(self) -> float:
        """All delays together."""
        return sum(self.delay_s(failures) or 0.0 for failures in range(1, self.retries + 1))
