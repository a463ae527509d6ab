"""REPORT lines read back, and what they add up to."""

import pytest

from lambent.cli.billing import add_up, parse_report

COLD = (
    "REPORT RequestId: abc\tDuration: 12.34 ms\tBilled Duration: 93 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: 18 MB\tInit Duration: 80.10 ms\t\n"
)
WARM = COLD.split("\tInit", maxsplit=1)[0] + "\t\n"


def test_reads_a_report() -> None:
    """Every figure of the line, the start only where there was one."""
    cold, warm = parse_report(COLD), parse_report(WARM)
    assert cold is not None
    assert warm is not None
    assert (cold.request_id, cold.duration_ms, cold.billed_ms) == ("abc", 12.34, 93)
    assert (cold.memory_mib, cold.max_memory_mib) == (128, 18)
    assert (cold.init_ms, warm.init_ms) == (80.10, None)


@pytest.mark.parametrize("line", ["", "START RequestId: abc", " " + COLD, "REPORT RequestId: abc"])
def test_other_lines_are_no_reports(line: str) -> None:
    """What a function prints is not billed."""
    assert parse_report(line) is None


def test_a_month_of_the_worked_example() -> None:
    """128 MB for 1 s, 100,000 times: 12,500 GB-s, $0.21 and $0.02 for requests."""
    one = parse_report(WARM.replace("93 ms", "1000 ms"))
    assert one is not None
    bill = add_up([one] * 100_000)
    assert bill.calls == 100_000
    assert bill.gb_seconds == pytest.approx(12_500)
    assert bill.usd == pytest.approx(0.2083 + 0.02, abs=0.0001)


def test_nothing_costs_nothing() -> None:
    """An empty log is free."""
    assert add_up([]).usd == 0
