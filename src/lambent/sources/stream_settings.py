"""What a mapping of a stream is set to."""

from dataclasses import dataclass
from typing import Any

from lambent.model.event_source_mapping import EventSourceMapping
from lambent.sources.stream_source import LATEST, TRIM_HORIZON, Position, PositionKind


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """Ages and windows in seconds. ``max_retries`` and ``max_age_s`` are None where there is no limit."""

    function_arn: str
    stream_arn: str
    position: Position
    batch_size: int
    window_s: float
    factor: int
    max_retries: int | None
    max_age_s: float | None
    bisects: bool
    reports_failures: bool
    tumbling_s: int
    destination_arn: str

    @property
    def batch_info(self) -> str:
        """The member of a destination's record that tells of the batch. Source: "Retain discarded batches"."""
        return "KinesisBatchInfo" if ":kinesis:" in self.stream_arn else "DDBStreamBatchInfo"


def settings_of(mapping: EventSourceMapping) -> StreamSettings:
    """Of a document that was checked when it was recorded."""
    document = mapping.document
    retries: int = document.get("MaximumRetryAttempts", -1)
    age_s: int = document.get("MaximumRecordAgeInSeconds", -1)
    on_failure: dict[str, Any] = (document.get("DestinationConfig") or {}).get("OnFailure") or {}
    return StreamSettings(
        function_arn=mapping.function_arn,
        stream_arn=mapping.event_source_arn or "",
        position=_position(document["StartingPosition"], document.get("StartingPositionTimestamp")),
        batch_size=document.get("BatchSize", 100),
        window_s=document.get("MaximumBatchingWindowInSeconds") or 0,
        factor=document.get("ParallelizationFactor") or 1,
        max_retries=None if retries < 0 else retries,
        max_age_s=None if age_s < 0 else age_s,
        bisects=bool(document.get("BisectBatchOnFunctionError")),
        reports_failures="ReportBatchItemFailures" in (document.get("FunctionResponseTypes") or ()),
        tumbling_s=document.get("TumblingWindowInSeconds") or 0,
        destination_arn=on_failure.get("Destination") or "",
    )


def _position(name: str, timestamp_s: float | None) -> Position:
    if name == "AT_TIMESTAMP":
        return Position(PositionKind.AT_TIMESTAMP, repr(float(timestamp_s or 0)))
    return LATEST if name == "LATEST" else TRIM_HORIZON
