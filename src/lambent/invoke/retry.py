"""What becomes of an asynchronous event that was not processed: run again, when; or given up, why.

Pure. Source: "How Lambda handles errors and retries with asynchronous invocation" and "Capturing records
of Lambda asynchronous invocations" (AWS Lambda).
"""

from dataclasses import dataclass
from enum import Enum, auto

RETRY_DELAYS_MS = (60_000, 120_000)
"""AWS: one minute before the second attempt, two before the third."""
FIRST_BACK_OFF_MS = 1_000
LAST_BACK_OFF_MS = 300_000
"""AWS: throttles and system errors, "exponentially from 1 second after the first attempt to a maximum of

5 minutes"."""


class Failure(Enum):
    """Why an event was not processed."""

    FUNCTION_ERROR = auto()
    THROTTLED = auto()
    PLATFORM_FAULT = auto()
    STOPPED = auto()
    """The function's reserved concurrency is 0."""
    RECURSION = auto()
    GONE = auto()
    """The version or alias is no more; the function still is."""
    EXPIRED = auto()
    """It was too old before it could be tried."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``retries`` after function errors, the age up to which an event is kept, and the clocks' speed."""

    retries: int = 2
    max_age_ms: int = 21_600_000
    time_scale: int = 1

    def scaled(self, duration_ms: int) -> int:
        """A duration by the platform's clock: with a scale of 10 a minute takes six seconds."""
        return duration_ms // self.time_scale

    def is_expired(self, accepted_at_ms: int, now_ms: int) -> bool:
        """Whether an event is too old to be tried."""
        return now_ms - accepted_at_ms >= self.scaled(self.max_age_ms)


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Try again, not before ``visible_at_ms``."""

    visible_at_ms: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It has failed for good; ``condition`` as destination records say it."""

    condition: str


_CONDITIONS = {
    # Best known: as LocalStack does it; AWS documents it nowhere.
    Failure.STOPPED: "ZeroReservedConcurrency",
    Failure.EXPIRED: "EventAgeExceeded",
    # Best known: no record of these two has been published; of the documented words this one fits.
    Failure.RECURSION: "RetriesExhausted",
    Failure.GONE: "RetriesExhausted",
}


def decide(
    failure: Failure,
    policy: RetryPolicy,
    *,
    attempts: int,
    waits: int,
    accepted_at_ms: int,
    now_ms: int,
) -> RetryDecision | GiveUp:
    """What to do with an event after its ``attempts`` function errors and ``waits`` throttles or faults.

    Both count the failure at hand. AWS: only function errors use up attempts. A back-off never goes
    beyond the event's greatest age: it is looked at once more then, to be given up.
    """
    condition = _CONDITIONS.get(failure)
    if condition is not None:
        return GiveUp(condition)
    expires_at_ms = accepted_at_ms + policy.scaled(policy.max_age_ms)
    if failure is Failure.FUNCTION_ERROR:
        if attempts > policy.retries:
            return GiveUp("RetriesExhausted")
        delay_ms = RETRY_DELAYS_MS[min(attempts, len(RETRY_DELAYS_MS)) - 1]
        visible_at_ms = now_ms + policy.scaled(delay_ms)
        if visible_at_ms >= expires_at_ms:
            return GiveUp("EventAgeExceeded")
        return RetryDecision(visible_at_ms)
    if now_ms >= expires_at_ms:
        return GiveUp("EventAgeExceeded")
    delay_ms = min(FIRST_BACK_OFF_MS << min(waits - 1, 20), LAST_BACK_OFF_MS)
    return RetryDecision(min(now_ms + policy.scaled(delay_ms), expires_at_ms))
