"""The kinds of event sources: how a request shows which one is meant, and which settings it takes.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html and the pages of the same
form of the other sources.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambent.control.event_source_pollers import SQS_POLLERS, PollerRange
from lambent.model.errors import ClientFault, invalid_parameter, not_yet
from lambent.model.event_source_mapping import SELF_MANAGED_KAFKA, source_service
from lambent.patterns import records

_ARN = re.compile(
    r"arn:aws[a-zA-Z0-9-]*:(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d*):(?P<rest>.+)"
)
_QUEUE = re.compile(r"[A-Za-z0-9_-]{1,80}(\.fifo)?")
_STREAM = re.compile(r"stream/[a-zA-Z0-9_.-]{1,128}")
_CONSUMER = re.compile(r"stream/[^/]+/consumer/.+")
_CLUSTER = re.compile(r"cluster/[^/]+(/[a-zA-Z0-9-]+)?")
_BROKER = re.compile(r"broker:([^:]+:)?[A-Za-z0-9-]+")
"""Those of the embedded neighbour have an id alone, both of them."""
_TABLE_STREAM = re.compile(r"table/[a-zA-Z0-9_.-]{3,255}/stream/.+")

COMMON: Final = frozenset(
    [
        *("EventSourceArn", "FunctionName", "Enabled", "BatchSize", "FilterCriteria", "Tags"),
        *("MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "KMSKeyArn", "UUID"),
        "MetricsConfig",
    ]
)
_STREAMS: Final = frozenset(
    [
        *("StartingPosition", "StartingPositionTimestamp", "ParallelizationFactor"),
        *("DestinationConfig", "MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError"),
        *("MaximumRetryAttempts", "TumblingWindowInSeconds"),
    ]
)
_STREAM_DEFAULTS: Final[Mapping[str, Any]] = {
    "BatchSize": 100,
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {"OnFailure": {}},
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1,
    "TumblingWindowInSeconds": 0,
}


@dataclass(frozen=True, slots=True)
class SourceKind:
    """What a kind takes. ``service`` is the word in its ARN; ``defaults`` are filled in when created.

    Best known: the defaults and reasons are those of LocalStack.
    """

    service: str
    title: str
    settings: frozenset[str]
    defaults: Mapping[str, Any]
    payload: records.Payload
    reason: str
    max_batch: int = 10_000
    metrics: frozenset[str] = frozenset({"EventCount"})
    """The groups of ``MetricsConfig`` it has. Source: the table of "Event source mapping metrics"."""
    metrics_missing: frozenset[str] = frozenset()
    """Those it has on AWS and not here."""
    pollers: PollerRange | None = None
    """What provisioned mode may be given; None without."""


SQS: Final = SourceKind(
    "sqs",
    "SQS",
    COMMON | {"ScalingConfig", "ProvisionedPollerConfig"},
    {"BatchSize": 10, "FunctionResponseTypes": [], "MaximumBatchingWindowInSeconds": 0},
    records.SQS,
    "USER_INITIATED",
    pollers=SQS_POLLERS,
)
KINESIS: Final = SourceKind(
    "kinesis",
    "Kinesis",
    COMMON | _STREAMS,
    _STREAM_DEFAULTS,
    records.KINESIS,
    "User action",
)
DYNAMODB: Final = SourceKind(
    "dynamodb",
    "DynamoDB",
    COMMON | _STREAMS,
    _STREAM_DEFAULTS,
    records.DYNAMODB,
    "User action",
)
_BROKERS: Final = frozenset({"SourceAccessConfigurations"})
_KAFKA: Final = frozenset(
    [
        *("StartingPosition", "StartingPositionTimestamp", "Topics", "DestinationConfig"),
        *("MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError", "MaximumRetryAttempts"),
        *("ProvisionedPollerConfig", "LoggingConfig"),
    ]
)
_KAFKA_DEFAULTS: Final[Mapping[str, Any]] = {
    "BatchSize": 100,
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {"OnFailure": {}},
    "FunctionResponseTypes": [],
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
}
"""Without ``MaximumBatchingWindowInSeconds``: AWS's default of 500 ms cannot be said in seconds."""
_KAFKA_METRICS: Final = frozenset({"ErrorCount", "KafkaMetrics"})
KAFKA: Final = SourceKind(
    SELF_MANAGED_KAFKA,
    "self-managed Apache Kafka",
    COMMON | _BROKERS | _KAFKA | {"SelfManagedEventSource", "SelfManagedKafkaEventSourceConfig"},
    _KAFKA_DEFAULTS,
    records.KAFKA,
    "USER_INITIATED",
    metrics_missing=_KAFKA_METRICS,
)
MSK: Final = SourceKind(
    "kafka",
    "Amazon MSK",
    COMMON | _BROKERS | _KAFKA | {"AmazonManagedKafkaEventSourceConfig"},
    _KAFKA_DEFAULTS,
    records.KAFKA,
    "USER_INITIATED",
    metrics_missing=_KAFKA_METRICS,
)
MQ: Final = SourceKind(
    "mq",
    "Amazon MQ",
    (COMMON | _BROKERS | {"Queues"}) - {"FunctionResponseTypes", "MetricsConfig"},
    {"BatchSize": 100},
    records.MQ,
    "USER_INITIATED",
)
BROKERS: Final = (KAFKA, MSK, MQ)
_KINDS: Final = {kind.service: kind for kind in (SQS, KINESIS, DYNAMODB, *BROKERS)}
TITLES: Final = tuple(kind.title for kind in _KINDS.values() if kind is not KAFKA)
"""Of those that are named by an ARN."""
SETTINGS: Final = frozenset().union(*(kind.settings for kind in _KINDS.values()))
"""What one kind or another takes on AWS."""
_OTHERS: Final = {
    "rds": "Amazon DocumentDB",
}


def kind_of(parameters: Mapping[str, Any], account_id: str, region: str) -> SourceKind:
    """The kind a creation asks for. ``account_id`` and ``region`` are the caller's.

    Raises ``InvalidParameterValueException`` for what is no source, 501 for one Lambent cannot poll. Source of the
    first text: LocalStack (best known).
    """
    if parameters.get("SelfManagedEventSource"):
        return KAFKA
    arn: str = parameters.get("EventSourceArn") or ""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise _unrecognized()
    if match["service"] in _OTHERS:
        raise not_yet(f"{_OTHERS[match['service']]} as an event source")
    kind = _KINDS.get(match["service"])
    if kind is None or not _names(kind, match["rest"]):
        raise _unrecognized()
    _check_place(kind, match, account_id, region)
    return kind


def stored_kind(arn: str | None) -> SourceKind:
    """The kind of a mapping that is there."""
    return _KINDS[source_service(arn)]


def is_fifo(arn: str) -> bool:
    """Whether a queue's ARN is that of a FIFO queue."""
    return arn.endswith(".fifo")


def _names(kind: SourceKind, rest: str) -> bool:
    if kind is SQS:
        return _QUEUE.fullmatch(rest) is not None
    if kind is KINESIS:
        if _CONSUMER.fullmatch(rest):
            raise not_yet("a consumer with enhanced fan-out as an event source")
        return _STREAM.fullmatch(rest) is not None
    if kind is MSK:
        return _CLUSTER.fullmatch(rest) is not None
    if kind is MQ:
        return _BROKER.fullmatch(rest) is not None
    return _TABLE_STREAM.fullmatch(rest) is not None


def _check_place(kind: SourceKind, match: "re.Match[str]", account_id: str, region: str) -> None:
    """AWS: a queue may be another account's, never another region's. Best known: no text is recorded."""
    if match["region"] != region:
        raise invalid_parameter(
            f"The event source {match[0]} and the function must be in the same region ({region})."
        )
    if kind is not SQS and match["account"] != account_id:
        raise invalid_parameter(
            f"The event source {match[0]} and the function must be in the same account ({account_id})."
        )


def _unrecognized() -> ClientFault:
    return invalid_parameter("Unrecognized event source.")
