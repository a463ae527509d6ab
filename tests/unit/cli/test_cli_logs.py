"""``lambent logs``: every event once, in order of time, also while they come."""

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from lambent.cli.failures import CliError
from lambent.cli.logs import LogReader, parse_since, style_of

Run = Callable[..., Any]


class NoGroupError(Exception):
    """The fake client's ResourceNotFoundException."""


class FakeLogs:
    """A client of CloudWatch Logs over a list of events, one event a page."""

    class exceptions:  # noqa: N801 - boto3's name
        ResourceNotFoundException = NoGroupError

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.missing = False

    def add(self, number: int, at_ms: int) -> None:
        self.events.append({"eventId": str(number), "timestamp": at_ms, "message": f"m{number}"})

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        if self.missing:
            raise NoGroupError
        found = [e for e in self.events if e["timestamp"] >= request["startTime"]]
        start = int(request.get("nextToken", 0))
        following = {"nextToken": str(start + 1)} if start + 1 < len(found) else {}
        return {"events": found[start : start + 1], **following}


def ids(events: Any) -> list[str]:
    return [event["eventId"] for event in events]


def test_hands_out_each_event_once_and_in_order() -> None:
    """All pages are read, sorted by time; a second read has only what is new."""
    logs = FakeLogs()
    for number, at_ms in ((1, 30_000), (2, 10_000), (3, 20_000)):
        logs.add(number, at_ms)
    reader = LogReader(logs, "g", 0)
    assert ids(reader.new_events()) == ["2", "3", "1"]
    assert ids(reader.new_events()) == []
    logs.add(4, 30_000)
    assert ids(reader.new_events()) == ["4"]


def test_an_event_that_arrives_late_is_still_shown() -> None:
    """An event a little older than the newest one shown is not lost."""
    logs = FakeLogs()
    logs.add(1, 30_000)
    reader = LogReader(logs, "g", 0)
    reader.new_events()
    logs.add(2, 28_000)
    assert ids(reader.new_events()) == ["2"]


def test_following_asks_from_near_the_end() -> None:
    """A long log is not read again and again."""
    logs = FakeLogs()
    logs.add(1, 1_000_000)
    reader = LogReader(logs, "g", 0)
    reader.new_events()
    reader.new_events()
    assert logs.requests[-1]["startTime"] == 995_000


def test_an_event_dated_ahead_hides_nothing() -> None:
    """What comes now is shown although an earlier event claims to be of tomorrow."""
    now_ms = int(time.time() * 1000)
    logs = FakeLogs()
    logs.add(1, now_ms + 7_200_000)
    reader = LogReader(logs, "g", 0)
    reader.new_events()
    logs.add(2, now_ms)
    assert ids(reader.new_events()) == ["2"]
    assert ids(reader.new_events()) == []


def test_a_missing_group_is_empty_unless_required() -> None:
    """A function that was never called has no group; an unknown one is an error."""
    logs = FakeLogs()
    logs.missing = True
    assert LogReader(logs, "g", 0).new_events() == []
    with pytest.raises(CliError, match="neither such a function nor a log group g"):
        LogReader(logs, "g", 0, required=True).new_events()


def put(platform: Any, *messages: str, group: str = "/aws/lambda/hello") -> None:
    platform.log_groups.add(group)
    platform.functions["hello"] = {"FunctionName": "hello", "CodeSha256": ""}
    number = itertools.count(len(platform.events))
    now_ms = int(time.time() * 1000)
    platform.events += [
        {"eventId": f"{next(number):010}", "timestamp": now_ms, "message": m} for m in messages
    ]


def test_prints_messages_untouched(lambent: Run, platform: Any) -> None:
    """Lines go to standard output as they are: tabs, brackets and length kept."""
    messages = ["REPORT RequestId: 1\tDuration: 1 ms\t\n", "[bold]not markup[/bold]", "x" * 500]
    put(platform, *messages)
    done = lambent("logs", "hello")
    assert (done.exit_code, done.stdout) == (0, messages[0] + "\n".join(messages[1:]) + "\n")


def test_follows_without_repeating(lambent: Run, platform: Any) -> None:
    """Following shows what was there and what comes, each once, until the platform goes."""
    put(platform, "one", "two")
    polls = itertools.count()

    def on_logs() -> None:
        number = next(polls)
        if number == 1:
            put(platform, "three")
        if number > 3:
            raise RuntimeError("going down")

    platform.on_logs = on_logs
    done = lambent("logs", "hello", "--follow")
    assert done.stdout.split() == ["one", "two", "three"]
    assert done.exit_code == 1
    assert "ServiceUnavailableException: going down" in done.stderr


def test_passes_the_filter_and_the_start(lambent: Run, platform: Any) -> None:
    """--filter and --since reach FilterLogEvents; no length of time starts before 1970."""
    put(platform, "one")
    lambent("logs", "hello", "--filter", "ERROR", "--since", "99999999w")
    request = platform.requests[-1][2]
    assert (request["filterPattern"], request["startTime"]) == ("ERROR", 0)


def test_reads_the_group_the_function_logs_to(lambent: Run, platform: Any) -> None:
    """A function's LoggingConfig names its group."""
    put(platform, "elsewhere", group="/mine")
    platform.functions["hello"]["LoggingConfig"] = {"LogGroup": "/mine"}
    assert lambent("logs", "hello").stdout == "elsewhere\n"


def test_reads_what_a_deleted_function_left(lambent: Run, platform: Any) -> None:
    """The log outlives the function, also by its ARN."""
    put(platform, "still here")
    del platform.functions["hello"]
    arn = "arn:aws:lambda:us-east-1:000000000000:function:hello:live"
    assert lambent("logs", "hello").stdout == "still here\n"
    assert lambent("logs", arn).stdout == "still here\n"


def test_says_when_there_is_nothing(lambent: Run, platform: Any) -> None:
    """Silence is explained, on standard error."""
    put(platform)
    done = lambent("logs", "hello")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "Nothing in /aws/lambda/hello since 10m" in done.stderr


def test_an_unknown_function_is_an_error(lambent: Run) -> None:
    """Neither function nor group: exit code 1."""
    done = lambent("logs", "nope")
    assert done.exit_code == 1
    assert "neither such a function nor a log group /aws/lambda/nope" in done.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86400), ("45", 45)]
)
def test_parses_lengths_of_time(text: str, seconds: int) -> None:
    """A number and a unit; seconds where there is none."""
    assert parse_since(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5m", "1.5h", "10 minutes"])
def test_refuses_what_is_no_length_of_time(text: str) -> None:
    """Anything else is an error with an example."""
    with pytest.raises(CliError, match="no length of time"):
        parse_since(text)


@pytest.mark.parametrize(
    ("message", "style"),
    [
        ("START RequestId: 1 Version: $LATEST", "dim"),
        ("REPORT RequestId: 1\tDuration: 1 ms", "dim"),
        ("REPORT RequestId: 1\tStatus: timeout", "red"),
        ("[ERROR] ValueError: no", "red"),
        ('{"level": "ERROR", "message": "no"}', "red"),
        ("2026 id Task timed out after 3.00 seconds", "red"),
        ("STARTING up", None),
        ("plain", None),
    ],
)
def test_styles_lines(message: str, style: str | None) -> None:
    """The platform's frames stand back, errors stand out, the rest is plain."""
    assert style_of(message) == style
