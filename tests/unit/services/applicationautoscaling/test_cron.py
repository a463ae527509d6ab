"""Cron expressions against what AWS documents, and against a slow reading of the fields."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.services.applicationautoscaling.cron import ScheduleError, parse_cron
from lambent.services.applicationautoscaling.schedule import parse_schedule

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 10 * * ? *", "2026-02-01T10:00"),
        ("15 12 * * ? *", "2026-01-31T12:15"),
        ("0 18 ? * MON-FRI *", "2026-02-02T18:00"),
        ("0 8 1 * ? *", "2026-02-01T08:00"),
        ("0/15 * * * ? *", "2026-01-31T12:15"),
        ("0/5 8-17 ? * MON-FRI *", "2026-02-02T08:00"),
        ("0 0 L * ? *", "2026-02-28T00:00"),
        ("0 0 LW * ? *", "2026-02-27T00:00"),
        ("0 9 15W * ? *", "2026-02-16T09:00"),
        ("0 9 1W * ? *", "2026-02-02T09:00"),
        ("0 9 ? * 6L *", "2026-02-27T09:00"),
        ("0 9 ? * 3#2 *", "2026-02-10T09:00"),
        ("0 9 ? * TUE#2 *", "2026-02-10T09:00"),
        ("0 9 ? * L *", "2026-02-07T09:00"),
        ("0 0 29 2 ? *", "2028-02-29T00:00"),
        ("0 0 1 1 ? 2030-2032", "2030-01-01T00:00"),
        ("0 0 ? * FRI-MON *", "2026-02-01T00:00"),
    ],
)
def test_the_next_time(text: str, expected: str) -> None:
    """Each kind of field means what AWS says it means."""
    found = parse_cron(text).next_after(START, UTC)
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("* * * * * *", "0 0 ? * ? *", "0 10 * * *", "60 * * * ? *", "* 24 * * ? *"),
        *("0 0 32 * ? *", "0 0 * 13 ? *", "0 0 ? * 8 *", "0 0 ? * FOO *", "x * * * ? *"),
        *("0 0 ? * FOO#1 *", "5-1 * * * ? *", "*/0 * * * ? *", "", "0 0 0 * ? *"),
        *("0 0 ? * 9L *", "0 0 * * ? 1900", "1,, * * * ? *", "0 0 W * ? *"),
    ],
)
def test_what_is_no_expression(text: str) -> None:
    """Is refused."""
    with pytest.raises(ScheduleError):
        parse_cron(text)


@given(st.text(alphabet="0123456789*?LW#,-/ MONFRIJA()", max_size=40))
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    """No text fails otherwise, and a time that is found lies in the future."""
    for wrapped in (f"cron({text})", f"at({text})", f"rate({text})", text):
        try:
            schedule = parse_schedule(wrapped)
        except ScheduleError:
            continue
        found = schedule.next_after(START, START)
        assert found is None or found > START


_MINUTES = st.sets(st.integers(0, 59), min_size=1, max_size=3)
_HOURS = st.sets(st.integers(0, 23), min_size=1, max_size=3)


@given(
    _MINUTES, _HOURS, st.sets(st.integers(1, 7), min_size=1), st.integers(1, 189_000_000)
)  # fmt: skip
def test_no_matching_minute_is_left_out(
    minutes: set[int], hours: set[int], weekdays: set[int], later_s: int
) -> None:
    """The next time is the first minute all fields agree on."""
    fields = [",".join(map(str, one)) for one in (minutes, hours, weekdays)]
    moment = START + timedelta(seconds=later_s)
    found = parse_cron(f"{fields[0]} {fields[1]} ? * {fields[2]} *").next_after(moment, UTC)
    slow = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while (slow.isoweekday() % 7 + 1) not in weekdays or slow.hour not in hours:
        slow = (slow + timedelta(hours=1)).replace(minute=0)
    while not (
        slow.minute in minutes and slow.hour in hours and slow.isoweekday() % 7 + 1 in weekdays
    ):
        slow += timedelta(minutes=1)
    assert found == slow


def test_wall_clocks() -> None:
    """A time zone's hour is meant; summer time's gap comes an hour later, its doubled hour counts once."""
    zone = "Europe/Berlin"
    try:
        ZoneInfo(zone)
    except LookupError:
        pytest.skip("this host has no time zones")
    daily = parse_schedule("cron(30 2 * * ? *)", zone)
    spring = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    times = []
    for _ in range(3):
        found = daily.next_after(spring, spring)
        assert found is not None
        times.append(found)
        spring = found
    assert [f"{one:%d %H:%M}" for one in times] == ["29 01:30", "30 00:30", "31 00:30"]
    autumn = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    first = daily.next_after(autumn, autumn)
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert daily.next_after(first, first) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_at_and_rate() -> None:
    """One time, in its zone; and every so often from an anchor, faster by the time scale."""
    at = parse_schedule("at(2026-01-31T13:00:00)")
    assert at.next_after(START, START) == START + timedelta(hours=1)
    assert at.next_after(START + timedelta(hours=1), START) is None
    rate = parse_schedule("rate(10 minutes)")
    anchor = START - timedelta(minutes=25)
    assert rate.next_after(START, anchor) == START + timedelta(minutes=5)
    fast = parse_schedule("rate(10 minutes)", time_scale=10)
    assert fast.next_after(START, START) == START + timedelta(minutes=1)
    assert rate.next_after(START, START + timedelta(days=1)) == START + timedelta(days=1)
    for text in ("rate(1 minutes)", "rate(2 minute)", "rate(0 minutes)", "at(2026-02-30T00:00:00)"):
        with pytest.raises(ScheduleError):
            parse_schedule(text)
    for zone in ("Nowhere/None", "../etc/passwd", "America", ""):
        with pytest.raises(ScheduleError):
            parse_schedule("rate(2 minutes)", zone)
