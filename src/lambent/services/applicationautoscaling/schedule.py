"""When a scheduled action runs: ``at(…)``, ``rate(…)`` or ``cron(…)``, in a time zone. Pure.

``at`` and ``cron`` name moments of the wall clock, so a faster clock (``time_scale``) leaves them; the interval of
``rate`` is that much shorter.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from lambent.services.applicationautoscaling.cron import Cron, ScheduleError, parse_cron

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?)\)")
_RATE = re.compile(r"rate\(\s*([1-9]\d{0,5}) +(minute|hour|day)(s?)\s*\)")
_CRON = re.compile(r"cron\(([^()]{1,1000})\)")
_UNITS_S = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Schedule:
    """One of the three."""

    at: datetime | None = None
    interval_s: float = 0.0
    cron: Cron | None = None
    zone: tzinfo = UTC

    def next_after(self, moment: datetime, anchor: datetime) -> datetime | None:
        """The first time later than ``moment``; a rate counts from ``anchor``, its first time."""
        if self.at is not None:
            return self.at if self.at > moment else None
        if self.cron is not None:
            return self.cron.next_after(moment, self.zone)
        if anchor > moment:
            return anchor
        passed = (moment - anchor).total_seconds() // self.interval_s
        return anchor + timedelta(seconds=(passed + 1) * self.interval_s)


def parse_schedule(text: str, timezone: str | None = None, time_scale: int = 1) -> Schedule:
    """Raises ScheduleError for what is none of the three, or a zone this host does not know."""
    zone = parse_zone(timezone)
    if match := _AT.fullmatch(text):
        try:
            return Schedule(
                at=datetime.fromisoformat(match[1]).replace(tzinfo=zone).astimezone(UTC)
            )
        except (ValueError, OverflowError):
            raise ScheduleError(f"{match[1]} is no time") from None
    if match := _RATE.fullmatch(text):
        if (match[1] == "1") == bool(match[3]):
            raise ScheduleError("the unit has to agree with the value")
        return Schedule(interval_s=int(match[1]) * _UNITS_S[match[2]] / time_scale)
    if match := _CRON.fullmatch(text):
        return Schedule(cron=parse_cron(match[1]), zone=zone)
    raise ScheduleError("at(…), rate(…) or cron(…) is expected")


def parse_zone(name: str | None) -> tzinfo:
    """A time zone by its canonical name; UTC when none is given. Raises ScheduleError."""
    if name is None or name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ScheduleError(f"{name} is no time zone") from None
