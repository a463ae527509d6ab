"""The performance record of one invocation, as the Lambda Insights extension writes it. Pure.

Source: "Viewing Lambda Insights metrics" and its example of an embedded metric event (Amazon CloudWatch user
guide). What a host does not tell is left out, from the record and from the metrics it declares. ``agent_*``
members, which tell of AWS's extension itself, are never there.
"""

import json
from typing import Any

LOG_GROUP = "/aws/lambda-insights"
NAMESPACE = "LambdaInsights"
_UNITS = {
    "memory_utilization": "Percent",
    "total_memory": "Megabytes",
    "used_memory_max": "Megabytes",
    "cpu_total_time": "Milliseconds",
    "tx_bytes": "Bytes",
    "rx_bytes": "Bytes",
    "total_network": "Bytes",
    "init_duration": "Milliseconds",
}
_DIMENSIONS = [["function_name"], ["function_name", "version"]]


def performance(timestamp_ms: int, members: dict[str, Any]) -> bytes:
    """The log event: ``members`` that are None left out, the metrics among the others declared."""
    given = {name: value for name, value in members.items() if value is not None}
    declared = [{"Name": name, "Unit": unit} for name, unit in _UNITS.items() if name in given]
    record = {
        "_aws": {
            "Timestamp": timestamp_ms,
            "CloudWatchMetrics": [
                {"Namespace": NAMESPACE, "Dimensions": _DIMENSIONS, "Metrics": declared}
            ],
            "LambdaInsights": {"ShareTelemetry": True},
        },
        "event_type": "performance",
        **given,
    }
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def memory(used_mib: int, total_mib: int) -> dict[str, int]:
    """AWS: megabytes, and percent of what is configured."""
    return {
        "used_memory_max": used_mib,
        "total_memory": total_mib,
        "memory_utilization": used_mib * 100 // total_mib,
    }


def added(before: float | None, after: float | None) -> int | None:
    """What a counter grew by, whole; None where it is not known. A counter of processes can fall as they end."""
    if before is None or after is None:
        return None
    return max(0, round(after - before))


def total(*parts: int | None) -> int | None:
    """Their sum, if any is known."""
    known = [part for part in parts if part is not None]
    return sum(known) if known else None
