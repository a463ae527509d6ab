"""AWS's three ways to write a moment: ``unixtimestamp``, ``iso8601`` and ``rfc822``."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse(value: object, timestamp_format: str | None = None) -> datetime:
    """The aware moment behind a number of seconds, or a text in any of the three formats.

    Raises ``ValueError`` for anything else, or a moment outside years 1–9999.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("not a timestamp")  # noqa: TRY004 - one error for every unreadable moment
    if isinstance(value, str):
        return _parse_text(value.strip(), timestamp_format)
    return _from_seconds(value)


def _parse_text(text: str, timestamp_format: str | None) -> datetime:
    if timestamp_format == "rfc822":
        return _parse_rfc822(text)
    if not text[:1].isalpha():
        try:
            return _from_seconds(float(text))
        except ValueError:
            return _parse_iso8601(text)
    return _parse_rfc822(text)


def _parse_iso8601(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return _aware(moment)


def _parse_rfc822(text: str) -> datetime:
    try:
        return _aware(parsedate_to_datetime(text))
    except (TypeError, IndexError, OverflowError) as error:
        raise ValueError(f"not a date: {text[:64]}") from error


def _from_seconds(seconds: float) -> datetime:
    if not math.isfinite(seconds):
        raise ValueError("not a moment")
    try:
        return _EPOCH + timedelta(microseconds=round(seconds * 1_000_000))
    except OverflowError as error:
        raise ValueError("moment out of range") from error


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def format_unix(moment: datetime | float) -> int | float:
    """Seconds since the epoch, with a fraction only when there is one."""
    if isinstance(moment, (int, float)):
        return moment
    micros = (_aware(moment) - _EPOCH) // timedelta(microseconds=1)
    seconds, rest = divmod(micros, 1_000_000)
    return micros / 1_000_000 if rest else seconds


def format_iso8601(moment: datetime | float) -> str:
    """``2026-01-31T12:00:00Z``, with milli- or microseconds only when there are some."""
    utc = _utc(moment).replace(tzinfo=None)
    if utc.microsecond == 0:
        return f"{utc.isoformat()}Z"
    return (
        f"{utc.isoformat(timespec='microseconds' if utc.microsecond % 1000 else 'milliseconds')}Z"
    )


def format_rfc822(moment: datetime | float) -> str:
    """``Sat, 31 Jan 2026 12:00:00 GMT``."""
    return format_datetime(_utc(moment).replace(microsecond=0), usegmt=True)


def format_as(moment: datetime | float, timestamp_format: str) -> str | int | float:
    """``moment`` in one of AWS's three formats."""
    match timestamp_format.lower():
        case "iso8601":
            return format_iso8601(moment)
        case "rfc822":
            return format_rfc822(moment)
        case _:
            return format_unix(moment)


def _utc(moment: datetime | float) -> datetime:
    if isinstance(moment, (int, float)):
        return _from_seconds(moment)
    return _aware(moment).astimezone(UTC)
