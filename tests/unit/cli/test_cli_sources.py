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


def enabled_values(platform: Any) -> list[bool]:
    """What updates asked for, in order."""
    return [body["Enabled"] for method, _, body in platform.requests if method == "PUT"]


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--from", "TRIM_HORIZON"], {"from": "TRIM_HORIZON"}),
        (
            ["--from", "2023-11-14T22:13:20Z"],
            {"from": "AT_TIMESTAMP", "timestamp": 1_700_000_000.0},
        ),
        (
            ["--from", "2023-11-14T22:13:20", "--shard", "s"],
            {"from": "AT_TIMESTAMP", "timestamp": 1_700_000_000.0, "shard_id": "s"},
        ),
        (
            ["--from", "4968", "--shard", "s"],
            {"from": "AT_SEQUENCE_NUMBER", "sequence_number": "4968", "shard_id": "s"},
        ),
    ],
)
def test_replays(lambent: Run, platform: Any, options: list[str], asked: dict[str, Any]) -> None:
    """A mapping is paused, set back and resumed, in this order, and how many shards it was is said."""
    done = lambent("sources", "replay", UUID, *options, "--yes")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"2 shards begin at {options[1]}.\n"
    assert platform.replays == [asked]
    assert enabled_values(platform) == [False, True]
    assert platform.mappings[UUID]["State"] == "Enabled"


def test_a_paused_mapping_stays_paused_when_it_is_replayed(lambent: Run, platform: Any) -> None:
    """It is set back, and how to resume it is said."""
    platform.mappings[UUID]["State"] = "Disabled"
    done = lambent("sources", "replay", UUID, "--from", "TRIM_HORIZON", "-y")
    assert f"lambent sources resume {UUID}" in done.stdout
    assert (enabled_values(platform), len(platform.replays)) == ([], 1)


def test_a_mapping_that_cannot_be_set_back_is_resumed(lambent: Run, platform: Any) -> None:
    """The platform's reason is shown, and polling goes on where it was."""
    platform.replayed = (400, {"message": "Only mappings of streams can be replayed."})
    done = lambent("sources", "replay", UUID, "--from", "TRIM_HORIZON", "--yes")
    assert done.exit_code != 0
    assert "Only mappings of streams" in done.stderr
    assert enabled_values(platform) == [False, True]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--from", "TRIM_HORIZON"], "Say --yes"),
        (["--from", "yesterday", "--yes"], "yesterday is no position"),
        (["--from", "4968", "--yes"], "Say --shard"),
    ],
)
def test_nothing_is_replayed_unasked(
    lambent: Run, platform: Any, options: list[str], said: str
) -> None:
    """Without somebody to ask, or with a position that is none, nothing is paused or set back."""
    done = lambent("sources", "replay", UUID, *options)
    assert done.exit_code != 0
    assert said in done.stderr
    assert (platform.replays, enabled_values(platform)) == ([], [])


def test_a_replay_is_followed_until_it_has_caught_up(lambent: Run, platform: Any) -> None:
    """Each second a line; the last when nothing waits and nothing lags."""
    shards = [{"waiting": 0}]
    fares = {"uuid": UUID, "polling": True, "lag_ms": 0, "records": 9, "shards": shards}
    platform.sources = [fares]
    done = lambent("sources", "replay", UUID, "--from", "TRIM_HORIZON", "--yes", "--follow")
    assert done.stdout.splitlines()[1:] == ["9 records handled, 0 waiting, lag 0.0 s"]
