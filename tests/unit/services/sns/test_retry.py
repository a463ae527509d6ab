"""The retry schedule: within its bounds, never shrinking, and over after the last retry."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.services.sns.delivery_policy import (
    DeliveryPolicy,
    PolicyProblem,
    effective,
    format_subscription_policy,
    format_topic_policy,
    parse_subscription_policy,
    parse_topic_policy,
)
from lambent.services.sns.retry import CURVES, RetryPolicy

COUNT = st.integers(0, 30)
NAMES = [
    "http", "healthyRetryPolicy", "defaultHealthyRetryPolicy", "numRetries", "throttlePolicy",
    "maxReceivesPerSecond", "requestPolicy", "minDelayTarget",
]  # fmt: skip


@st.composite
def policies(draw: st.DrawFn) -> RetryPolicy:
    """Policies without regard to what they take altogether."""
    low, high = sorted((draw(st.integers(1, 3600)), draw(st.integers(1, 3600))))
    first, second, last = draw(COUNT), draw(COUNT), draw(COUNT)
    total = first + second + last + draw(st.integers(0, 10))
    curve = draw(st.sampled_from(sorted(CURVES)))
    return RetryPolicy(low, high, total, first, second, last, curve)


@given(policies())
def test_delays_grow_within_their_bounds(policy: RetryPolicy) -> None:
    """Immediate ones are 0, the others from the least to the greatest, in order; then None."""
    delays = [policy.delay_s(failures) for failures in range(1, policy.retries + 1)]
    known = [delay for delay in delays if delay is not None]
    assert len(known) == policy.retries
    assert all(later >= earlier for earlier, later in pairwise(known))
    assert known[: policy.no_delay_retries] == [0.0] * policy.no_delay_retries
    late = known[policy.no_delay_retries :]
    assert all(policy.min_delay_s <= delay <= policy.max_delay_s + 1e-6 for delay in late)
    assert policy.delay_s(policy.retries + 1) is None


@given(policies())
def test_a_policy_is_the_same_after_being_shown(policy: RetryPolicy) -> None:
    """What EffectiveDeliveryPolicy shows of an accepted policy can be set again."""
    if policy.problem() is None:
        shown = format_subscription_policy(effective(DeliveryPolicy(), DeliveryPolicy(policy)))
        assert parse_subscription_policy(shown).retry == policy
        shown = format_topic_policy(DeliveryPolicy(policy, 3, "text/plain", no_overrides=True))
        expected = DeliveryPolicy(policy, 3, "text/plain", no_overrides=True)
        assert parse_topic_policy(shown) == expected


def test_the_curves_differ_as_awss_do() -> None:
    """From 5 to 260 seconds in ten steps: the same ends, and in between linear is the longest."""
    middle = {name: RetryPolicy(5, 260, 10, curve=name).delay_s(5) or 0 for name in CURVES}
    order = ["linear", "arithmetic", "geometric", "exponential"]
    assert sorted(middle, key=lambda name: -middle[name]) == order
    for name in CURVES:
        ends = [RetryPolicy(5, 260, 10, curve=name).delay_s(failures) for failures in (1, 10)]
        assert ends == pytest.approx([5, 260])


@pytest.mark.parametrize(
    "policy",
    [
        "x",
        "[]",
        '{"healthyRetryPolicy": 3}',
        '{"healthyRetryPolicy": {"numRetries": 101}}',
        '{"healthyRetryPolicy": {"numRetries": -1}}',
        '{"healthyRetryPolicy": {"numRetries": true}}',
        '{"healthyRetryPolicy": {"numRetries": 1, "numNoDelayRetries": 2}}',
        '{"healthyRetryPolicy": {"minDelayTarget": 30}}',
        '{"healthyRetryPolicy": {"maxDelayTarget": 3601}}',
        '{"healthyRetryPolicy": {"numRetries": 100, "minDelayTarget": 40, "maxDelayTarget": 40}}',
        '{"healthyRetryPolicy": {"backoffFunction": "random"}}',
        '{"throttlePolicy": {"maxReceivesPerSecond": 0}}',
        '{"requestPolicy": {"headerContentType": "image/png"}}',
        '{"requestPolicy": {"headerContentType": "text/plain\\r\\nx: y"}}',
        '{"sicklyRetryPolicy": {}}',
        '{"anything": 1}',
        "[" * 100_000,
    ],
)
def test_policies_that_cannot_be_obeyed_are_refused(policy: str) -> None:
    """Bad members and unknown ones: nothing is stored and ignored."""
    with pytest.raises(PolicyProblem):
        parse_subscription_policy(policy)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.dictionaries(
            st.sampled_from(NAMES),
            inner,
        ),
    )
)
def test_any_json_is_parsed_or_refused(document: Any) -> None:
    """No document makes the parsers fail otherwise."""
    for parse in (parse_subscription_policy, parse_topic_policy):
        try:
            parsed = parse(json.dumps(document))
        except PolicyProblem:
            continue
        assert parsed.retry is None or parsed.retry.problem() is None
