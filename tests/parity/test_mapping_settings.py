"""Event source mappings: the settings of each kind of source, and what a kind does not take."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from lambent.model.event_source_mapping import SELF_MANAGED_KAFKA, EventSourceMapping
from lambent.testing.lambda_account import FUNCTION, QUEUE
from lambent.testing.lambda_api import NOW, LambdaApi
from lambent.testing.parity import API, INVALID, REPORTED, UUID, Case, Like, refused, seen

KEY = "arn:aws:kms:us-east-1:000000000000:key/k"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:s"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
MSK = "arn:aws:kafka:us-east-1:000000000000:cluster/c/0-0"
BROKER = "arn:aws:mq:us-east-1:000000000000:broker:b:b-1"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
ON_FAILURE = {"OnFailure": {"Destination": QUEUE}}
STREAM_SETTINGS: dict[str, Any] = {
    "BatchSize": 50,
    "ParallelizationFactor": 2,
    "MaximumRecordAgeInSeconds": 60,
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": 3,
    "TumblingWindowInSeconds": 10,
    "DestinationConfig": ON_FAILURE,
    "MetricsConfig": {"Metrics": ["EventCount"]},
}
REGISTRY = {
    "SchemaRegistryURI": "https://registry.example",
    "EventRecordFormat": "JSON",
    "AccessConfigs": [{"Type": "BASIC_AUTH", "URI": SECRET}],
    "SchemaValidationConfigs": [{"Attribute": "KEY"}],
}
ACCESS = [{"Type": "BASIC_AUTH", "URI": SECRET}]
ENDPOINTS = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["broker.example:9092"]}}
DOCUMENTS = {"DatabaseName": "db", "CollectionName": "c", "FullDocument": "Default"}
UNSUPPORTED: Mapping[str, Any] = {
    "ParallelizationFactor": 2,
    "MaximumRecordAgeInSeconds": 60,
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": 3,
    "TumblingWindowInSeconds": 10,
    "DestinationConfig": {"OnFailure": {"Destination": QUEUE}, "OnSuccess": {"Destination": QUEUE}},
    "SourceAccessConfigurations": ACCESS,
    "DocumentDBEventSourceConfig": DOCUMENTS,
    "AmazonManagedKafkaEventSourceConfig": {
        "ConsumerGroupId": "group",
        "SchemaRegistryConfig": REGISTRY,
    },
    "SelfManagedKafkaEventSourceConfig": {
        "ConsumerGroupId": "group",
        "ConsumptionMode": "Stream",
        "SchemaRegistryConfig": REGISTRY,
    },
    "LoggingConfig": {"SystemLogLevel": "INFO"},
}
"""What a queue's mapping does not take."""
QUOTED = seen("hashicorp/terraform-provider-aws#17888, aws/aws-cdk#17934")


class EverySource:
    """Sources of every kind, which are there."""

    kinds: Collection[str] = ("sqs", "kinesis", "dynamodb", "kafka", "mq", SELF_MANAGED_KAFKA)

    def describe(self, arn: str, account_id: str, region: str) -> Mapping[str, Any]:
        """Nothing to say of them."""
        del arn, account_id, region
        return {}

    def changed(self, mapping: EventSourceMapping) -> None:
        """Nothing is polled."""


def creating(**more: Any) -> dict[str, Any]:
    """The shape ``EventSourceMappingConfiguration`` of a new one."""
    shown = {
        "UUID": UUID,
        "FunctionArn": f"{FUNCTION}bare",
        "LastModified": NOW,
        "State": "Creating",
        "EventSourceMappingArn": Like(
            "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:[0-9a-f-]{36}"
        ),
    }
    return shown | more


CASES = [
    Case(
        "CreateEventSourceMapping",
        "with every setting of a stream",
        {
            "FunctionName": "bare",
            "EventSourceArn": STREAM,
            "StartingPosition": "AT_TIMESTAMP",
            "StartingPositionTimestamp": SINCE,
            **STREAM_SETTINGS,
        },
        API,
        creating(
            EventSourceArn=STREAM,
            StartingPosition="AT_TIMESTAMP",
            StartingPositionTimestamp=SINCE,
            MaximumBatchingWindowInSeconds=0,
            FunctionResponseTypes=[],
            LastProcessingResult="No records processed",
            StateTransitionReason="User action",
            **STREAM_SETTINGS,
        ),
        status=202,
    ).on(sources=EverySource()),
    Case(
        "CreateEventSourceMapping",
        "of a queue in provisioned mode",
        {
            "FunctionName": "bare",
            "EventSourceArn": QUEUE,
            "ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 5},
        },
        API,
        creating(
            EventSourceArn=QUEUE,
            BatchSize=10,
            MaximumBatchingWindowInSeconds=0,
            FunctionResponseTypes=[],
            StateTransitionReason="USER_INITIATED",
            ProvisionedPollerConfig={"MinimumPollers": 2, "MaximumPollers": 5},
        ),
        status=202,
    ),
    Case(
        "CreateEventSourceMapping",
        "of a broker",
        {
            "FunctionName": "bare",
            "EventSourceArn": BROKER,
            "Queues": ["queue"],
            "SourceAccessConfigurations": ACCESS,
        },
        API,
        creating(
            EventSourceArn=BROKER,
            BatchSize=100,
            Queues=["queue"],
            SourceAccessConfigurations=ACCESS,
            LastProcessingResult="No records processed",
            StateTransitionReason="USER_INITIATED",
        ),
        status=202,
    ).on(sources=EverySource()),
    *(
        refused(
            "CreateEventSourceMapping",
            f"of a queue with {member}",
            {"FunctionName": "bare", "EventSourceArn": QUEUE, member: value},
            QUOTED,
            INVALID,
            f"Unsupported '{member[0].lower()}{member[1:]}' parameter for given event source mapping "
            "type.",
        )
        for member, value in UNSUPPORTED.items()
    ),
    *(
        refused(
            "UpdateEventSourceMapping",
            f"of a queue with {member}",
            {"UUID": "<mapping>", member: value},
            QUOTED,
            INVALID,
            f"Unsupported '{member[0].lower()}{member[1:]}' parameter for given event source mapping "
            "type.",
        )
        for member, value in UNSUPPORTED.items()
    ),
    *(
        refused(
            operation,
            "with a key",
            {**least, "KMSKeyArn": KEY},
            "this platform's own refusal",
            "NotImplementedException",
            "Lambent does not support KMSKeyArn of an event source mapping yet, so it is refused "
            "rather than ignored. See docs/reference/fidelity.md.",
        )
        for operation, least in (
            ("CreateEventSourceMapping", {"FunctionName": "bare", "EventSourceArn": QUEUE}),
            ("UpdateEventSourceMapping", {"UUID": "<mapping>"}),
        )
    ),
    *(
        refused(
            operation,
            "with a group of pollers",
            {
                **least,
                "ProvisionedPollerConfig": {
                    "PollerGroupName": "group",
                    "MinimumPollers": 2,
                    "MaximumPollers": 5,
                },
                "MetricsConfig": {"Metrics": ["EventCount"]},
            },
            REPORTED,
            INVALID,
            "PollerGroupName is not valid for SQS event sources.",
        )
        for operation, least in (
            ("CreateEventSourceMapping", {"FunctionName": "bare", "EventSourceArn": QUEUE}),
            ("UpdateEventSourceMapping", {"UUID": "<mapping>"}),
        )
    ),
    refused(
        "CreateEventSourceMapping",
        "of no endpoints and a cluster",
        {
            "FunctionName": "bare",
            "EventSourceArn": MSK,
            "SelfManagedEventSource": ENDPOINTS,
            "Topics": ["topic"],
            "StartingPosition": "LATEST",
        },
        REPORTED,
        INVALID,
        "EventSourceArn is not valid with SelfManagedEventSource.",
    ).on(sources=EverySource()),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status and output, member for member, or code and message are AWS's."""
    case.check(api)
