"""``lambent sources``: mappings with how they fare; pause and resume."""

from collections.abc import Callable
from typing import Any

import pytest

from lambent.cli.sources import COLUMNS

Run = Callable[..., Any]
UUID = "f1e2d3c4-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def _mapping(platform: Any) -> None:
    platform.mappings[UUID] = {
        "UUID": UUID,
        "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:orders",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:work:live",
        "State": "Enabled",
    }


def test_shows_how_each_mapping_fares(lambent: Run, platform: Any) -> None:
    """Off a terminal the cells are tab-separated, a heading first; a lag nobody knows is a dash."""
    counters = {"in_flight": 2, "invoked": 40, "retried": 3, "given_up": 1}
    platform.sources = [{"uuid": UUID, "lag": None, "last_result": "OK", **counters}]
    done = lambent("sources")
    cells = [line.split("\t") for line in done.stdout.splitlines()]
    assert cells == [
        list(COLUMNS),
        [UUID, "orders", "work:live", "Enabled", "-", "2", "40", "3", "1", "OK"],
    ]


def test_a_mapping_nobody_polls_is_shown_too(lambent: Run) -> None:
    """What the platform says nothing of has dashes."""
    done = lambent("sources")
    assert done.stdout.splitlines()[1].split("\t")[3:] == ["Enabled", *["-"] * 6]


def test_says_so_when_there_is_none(lambent: Run, platform: Any) -> None:
    """An empty list is no error."""
    platform.mappings.clear()
    done = lambent("sources")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "No event source mappings" in done.stderr


@pytest.mark.parametrize(
    ("command", "enabled", "state"), [("pause", False, "Disabling"), ("resume", True, "Enabling")]
)
def test_pauses_and_resumes(
    lambent: Run, platform: Any, command: str, enabled: bool, state: str
) -> None:
    """Pausing disables the mapping, resuming enables it, and the state it is in now is said."""
    done = lambent("sources", command, UUID)
    assert done.stdout == f"{UUID} is {state}.\n"
    assert platform.requests[-1][2] == {"Enabled": enabled}


def test_an_unknown_mapping_is_a_failure_in_words(lambent: Run) -> None:
    """No traceback; AWS's text."""
    done = lambent("sources", "pause", UUID.replace("f", "a"))
    assert done.exit_code == 1
    assert "The resource you requested does not exist." in done.stderr


def test_a_streams_lag_is_a_time(lambent: Run, platform: Any) -> None:
    """A stream tells how far behind its slowest shard is, not how many records wait."""
    platform.sources = [{"uuid": UUID, "lag": None, "lag_ms": 1234}]
    cells = lambent("sources").stdout.splitlines()[1].split("\t")
    assert cells[list(COLUMNS).index("LAG")] == "1.2 s"
