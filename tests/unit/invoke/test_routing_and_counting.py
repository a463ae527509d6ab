"""Which version an alias means, and how many executions an account may have."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke.counting import Counting
from lambent.invoke.routing import choose_version
from lambent.model.errors import ClientFault
from lambent.model.invocation import Target
from lambent.testing.node import make_spec

ONE, TWO = make_spec(version="1"), make_spec(version="2")
weights = st.floats(0, 1)
draws = st.floats(0, 1, exclude_max=True)


@given(weights, draws)
def test_the_weight_is_the_share_of_draws(weight: float, draw: float) -> None:
    """The additional version gets exactly the draws below its weight."""
    chosen = choose_version(Target("arn", ONE, TWO, weight), draw)
    assert chosen is (TWO if draw < weight else ONE)


@given(draws)
def test_the_ends_of_the_scale_are_exact(draw: float) -> None:
    """Weight 0 never goes to the additional version, weight 1 always, and without one nothing does."""
    assert choose_version(Target("arn", ONE, TWO, 0.0), draw) is ONE
    assert choose_version(Target("arn", ONE, TWO, 1.0), draw) is TWO
    assert choose_version(Target("arn", ONE), draw) is ONE


@pytest.mark.parametrize("weight", [0.05, 0.3, 0.9])
def test_many_events_split_by_weight(weight: float) -> None:
    """Ten thousand seeded draws come within four standard deviations of the weight."""
    draw = random.Random(20_260_131).random
    target = Target("arn", ONE, TWO, weight)
    hits = sum(choose_version(target, draw()) is TWO for _ in range(10_000))
    assert abs(hits - 10_000 * weight) < 4 * (10_000 * weight * (1 - weight)) ** 0.5


@given(st.integers(0, 5), st.lists(st.tuples(st.booleans(), st.sampled_from("ab")), max_size=60))
def test_the_count_never_passes_the_limit(limit: int, steps: list[tuple[bool, str]]) -> None:
    """Any mix of acquire and release keeps each account within its own limit; a refusal counts nothing."""
    counting = Counting(limit)
    held = {"a": 0, "b": 0}
    for acquires, account in steps:
        if not acquires:
            if held[account]:
                counting.release(account, "us-east-1")
                held[account] -= 1
        elif held[account] < limit:
            counting.acquire(account, "us-east-1")
            held[account] += 1
        else:
            with pytest.raises(ClientFault) as caught:
                counting.acquire(account, "us-east-1")
            assert (caught.value.code, caught.value.status) == ("TooManyRequestsException", 429)
            assert caught.value.fields["Reason"] == "ConcurrentInvocationLimitExceeded"
        assert counting.in_use(account, "us-east-1") == held[account] <= limit
        assert counting.in_use(account, "eu-west-1") == 0
