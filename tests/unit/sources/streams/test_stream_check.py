"""The checker of streams, in a size for every run: benchmarks/sources_check.py has the larger one."""

from typing import Any

import pytest

from lambent.testing.stream_check import Outcome, Run, check
from lambent.testing.virtual_time import run_virtual


def outcome_of(run: Run) -> Outcome:
    """Carries it out."""
    outcomes: list[Outcome] = []

    async def go() -> None:
        outcomes.append(await check(run))

    run_virtual(go())
    return outcomes[0]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"kills": 0},
        {"reports": True},
        {"settings": {"ParallelizationFactor": 1}, "kills": 4},
        {"settings": {"MaximumBatchingWindowInSeconds": 5}, "keys": 3},
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_and_order_is_kept(more: dict[str, Any], seed: int) -> None:
    """1% poison, random failures, throttles, kills: all handled in order or given up as configured."""
    outcome = outcome_of(Run(2_000, seed=seed, **more))
    assert outcome.problems == []
    assert outcome.handled + outcome.given_up == 2_000
    assert outcome.given_up > 5
