"""Events of the Telemetry API as JSON documents: records of the platform, lines of functions and extensions.

Source: "Lambda Telemetry API Event schema reference" (AWS Lambda).
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any


def platform_event(at_ms: int, kind: str, record: dict[str, Any]) -> bytes:
    """One event of the type ``platform.<kind>``."""
    return _event(at_ms, f"platform.{kind}", record)


def line_event(at_ms: int, kind: str, line: bytes, *, embeds_json: bool) -> bytes:
    """One ``function`` or ``extension`` line, without its newline; with ``embeds_json`` an object as it is."""
    text = line.decode("utf-8", "replace").removesuffix("\n")
    if embeds_json and text.startswith("{"):
        try:
            return _event(at_ms, kind, json.loads(text))
        except (ValueError, RecursionError):
            pass
    return _event(at_ms, kind, text)


def subscription_event(at_ms: int, name: str, types: Sequence[str]) -> bytes:
    """``platform.telemetrySubscription``."""
    record = {"name": name, "state": "Subscribed", "types": list(types)}
    return platform_event(at_ms, "telemetrySubscription", record)


def dropped_event(at_ms: int, records: int, size_bytes: int) -> bytes:
    """``platform.logsDropped``. The reason is AWS's example's."""
    reason = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."
    record = {"droppedBytes": size_bytes, "droppedRecords": records, "reason": reason}
    return platform_event(at_ms, "logsDropped", record)


def _event(at_ms: int, kind: str, record: object) -> bytes:
    moment = datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    document = {"time": f"{moment}.{at_ms % 1000:03d}Z", "type": kind, "record": record}
    return json.dumps(document, separators=(",", ":")).encode()
