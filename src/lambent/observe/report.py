"""Platform log lines in Lambda's text format, as bytes ready for a log stream.

Pure formatting on the invocation path. Every line ends as CloudWatch shows it, newline included.

Source: recorded log streams and https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

_USUAL_REPORT = (
    "REPORT RequestId: %s\tDuration: %d.%02d ms\tBilled Duration: %d ms"
    "\tMemory Size: %d MB\tMax Memory Used: %d MB\t\n"
)


class Restore(NamedTuple):
    """How long it took to be restored from a snapshot, and what of that is billed: the runtime, and the hooks."""

    duration_ms: float
    billed_ms: int


def init_start(runtime_version: str, runtime_version_arn: str | None = None) -> bytes:
    """``INIT_START``; ``runtime_version`` is e.g. ``python:3.11.v30``."""
    if runtime_version_arn is None:
        return f"INIT_START Runtime Version: {runtime_version}\n".encode()
    return (
        f"INIT_START Runtime Version: {runtime_version}"
        f"\tRuntime Version ARN: {runtime_version_arn}\n"
    ).encode()


def restore_start(runtime_version: str, runtime_version_arn: str | None = None) -> bytes:
    """``RESTORE_START``, where ``INIT_START`` stands without SnapStart. Source: recorded log streams."""
    return b"RESTORE_START" + init_start(runtime_version, runtime_version_arn)[len("INIT_START") :]


def restore_report(
    duration_ms: float, *, status: str | None = None, error_type: str | None = None
) -> bytes:
    """``RESTORE_REPORT``. Source: recorded log streams; with a status, best known."""
    outcome = _outcome(status, error_type)
    rest = f"\t{outcome}" if outcome else ""
    return f"RESTORE_REPORT Restore Duration: {duration_ms:.2f} ms{rest}\n".encode()


def start(request_id: str, version: str) -> bytes:
    """``START``; ``version`` is ``$LATEST`` or a number as text."""
    return f"START RequestId: {request_id} Version: {version}\n".encode()


def end(request_id: str) -> bytes:
    """``END``."""
    return f"END RequestId: {request_id}\n".encode()


def billed_ms(duration_ms: float, init_ms: float | None = None) -> int:
    """What is billed: duration plus initialisation, rounded up to 1 ms.

    Counted from the hundredths that the line shows, so a line never contradicts itself.

    Source: https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
    (INIT billed for every configuration since 1 August 2025).
    """
    hundredths = round(duration_ms * 100) + round((init_ms or 0.0) * 100)
    return -(-hundredths // 100)


def report(
    request_id: str,
    *,
    duration_ms: float,
    memory_mib: int,
    max_memory_mib: int,
    init_ms: float | None = None,
    status: str | None = None,
    error_type: str | None = None,
    trace: tuple[str, str] | None = None,
    restore: "Restore | None" = None,
) -> bytes:
    """``REPORT``. ``status`` is ``timeout``, ``error`` or None for success; ``trace`` the id and the segment's.

    AWS: the fields end with a tab, and a status stands behind it without another one. A traced invocation has a
    second line in the same event. Source: recorded log streams; with a status, best known.
    """
    if status is None and init_ms is None and trace is None and restore is None:
        # Most lines by far. Whole numbers and one format take half the time of what is below.
        hundredths = round(duration_ms * 100)
        shown = (*divmod(hundredths, 100), -(-hundredths // 100), memory_mib, max_memory_mib)
        return (_USUAL_REPORT % (request_id, *shown)).encode()
    init = "" if init_ms is None else f"\tInit Duration: {init_ms:.2f} ms"
    billed = billed_ms(duration_ms, init_ms)
    if restore is not None:
        billed += restore.billed_ms
        init += f"\tRestore Duration: {restore.duration_ms:.2f} ms"
        init += f"\tBilled Restore Duration: {restore.billed_ms} ms"
    outcome = "" if status is None else _outcome(status, error_type)
    traced = "" if trace is None else _traced(trace)
    return (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms"
        f"\tBilled Duration: {billed} ms\tMemory Size: {memory_mib} MB"
        f"\tMax Memory Used: {max_memory_mib} MB{init}\t{outcome}\n{traced}"
    ).encode()


def init_report(
    duration_ms: float,
    *,
    phase: str = "init",
    status: str | None = "timeout",
    error_type: str | None = None,
) -> bytes:
    """``INIT_REPORT``, written for an initialisation that failed or overran, and for a snapshot's.

    ``phase`` is ``init``, or ``invoke`` when it was run again inside the first invocation.
    """
    return (
        f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}"
        f"\t{_outcome(status, error_type)}\n"
    ).encode()


def extension(name: str, state: str, events: Sequence[str], error_type: str | None = None) -> bytes:
    """``EXTENSION``: what became of an extension when Init was over. Source: recorded log streams."""
    error = "" if error_type is None else f"\tError Type: {error_type}"
    return (
        f"EXTENSION\tName: {name}\tState: {state}\tEvents: [{', '.join(events)}]{error}\n"
    ).encode()


def timed_out_message(request_id: str, timeout_s: float, at_ms: int) -> str:
    """``<ISO time> <request id> Task timed out after 3.00 seconds``, as ``errorMessage`` too."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{at_ms % 1000:03d}Z {request_id} Task timed out after {timeout_s:.2f} seconds"


def timed_out(request_id: str, timeout_s: float, at_ms: int) -> bytes:
    """The timeout line of the log. AWS: an empty line follows it inside the same event."""
    return f"{timed_out_message(request_id, timeout_s, at_ms)}\n\n".encode()


def _traced(trace: tuple[str, str] | None) -> str:
    if trace is None:
        return ""
    return f"XRAY TraceId: {trace[0]}\tSegmentId: {trace[1]}\tSampled: true\t\n"


def _outcome(status: str | None, error_type: str | None) -> str:
    if status is None:
        return ""
    return (
        f"Status: {status}" if error_type is None else f"Status: {status}\tError Type: {error_type}"
    )
