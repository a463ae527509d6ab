"""Platform log records in Lambda's JSON format, as bytes ready for a log stream.

Every function gives a :class:`Record`: its line, and the level that decides whether it is shown. What AWS
measures outside the function's process (``spans``) is left out, as its schema allows.

Source: "Lambda Telemetry API Event schema reference", "System log level event mapping" in
"Log-level filtering" (both AWS Lambda guide) and recorded log streams.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from lambent.observe.log_levels import RANKS
from lambent.observe.report import Restore

_MIB: Final = 1024 * 1024


Tracing = tuple[str, str]
"""Of a traced invocation: the function's segment id, and the trace header."""


class Record(NamedTuple):
    """One line, newline included, and its rank among ``log_levels.RANKS``."""

    rank: int
    line: bytes


def init_start(
    at_ms: int,
    *,
    runtime_version: str,
    function_name: str,
    function_version: str,
    instance_id: str,
    memory_mib: int,
    phase: str = "init",
    runtime_version_arn: str | None = None,
    initialization_type: str = "on-demand",
) -> Record:
    """``platform.initStart``; INFO, because the runtime's version is known.

    ``phase`` is ``init``, or ``invoke`` when it is run again inside the first invocation; so below.
    """
    arn = {} if runtime_version_arn is None else {"runtimeVersionArn": runtime_version_arn}
    record = {
        **_init(phase, initialization_type),
        **({"runtimeVersion": runtime_version} if runtime_version else {}),
        **arn,
        "functionName": function_name,
        "functionVersion": function_version,
        "instanceId": instance_id,
        "instanceMaxMemory": memory_mib * _MIB,
    }
    return _record("INFO", at_ms, "platform.initStart", record)


def init_runtime_done(
    at_ms: int,
    *,
    phase: str = "init",
    status: str = "success",
    error_type: str | None = None,
    initialization_type: str = "on-demand",
) -> Record:
    """``platform.initRuntimeDone``."""
    record = {**_init(phase, initialization_type), **_outcome(status, error_type)}
    return _record(_level("DEBUG", status), at_ms, "platform.initRuntimeDone", record)


def init_report(
    at_ms: int,
    init_ms: float,
    *,
    phase: str = "init",
    status: str = "success",
    error_type: str | None = None,
    initialization_type: str = "on-demand",
) -> Record:
    """``platform.initReport``. AWS: DEBUG for an environment started on demand, else INFO."""
    metrics = {"durationMs": round(init_ms, 3)}
    init = _init(phase, initialization_type)
    record = {**init, **_outcome(status, error_type), "metrics": metrics}
    least = "DEBUG" if initialization_type == "on-demand" else "INFO"
    return _record(_level(least, status), at_ms, "platform.initReport", record)


def restore_start(
    at_ms: int,
    *,
    runtime_version: str,
    function_name: str,
    function_version: str,
    instance_id: str,
    memory_mib: int,
    runtime_version_arn: str | None = None,
) -> Record:
    """``platform.restoreStart``; its level is that of ``platform.initStart``."""
    arn = {} if runtime_version_arn is None else {"runtimeVersionArn": runtime_version_arn}
    record = {
        "runtimeVersion": runtime_version,
        **arn,
        "functionName": function_name,
        "functionVersion": function_version,
        "instanceId": instance_id,
        "instanceMaxMemory": memory_mib * _MIB,
    }
    return _record("INFO", at_ms, "platform.restoreStart", record)


def restore_runtime_done(
    at_ms: int, *, status: str = "success", error_type: str | None = None
) -> Record:
    """``platform.restoreRuntimeDone``."""
    level = _level("DEBUG", status)
    return _record(level, at_ms, "platform.restoreRuntimeDone", _outcome(status, error_type))


def restore_report(
    at_ms: int, restore_ms: float, *, status: str = "success", error_type: str | None = None
) -> Record:
    """``platform.restoreReport``."""
    record = {**_outcome(status, error_type), "metrics": {"durationMs": round(restore_ms, 3)}}
    return _record(_level("INFO", status), at_ms, "platform.restoreReport", record)


def start(
    at_ms: int,
    request_id: str,
    version: str,
    tracing: Tracing | None = None,
    tenant_id: str | None = None,
) -> Record:
    """``platform.start``; ``version`` is ``$LATEST`` or a number as text."""
    about = {"requestId": request_id, "version": version}
    record = {**about, **_tenant(tenant_id), **_tracing(tracing)}
    return _record("INFO", at_ms, "platform.start", record)


def runtime_done(
    at_ms: int,
    request_id: str,
    *,
    duration_ms: float,
    produced_bytes: int,
    status: str = "success",
    error_type: str | None = None,
    tracing: Tracing | None = None,
    tenant_id: str | None = None,
) -> Record:
    """``platform.runtimeDone``; ``produced_bytes`` is the size of the function's result."""
    record = {
        "requestId": request_id,
        **_outcome(status, error_type),
        "metrics": {"durationMs": round(duration_ms, 3), "producedBytes": produced_bytes},
        **_tenant(tenant_id),
        **_tracing(tracing),
    }
    return _record(_level("DEBUG", status), at_ms, "platform.runtimeDone", record)


def report(
    at_ms: int,
    request_id: str,
    *,
    duration_ms: float,
    memory_mib: int,
    max_memory_mib: int,
    init_ms: float | None = None,
    status: str = "success",
    error_type: str | None = None,
    tracing: Tracing | None = None,
    tenant_id: str | None = None,
    restore: Restore | None = None,
) -> Record:
    """``platform.report``. ``status`` is ``success``, ``error`` or ``timeout``."""
    metrics: dict[str, float] = {
        "durationMs": round(duration_ms, 3),
        "billedDurationMs": billed_ms(duration_ms, init_ms),
        "memorySizeMB": memory_mib,
        "maxMemoryUsedMB": max_memory_mib,
    }
    if init_ms is not None:
        metrics["initDurationMs"] = round(init_ms, 3)
    if restore is not None:
        metrics["billedDurationMs"] += restore.billed_ms
        metrics["restoreDurationMs"] = round(restore.duration_ms, 3)
    about = {**_outcome(status, error_type), **_tenant(tenant_id), **_tracing(tracing)}
    record = {"requestId": request_id, "metrics": metrics, **about}
    return _record(_level("INFO", status), at_ms, "platform.report", record)


def extension(
    at_ms: int, name: str, state: str, events: Sequence[str], error_type: str | None = None
) -> Record:
    """``platform.extension``: what became of an extension when Init was over."""
    record: dict[str, Any] = {"name": name, "state": state, "events": list(events)}
    if error_type is not None:
        record["errorType"] = error_type
    level = "INFO" if error_type is None else "WARN"
    return _record(level, at_ms, "platform.extension", record)


def notice(at_ms: int, message: str) -> Record:
    """``lambent.notice``, which AWS has not: what the platform has to say of itself."""
    return _record("WARN", at_ms, "lambent.notice", {"message": message})


def billed_ms(duration_ms: float, init_ms: float | None = None) -> int:
    """Duration plus initialisation, rounded up to 1 ms from the thousandths that are shown."""
    thousandths = round(duration_ms * 1000) + round((init_ms or 0.0) * 1000)
    return -(-thousandths // 1000)


def _tenant(tenant_id: str | None) -> dict[str, str]:
    """Source: "Monitoring Lambda functions with tenant isolation"."""
    return {} if tenant_id is None else {"tenantId": tenant_id}


def _tracing(tracing: Tracing | None) -> dict[str, Any]:
    """Source: ``TraceContext`` in the Telemetry API's schema."""
    if tracing is None:
        return {}
    span_id, header = tracing
    return {"tracing": {"spanId": span_id, "type": "X-Amzn-Trace-Id", "value": header}}


def _init(phase: str, initialization_type: str) -> dict[str, str]:
    return {"initializationType": initialization_type, "phase": phase}


def _outcome(status: str, error_type: str | None) -> dict[str, str]:
    return {"status": status} if error_type is None else {"status": status, "errorType": error_type}


def _level(level: str, status: str) -> str:
    return level if status == "success" else "WARN"


def _record(level: str, at_ms: int, kind: str, record: dict[str, Any]) -> Record:
    moment = datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    document = {"time": f"{moment}.{at_ms % 1000:03d}Z", "type": kind, "record": record}
    return Record(RANKS[level], json.dumps(document, separators=(",", ":")).encode() + b"\n")
