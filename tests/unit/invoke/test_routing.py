"""Which version an alias means."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke.routing import choose_version
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
