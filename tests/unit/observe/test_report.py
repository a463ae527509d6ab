"""observe.report and observe.cost: the lines AWS writes and the prices it asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.observe import cost, report

RID = "8f507cfc-example-4697-b07a-ac58fc914c95"


def test_report_of_a_cold_start_is_awss_line() -> None:
    """A first invocation shows Init Duration, is billed for it, and ends with a tab."""
    line = report.report(
        RID, duration_ms=84.774, memory_mib=4096, max_memory_mib=97, init_ms=549.71
    )
    assert (
        line
        == (
            f"REPORT RequestId: {RID}\tDuration: 84.77 ms\tBilled Duration: 635 ms"
            "\tMemory Size: 4096 MB\tMax Memory Used: 97 MB\tInit Duration: 549.71 ms\t\n"
        ).encode()
    )


def test_report_of_a_warm_start_has_no_init() -> None:
    """A later invocation has no Init Duration and is billed for its duration only."""
    line = report.report(RID, duration_ms=12.34, memory_mib=128, max_memory_mib=18)
    assert (
        line
        == (
            f"REPORT RequestId: {RID}\tDuration: 12.34 ms\tBilled Duration: 13 ms"
            "\tMemory Size: 128 MB\tMax Memory Used: 18 MB\t\n"
        ).encode()
    )


def test_report_of_a_traced_invocation_has_a_second_line() -> None:
    """The trace's id and the function's segment stand in a line of their own, as recorded from AWS."""
    line = report.report(
        RID,
        duration_ms=1,
        memory_mib=128,
        max_memory_mib=18,
        trace=("1-677faf89-09a6b95269c6e56c4d1ab356", "7e44b09386b9ab35"),
    )
    assert line.endswith(
        b"Max Memory Used: 18 MB\t\nXRAY TraceId: 1-677faf89-09a6b95269c6e56c4d1ab356"
        b"\tSegmentId: 7e44b09386b9ab35\tSampled: true\t\n"
    )


@pytest.mark.parametrize(
    ("status", "error_type", "tail"),
    [
        ("timeout", None, b"Init Duration: 402.04 ms\tStatus: timeout\n"),
        (
            "error",
            "Runtime.ExitError",
            b"Init Duration: 402.04 ms\tStatus: error\tError Type: Runtime.ExitError\n",
        ),
    ],
)
def test_report_of_a_failure_ends_with_its_status(
    status: str, error_type: str | None, tail: bytes
) -> None:
    """A timeout or a dead runtime is said at the end of REPORT, without a tab behind it."""
    line = report.report(
        RID,
        duration_ms=3000.0,
        memory_mib=128,
        max_memory_mib=73,
        init_ms=402.04,
        status=status,
        error_type=error_type,
    )
    assert line.endswith(tail)
    assert b"Billed Duration: 3403 ms" in line


def test_other_lines() -> None:
    """INIT_START, START, END, INIT_REPORT and the timeout line read as on AWS."""
    assert report.init_start("python:3.11.v30") == b"INIT_START Runtime Version: python:3.11.v30\n"
    assert report.init_start("python:3.11.v30", "arn:aws:lambda:us-east-1::runtime:edb5") == (
        b"INIT_START Runtime Version: python:3.11.v30"
        b"\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:edb5\n"
    )
    assert report.start(RID, "$LATEST") == f"START RequestId: {RID} Version: $LATEST\n".encode()
    assert report.end(RID) == f"END RequestId: {RID}\n".encode()
    assert report.init_report(10000) == (
        b"INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout\n"
    )
    assert report.init_report(
        99.65, phase="invoke", status="error", error_type="Runtime.ExitError"
    ) == (
        b"INIT_REPORT Init Duration: 99.65 ms\tPhase: invoke\tStatus: error"
        b"\tError Type: Runtime.ExitError\n"
    )
    assert report.timed_out(RID, 3, 1535249593948) == (
        f"2018-08-26T02:13:13.948Z {RID} Task timed out after 3.00 seconds\n\n".encode()
    )


@given(st.floats(0, 900_000), st.none() | st.floats(0, 15_000))
def test_billed_is_the_least_whole_number_not_below_what_is_shown(
    duration_ms: float, init_ms: float | None
) -> None:
    """Billed time is never under the time shown, and less than 1 ms over it."""
    shown = round(duration_ms * 100) + round((init_ms or 0) * 100)
    assert 0 <= report.billed_ms(duration_ms, init_ms) * 100 - shown < 100


def test_cost_is_the_worked_example() -> None:
    """128 MB for 1 s, 100,000 times: 12,500 GB-s, $0.21, and $0.02 for the requests."""
    assert cost.gb_seconds(128, 1000) * 100_000 == 12_500
    total = cost.invocation_usd(128, 1000) * 100_000
    assert total == pytest.approx(12_500 * 0.0000166667 + 0.02)
    assert total == pytest.approx(0.228, abs=0.001)


def test_cost_of_what_is_more_than_the_default() -> None:
    """Arm is cheaper, provisioned use has its own price, and /tmp counts from 512 MB on."""
    assert cost.invocation_usd(1024, 1000, architecture="arm64") == pytest.approx(0.0000135334)
    assert cost.invocation_usd(1024, 1000, provisioned=True) == pytest.approx(0.0000099222)
    assert cost.invocation_usd(1024, 1000, ephemeral_storage_mib=1536) == pytest.approx(
        0.0000168667 + 0.0000000309
    )
    assert cost.provisioned_kept_usd(1024, 10, 3600) == pytest.approx(0.1500012)
    with pytest.raises(KeyError):
        cost.invocation_usd(128, 1, architecture="sparc")


def test_report_of_a_restored_environment_is_awss_line() -> None:
    """Both durations, the billed one in Billed Duration, as in a recorded log stream."""
    line = report.report(
        RID,
        duration_ms=2338.66,
        memory_mib=3009,
        max_memory_mib=173,
        restore=report.Restore(398.97, 182),
    )
    assert (
        line
        == (
            f"REPORT RequestId: {RID}\tDuration: 2338.66 ms\tBilled Duration: 2521 ms"
            "\tMemory Size: 3009 MB\tMax Memory Used: 173 MB\tRestore Duration: 398.97 ms"
            "\tBilled Restore Duration: 182 ms\t\n"
        ).encode()
    )


def test_restore_lines_are_awss() -> None:
    """RESTORE_START has the runtime version, RESTORE_REPORT the duration, as recorded."""
    assert report.restore_start("java:11.v20", "arn:x") == (
        b"RESTORE_START Runtime Version: java:11.v20\tRuntime Version ARN: arn:x\n"
    )
    assert report.restore_report(398.97) == b"RESTORE_REPORT Restore Duration: 398.97 ms\n"
    assert report.restore_report(1, status="timeout").endswith(b" ms\tStatus: timeout\n")
