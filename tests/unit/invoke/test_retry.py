"""The retry decision: AWS's table, and what holds for every event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke.retry import Failure, GiveUp, RetryDecision, RetryPolicy, decide

EXHAUSTED, AGED = GiveUp("RetriesExhausted"), GiveUp("EventAgeExceeded")


@pytest.mark.parametrize(
    ("failure", "attempts", "waits", "age_s", "expected"),
    [
        (Failure.FUNCTION_ERROR, 1, 0, 1, RetryDecision(61_000)),
        (Failure.FUNCTION_ERROR, 2, 0, 70, RetryDecision(190_000)),
        (Failure.FUNCTION_ERROR, 3, 0, 200, EXHAUSTED),
        (Failure.FUNCTION_ERROR, 1, 0, 21_600 - 60, AGED),
        (Failure.FUNCTION_ERROR, 1, 9, 1, RetryDecision(61_000)),
        (Failure.THROTTLED, 0, 1, 0, RetryDecision(1_000)),
        (Failure.THROTTLED, 0, 4, 10, RetryDecision(18_000)),
        (Failure.THROTTLED, 2, 99, 1_000, RetryDecision(1_300_000)),
        (Failure.PLATFORM_FAULT, 0, 2, 0, RetryDecision(2_000)),
        (Failure.PLATFORM_FAULT, 0, 20, 21_500, RetryDecision(21_600_000)),
        (Failure.THROTTLED, 0, 1, 21_600, AGED),
        (Failure.EXPIRED, 0, 5, 21_600, AGED),
        (Failure.STOPPED, 0, 0, 0, GiveUp("ZeroReservedConcurrency")),
        (Failure.RECURSION, 0, 0, 0, EXHAUSTED),
        (Failure.GONE, 0, 0, 0, EXHAUSTED),
    ],
)
def test_it_is_awss_table(
    failure: Failure, attempts: int, waits: int, age_s: int, expected: RetryDecision | GiveUp
) -> None:
    """One and two minutes after errors, from one second to five minutes after throttles, six hours in all."""
    verdict = decide(
        failure,
        RetryPolicy(),
        attempts=attempts,
        waits=waits,
        accepted_at_ms=0,
        now_ms=age_s * 1000,
    )
    assert verdict == expected


@given(st.integers(0, 2), st.integers(60, 21_600), st.integers(1, 1_000), st.data())
def test_every_event_ends(retries: int, age_s: int, scale: int, data: st.DataObject) -> None:
    """However it fails, an event is given up, on time, and after no more than its attempts."""
    policy = RetryPolicy(retries, age_s * 1000, scale)
    now_ms = accepted_ms = data.draw(st.integers(0, 2**41))
    attempts = waits = steps = 0
    kinds = st.sampled_from([Failure.FUNCTION_ERROR, Failure.THROTTLED, Failure.PLATFORM_FAULT])
    while True:
        failure = data.draw(kinds)
        attempts += failure is Failure.FUNCTION_ERROR
        waits += failure is not Failure.FUNCTION_ERROR
        verdict = decide(
            failure,
            policy,
            attempts=attempts,
            waits=waits,
            accepted_at_ms=accepted_ms,
            now_ms=now_ms,
        )
        if isinstance(verdict, GiveUp):
            break
        assert now_ms <= verdict.visible_at_ms <= accepted_ms + policy.scaled(policy.max_age_ms)
        now_ms = max(verdict.visible_at_ms, now_ms + 1)
        steps += 1
        assert steps < 1_000
    assert attempts <= retries + 1
    assert verdict.condition in {"RetriesExhausted", "EventAgeExceeded"}


@given(st.integers(1, 1_000), st.integers(1, 3))
def test_the_scale_divides_every_clock(scale: int, attempts: int) -> None:
    """With a scale of N a minute is N times shorter."""
    policy = RetryPolicy(retries=3, time_scale=scale)
    verdict = decide(
        Failure.FUNCTION_ERROR, policy, attempts=attempts, waits=0, accepted_at_ms=0, now_ms=0
    )
    assert verdict == RetryDecision((60_000, 120_000, 120_000)[attempts - 1] // scale)
