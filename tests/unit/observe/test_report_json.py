"""observe.report_json: the records AWS writes, and the level of each."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.observe import report_json
from lambent.observe.log_levels import RANKS

AT_MS = 1716222585008
RID = "4b142fc3-17b8-4cdb-a46b-a8dbe7918715"


def opened(record: report_json.Record, kind: str) -> Any:
    """Its ``record``, once time and type are as they must be."""
    assert record.line.endswith(b"}\n")
    assert record.line.count(b"\n") == 1
    document = json.loads(record.line)
    assert list(document) == ["time", "type", "record"]
    assert (document["time"], document["type"]) == ("2024-05-20T16:29:45.008Z", kind)
    return document["record"]


def test_the_records_of_a_good_invocation() -> None:
    """Each has AWS's members; start and report are INFO, the others DEBUG, but initStart."""
    found = report_json.init_start(
        AT_MS, runtime_version="python:3.12.v18", function_name="f", function_version="$LATEST",
        instance_id="ab", memory_mib=128, runtime_version_arn="arn:aws:lambda:us-east-1::runtime:1",
    )  # fmt: skip
    assert found.rank == RANKS["INFO"]
    assert opened(found, "platform.initStart") == {
        "initializationType": "on-demand",
        "phase": "init",
        "runtimeVersion": "python:3.12.v18",
        "runtimeVersionArn": "arn:aws:lambda:us-east-1::runtime:1",
        "functionName": "f",
        "functionVersion": "$LATEST",
        "instanceId": "ab",
        "instanceMaxMemory": 134217728,
    }
    found = report_json.init_runtime_done(AT_MS)
    assert found.rank == RANKS["DEBUG"]
    done = {"initializationType": "on-demand", "phase": "init", "status": "success"}
    assert opened(found, "platform.initRuntimeDone") == done
    found = report_json.init_report(AT_MS, 173.7781)
    assert found.rank == RANKS["DEBUG"]
    assert opened(found, "platform.initReport") == done | {"metrics": {"durationMs": 173.778}}
    found = report_json.start(AT_MS, RID, "$LATEST")
    assert found.rank == RANKS["INFO"]
    assert opened(found, "platform.start") == {"requestId": RID, "version": "$LATEST"}
    found = report_json.runtime_done(AT_MS, RID, duration_ms=11.185, produced_bytes=40)
    assert found.rank == RANKS["DEBUG"]
    assert opened(found, "platform.runtimeDone") == {
        "requestId": RID,
        "status": "success",
        "metrics": {"durationMs": 11.185, "producedBytes": 40},
    }
    found = report_json.report(
        AT_MS, RID, duration_ms=11.642, memory_mib=128, max_memory_mib=67, init_ms=174.055
    )
    assert found.rank == RANKS["INFO"]
    assert opened(found, "platform.report") == {
        "requestId": RID,
        "metrics": {
            "durationMs": 11.642,
            "billedDurationMs": 186,
            "memorySizeMB": 128,
            "maxMemoryUsedMB": 67,
            "initDurationMs": 174.055,
        },
        "status": "success",
    }


@pytest.mark.parametrize(
    ("status", "error_type"), [("timeout", None), ("error", "Runtime.ExitError"), ("error", None)]
)
def test_a_failure_is_a_warning_with_its_type(status: str, error_type: str | None) -> None:
    """Every record of something that failed is WARN, with its status, and the type if there is one."""
    how: Any = {"status": status, "error_type": error_type}
    records = {
        "platform.initRuntimeDone": report_json.init_runtime_done(AT_MS, **how),
        "platform.initReport": report_json.init_report(AT_MS, 1.0, **how),
        "platform.runtimeDone": report_json.runtime_done(
            AT_MS, RID, duration_ms=1.0, produced_bytes=0, **how
        ),
        "platform.report": report_json.report(
            AT_MS, RID, duration_ms=1.0, memory_mib=128, max_memory_mib=1, **how
        ),
    }
    for kind, record in records.items():
        assert record.rank == RANKS["WARN"]
        document = opened(record, kind)
        assert (document["status"], document.get("errorType")) == (status, error_type)


@given(st.floats(0, 900_000), st.none() | st.floats(0, 15_000))
def test_billed_is_never_below_what_is_shown(duration_ms: float, init_ms: float | None) -> None:
    """The least whole number of milliseconds not below the shown durations' sum."""
    shown = round(duration_ms * 1000) + round((init_ms or 0) * 1000)
    billed = report_json.billed_ms(duration_ms, init_ms)
    assert billed * 1000 - 1000 < shown <= billed * 1000


def test_an_initialisation_ahead_of_time_says_so() -> None:
    """All three records name the type, and the report is INFO: no invocation's report has its time."""
    kind = "provisioned-concurrency"
    done = report_json.init_runtime_done(AT_MS, initialization_type=kind)
    assert opened(done, "platform.initRuntimeDone")["initializationType"] == kind
    reported = report_json.init_report(AT_MS, 1.0, initialization_type=kind)
    assert opened(reported, "platform.initReport")["initializationType"] == kind
    assert reported.rank == RANKS["INFO"]
