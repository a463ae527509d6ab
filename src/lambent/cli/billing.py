"""What the invocations in a log would have cost on AWS, from their REPORT lines."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lambent.observe.cost import gb_seconds, invocation_usd

_REPORT = re.compile(
    r"^REPORT RequestId: (?P<request_id>\S+)\tDuration: (?P<duration>[\d.]+) ms\t"
    r"Billed Duration: (?P<billed>\d+) ms\tMemory Size: (?P<memory>\d+) MB\t"
    r"Max Memory Used: (?P<used>\d+) MB(?:\tInit Duration: (?P<init>[\d.]+) ms)?"
)


@dataclass(frozen=True, slots=True)
class Report:
    """One REPORT line. ``init_ms`` only where the call started its environment."""

    request_id: str
    duration_ms: float
    billed_ms: int
    memory_mib: int
    max_memory_mib: int
    init_ms: float | None


@dataclass(frozen=True, slots=True)
class Bill:
    """The sum of several reports."""

    calls: int
    gb_seconds: float
    usd: float


def parse_report(line: str) -> Report | None:
    """The line's figures; None when it is no REPORT line."""
    match = _REPORT.match(line)
    if match is None:
        return None
    return Report(
        request_id=match["request_id"],
        duration_ms=float(match["duration"]),
        billed_ms=int(match["billed"]),
        memory_mib=int(match["memory"]),
        max_memory_mib=int(match["used"]),
        init_ms=float(match["init"]) if match["init"] else None,
    )


def add_up(reports: Iterable[Report]) -> Bill:
    """What they cost together, requests and duration, without a free tier."""
    calls, seconds, usd = 0, 0.0, 0.0
    for report in reports:
        calls += 1
        seconds += gb_seconds(report.memory_mib, report.billed_ms)
        usd += invocation_usd(report.memory_mib, report.billed_ms)
    return Bill(calls, seconds, usd)
