"""services.logs.events: putting, reading and searching events."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambent.model.errors import AwsError
from lambent.services.logs.service import LogsService

NOW_MS = 1_760_000_000_000
HOUR_MS = 3_600_000
Ask = Callable[..., Any]


def messages(output: Any) -> list[str]:
    return [event["message"] for event in output["events"]]


@pytest.fixture
def stream(ask: Ask) -> None:
    ask("CreateLogGroup", logGroupName="g")
    ask("CreateLogStream", logGroupName="g", logStreamName="s")


def put(ask: Ask, *events: tuple[int, str]) -> Any:
    return ask(
        "PutLogEvents",
        logGroupName="g",
        logStreamName="s",
        logEvents=[{"timestamp": NOW_MS + at, "message": text} for at, text in events],
    )


def code_of(error: pytest.ExceptionInfo[AwsError]) -> str:
    assert error.value.status == 400
    return error.value.code


def test_an_appended_event_is_seen_at_once(ask: Ask, say: Any) -> None:
    """Reading shows what was appended just before, with group and stream made by it."""
    say("hällo\n")
    output = ask("GetLogEvents", logGroupName="g", logStreamName="s")
    assert output["events"] == [
        {"timestamp": NOW_MS, "message": "hällo\n", "ingestionTime": NOW_MS}
    ]
    assert messages(ask("FilterLogEvents", logGroupName="g")) == ["hällo\n"]


def test_undecodable_bytes_are_replaced(logs: LogsService, ask: Ask) -> None:
    """Bytes that are no UTF-8 are read as the replacement character."""
    logs.writer.append("000000000000", "us-east-1", "g", "s", 1, b"a\xffb")
    assert messages(ask("GetLogEvents", logGroupName="g", logStreamName="s")) == ["a\ufffdb"]


def test_get_pages_forward_until_the_token_repeats(ask: Ask, say: Any) -> None:
    """Forward tokens walk all events once; at the end the same one comes back."""
    for number in range(7):
        say(str(number), at=number)
    where = {"logGroupName": "g", "logStreamName": "s", "limit": 3, "startFromHead": True}
    seen, token = [], None
    while True:
        output = ask("GetLogEvents", **where, **({"nextToken": token} if token else {}))
        seen += messages(output)
        if output["nextForwardToken"] == token:
            break
        token = output["nextForwardToken"]
    assert seen == list("0123456")
    say("7", at=7)
    assert messages(ask("GetLogEvents", **where, nextToken=token)) == ["7"]
    back = ask("GetLogEvents", **where, nextToken=output["nextBackwardToken"])
    assert messages(back) == ["4", "5", "6"]


def test_get_starts_at_the_end_and_pages_backward(ask: Ask, say: Any) -> None:
    """Without startFromHead the newest page comes first; backward tokens end at the head."""
    for number in range(5):
        say(str(number), at=number)
    where = {"logGroupName": "g", "logStreamName": "s", "limit": 2}
    first = ask("GetLogEvents", **where)
    second = ask("GetLogEvents", **where, nextToken=first["nextBackwardToken"])
    third = ask("GetLogEvents", **where, nextToken=second["nextBackwardToken"])
    fourth = ask("GetLogEvents", **where, nextToken=third["nextBackwardToken"])
    assert [messages(page) for page in (first, second, third, fourth)] == [
        ["3", "4"],
        ["1", "2"],
        ["0"],
        [],
    ]
    assert fourth["nextBackwardToken"] == third["nextBackwardToken"]
    assert messages(ask("GetLogEvents", **where, nextToken=fourth["nextForwardToken"])) == [
        "0",
        "1",
    ]


def test_an_empty_stream_can_be_followed(ask: Ask, say: Any, stream: None) -> None:
    """The forward token of an empty stream finds the first event that comes."""
    where = {"logGroupName": "g", "logStreamName": "s"}
    output = ask("GetLogEvents", **where)
    assert output["events"] == []
    say("first")
    assert messages(ask("GetLogEvents", **where, nextToken=output["nextForwardToken"])) == ["first"]


def test_time_ranges(ask: Ask, say: Any) -> None:
    """The end is left out by GetLogEvents and included by FilterLogEvents; the start always in."""
    for number in range(5):
        say(str(number), at=number)
    times = {"startTime": NOW_MS + 1, "endTime": NOW_MS + 3}
    assert messages(ask("GetLogEvents", logGroupName="g", logStreamName="s", **times)) == ["1", "2"]
    assert messages(ask("FilterLogEvents", logGroupName="g", **times)) == ["1", "2", "3"]


def test_a_page_is_at_most_a_megabyte(ask: Ask, say: Any) -> None:
    """Large events come on several pages, none above 1 MB."""
    for number in range(5):
        say("x" * 400_000, at=number)
    first = ask("GetLogEvents", logGroupName="g", logStreamName="s", startFromHead=True)
    assert len(first["events"]) == 2
    assert len(ask("FilterLogEvents", logGroupName="g")["events"]) == 2


def test_filter_interleaves_and_selects_streams(ask: Ask, say: Any) -> None:
    """Events of several streams come by time; names and a prefix narrow them, but not both."""
    for at, name in enumerate(["a1", "b1", "a2", "a1"]):
        say(f"{name}-{at}", at=at, stream=name)
    everything = ask("FilterLogEvents", logGroupName="g")
    assert messages(everything) == ["a1-0", "b1-1", "a2-2", "a1-3"]
    assert all(len(event["eventId"]) == 56 for event in everything["events"])
    some = ask("FilterLogEvents", logGroupName="g", logStreamNames=["b1", "a2"])
    assert messages(some) == ["b1-1", "a2-2"]
    prefixed = ask("FilterLogEvents", logGroupName="g", logStreamNamePrefix="a")
    assert messages(prefixed) == ["a1-0", "a2-2", "a1-3"]
    with pytest.raises(AwsError) as error:
        ask("FilterLogEvents", logGroupName="g", logStreamNames=["a1"], logStreamNamePrefix="a")
    assert code_of(error) == "InvalidParameterException"
    with pytest.raises(AwsError) as error:
        ask("FilterLogEvents", logGroupName="g", logStreamNames=["no"])
    assert code_of(error) == "ResourceNotFoundException"


def test_filter_patterns_and_newest_first(ask: Ask, say: Any) -> None:
    """A pattern narrows, startFromHead false turns the order, an invalid pattern is refused."""
    for at, text in enumerate(["ERROR a", '{"n": 4}', "ERROR b"]):
        say(text, at=at)
    found = ask("FilterLogEvents", logGroupName="g", filterPattern="ERROR")
    assert messages(found) == ["ERROR a", "ERROR b"]
    found = ask("FilterLogEvents", logGroupName="g", filterPattern="{ $.n > 3 }")
    assert messages(found) == ['{"n": 4}']
    newest = {"logGroupName": "g", "startFromHead": False, "limit": 2}
    page = ask("FilterLogEvents", **newest, startTime=NOW_MS)
    assert messages(page) == ["ERROR b", '{"n": 4}']
    rest = ask("FilterLogEvents", logGroupName="g", limit=2, nextToken=page["nextToken"])
    assert messages(rest) == ["ERROR a"]
    assert "nextToken" not in rest
    for wrong in ({"filterPattern": "a:b"}, newest, {"nextToken": "x"}):
        with pytest.raises(AwsError) as error:
            ask("FilterLogEvents", **{"logGroupName": "g", **wrong})
        assert code_of(error) == "InvalidParameterException"


appended = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.booleans()), max_size=25
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(appended, st.integers(1, 6), st.booleans())
def test_pages_are_the_whole_in_order(
    logs: LogsService, ask: Ask, events: list[tuple[str, int, bool]], limit: int, newest: bool
) -> None:
    """Whatever the order of arrival and the blocks, pages hold every event once, by time."""
    logs.store.clear()
    ask("CreateLogGroup", logGroupName="g")
    for number, (name, at, flush) in enumerate(events):
        text = str(number).encode()
        logs.writer.append("000000000000", "us-east-1", "g", name, NOW_MS + at, text)
        if flush:
            logs.settle()
    seen: list[Any] = []
    more: dict[str, Any] = {}
    while True:
        page = ask(
            "FilterLogEvents",
            logGroupName="g",
            limit=limit,
            startFromHead=not newest,
            startTime=NOW_MS,
            **more,
        )
        seen += page["events"]
        if "nextToken" not in page:
            break
        more = {"nextToken": page["nextToken"]}
    ids = [event["eventId"] for event in seen]
    assert ids == sorted(set(ids), reverse=newest)
    assert sorted(int(event["message"]) for event in seen) == list(range(len(events)))


def test_put_then_get(ask: Ask, stream: None) -> None:
    """Events put are read back in order; the sequence token is given though it is ignored."""
    output = put(ask, (0, "one"), (1, "two"))
    assert len(output["nextSequenceToken"]) == 56
    assert "rejectedLogEventsInfo" not in output
    assert messages(ask("GetLogEvents", logGroupName="g", logStreamName="s")) == ["one", "two"]


def test_put_names_the_events_it_does_not_take(ask: Ask, stream: None) -> None:
    """Too old, expired and too new events are left out, by AWS's indexes; the others are kept."""
    ask("PutRetentionPolicy", logGroupName="g", retentionInDays=3)
    day = 24 * HOUR_MS
    output = put(ask, (-15 * day, "old"), (-4 * day, "expired"), (0, "good"), (3 * HOUR_MS, "new"))
    assert output["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1,
        "expiredLogEventEndIndex": 2,
        "tooNewLogEventStartIndex": 3,
    }
    assert messages(ask("FilterLogEvents", logGroupName="g")) == ["good"]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([(1, "a"), (0, "b")], "chronological order"),
        ([(-25 * HOUR_MS, "a"), (0, "b")], "24 hours"),
        ([(0, "x" * 600_000), (0, "y" * 600_000)], "Upload too large"),
        ([(0, "x" * 1_048_551)], "Log event too large"),
    ],
)
def test_put_refuses_a_bad_batch_whole(
    ask: Ask, stream: None, events: list[tuple[int, str]], message: str
) -> None:
    """A batch out of order, too long in time or too large is refused and nothing is kept."""
    with pytest.raises(AwsError, match=message) as error:
        put(ask, *events)
    assert code_of(error) == "InvalidParameterException"
    assert messages(ask("FilterLogEvents", logGroupName="g")) == []


def test_what_does_not_exist(ask: Ask) -> None:
    """A missing group and a missing stream have AWS's code and message."""
    with pytest.raises(AwsError, match=r"The specified log group does not exist\.") as error:
        ask("GetLogEvents", logGroupName="g", logStreamName="s")
    assert code_of(error) == "ResourceNotFoundException"
    ask("CreateLogGroup", logGroupName="g")
    with pytest.raises(AwsError, match=r"The specified log stream does not exist\.") as error:
        put(ask, (0, "x"))
    assert code_of(error) == "ResourceNotFoundException"


def test_retention_hides_at_once_and_deletes_later(
    ask: Ask, say: Any, logs: LogsService, clock: Any
) -> None:
    """Events past retention are not returned; upkeep deletes them; without a policy they stay."""
    say("old")
    say("other", group="h")
    clock.ms += 2 * 24 * HOUR_MS
    say("new", at=2 * 24 * HOUR_MS, stream="t")
    ask("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
    assert messages(ask("FilterLogEvents", logGroupName="g")) == ["new"]
    logs.store.expire(clock())
    ask("DeleteRetentionPolicy", logGroupName="g")
    assert messages(ask("FilterLogEvents", logGroupName="g")) == ["new"]
    assert messages(ask("FilterLogEvents", logGroupName="h")) == ["other"]
