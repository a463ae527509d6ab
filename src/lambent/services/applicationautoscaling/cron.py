"""AWS's cron expressions: six fields, minutes to years, and the next moment that matches. Pure.

Fields: minutes, hours, day of month, month, day of week (1 or SUN to 7 or SAT), year; ``,`` ``-`` ``/`` ``*``, and
for days ``?``, ``L`` (last), ``nW`` (weekday nearest to the n-th), ``nL`` (last such weekday), ``n#k`` (k-th such
weekday). One of the two days has to be ``?``.
Source: https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
"""

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {
    name: number
    for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)
}
_MAX_YEAR = 2199
_ITEM = re.compile(r"(?:(\*)|([0-9A-Z]+)(?:-([0-9A-Z]+))?)(?:/([0-9]{1,4}))?")
_OF_MONTH = re.compile(r"L|LW|(?:[1-9]|[12][0-9]|3[01])W")
_OF_WEEK = re.compile(r"([1-7]|[A-Z]{3})(L|#[1-5])|L")
_NO_NAMES: Mapping[str, int] = {}


class ScheduleError(Exception):
    """A text that is no schedule."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression. ``of_month`` and ``of_week`` hold what no set of numbers says."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None
    years: frozenset[int]
    of_month: tuple[str, ...] = ()
    of_week: tuple[str, ...] = ()

    def next_after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """The first match later than ``moment`` (aware), on the wall clock of ``zone``; None when there is none.

        A time that a clock change leaves out is that much later; of one that comes twice the first counts.
        """
        day = (moment.astimezone(zone) - timedelta(hours=2)).date()
        while day.year <= _MAX_YEAR:
            if day.year not in self.years or day.month not in self.months:
                day = _next_month(day)
                continue
            if self._matches(day):
                for found in self._times(day, zone):
                    if found > moment:
                        return found
            day += timedelta(days=1)
        return None

    def _times(self, day: date, zone: tzinfo) -> list[datetime]:
        return [
            datetime.combine(day, time(hour, minute), zone).astimezone(UTC)
            for hour in self.hours
            for minute in self.minutes
        ]

    def _matches(self, day: date) -> bool:
        if self.days is not None:
            return day.day in self.days or any(_is_of_month(rule, day) for rule in self.of_month)
        weekday = day.isoweekday() % 7 + 1
        assert self.weekdays is not None  # noqa: S101 - one of the two is given
        return weekday in self.weekdays or any(_is_of_week(rule, day) for rule in self.of_week)


def parse_cron(text: str) -> Cron:
    """The expression between the parentheses of ``cron(…)``. Raises ScheduleError."""
    fields = text.upper().split()
    if len(fields) != 6:
        raise ScheduleError("cron has six fields")
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise ScheduleError("one of day-of-month and day-of-week must be ?")
    of_month = tuple(item for item in days.split(",") if _OF_MONTH.fullmatch(item))
    of_week = tuple(item for item in weekdays.split(",") if _OF_WEEK.fullmatch(item))
    for rule in of_week:
        _weekday_of(rule)
    return Cron(
        tuple(sorted(_numbers(minutes, 0, 59))),
        tuple(sorted(_numbers(hours, 0, 23))),
        None if days == "?" else _numbers(days, 1, 31, skip=of_month),
        _numbers(months, 1, 12, _MONTHS),
        None if weekdays == "?" else _numbers(weekdays, 1, 7, _WEEKDAYS, skip=of_week),
        _numbers(years, 1970, _MAX_YEAR),
        of_month,
        of_week,
    )


def _numbers(
    text: str,
    low: int,
    high: int,
    names: Mapping[str, int] = _NO_NAMES,
    skip: tuple[str, ...] = (),
) -> frozenset[int]:
    numbers: set[int] = set()
    for item in text.split(","):
        if item in skip:
            continue
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ScheduleError(f"{item} is not understood")
        every, first, last, step_text = match.groups()
        start = low if every else _number(first, low, high, names)
        end = high if every or (step_text and not last) else start
        if last:
            end = _number(last, low, high, names)
        step = int(step_text) if step_text else 1
        if step < 1 or (end < start and not names):
            raise ScheduleError(f"{item} is not understood")
        if end < start:  # FRI-MON
            numbers.update(range(start, high + 1, step))
            start = low
        numbers.update(range(start, end + 1, step))
    return frozenset(numbers)


def _number(text: str, low: int, high: int, names: Mapping[str, int]) -> int:
    number = names.get(text)
    if number is None and text.isdecimal() and len(text) <= 4:
        number = int(text)
    if number is None or not low <= number <= high:
        raise ScheduleError(f"{text} is not between {low} and {high}")
    return number


def _is_of_month(rule: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if rule == "L":
        return day.day == last
    meant = last if rule == "LW" else int(rule[:-1])
    return meant <= last and day == _nearest_weekday(day.replace(day=meant), last)


def _nearest_weekday(day: date, last: int) -> date:
    """Within its month: of a Saturday the Friday before it, of a Sunday the Monday after."""
    if day.isoweekday() == 6:
        return day + timedelta(days=2) if day.day == 1 else day - timedelta(days=1)
    if day.isoweekday() == 7:
        return day - timedelta(days=2) if day.day == last else day + timedelta(days=1)
    return day


def _is_of_week(rule: str, day: date) -> bool:
    if rule == "L":  # AWS: by itself it is the last day of the week
        return day.isoweekday() % 7 + 1 == 7
    if day.isoweekday() % 7 + 1 != _weekday_of(rule):
        return False
    if rule.endswith("L"):
        return day.day + 7 > calendar.monthrange(day.year, day.month)[1]
    return (day.day - 1) // 7 + 1 == int(rule[-1])


def _weekday_of(rule: str) -> int:
    name = rule.partition("#")[0] if "#" in rule else rule[:-1]
    return 7 if rule == "L" else _number(name, 1, 7, _WEEKDAYS)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
