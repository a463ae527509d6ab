"""Mappings of Kafka and RabbitMQ: what is accepted with which defaults, what is refused, what an update leaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lambent.control.event_source_states import settle
from lambent.control.plane import ControlPlane
from lambent.model.errors import AwsError, ClientFault, not_found, not_yet
from lambent.model.event_source_mapping import EventSourceMapping, MappingEvent

CREATE, GET = "CreateEventSourceMapping", "GetEventSourceMapping"
UPDATE, LIST = "UpdateEventSourceMapping", "ListEventSourceMappings"
INVALID, NOT_YET = "InvalidParameterValueException", "NotImplementedException"
CONFLICT = "ResourceConflictException"
PLACE = "us-east-1:000000000000"
CLUSTER = f"arn:aws:kafka:{PLACE}:cluster/orders/751d2973-a626-431c-9d4e-d7975eb44dd7-2"
BROKER = f"arn:aws:mq:{PLACE}:broker:test:b-9bcfa592-423a-4942-879d-eb284b418fc8"
SECRET = f"arn:aws:secretsmanager:{PLACE}:secret:broker-AbCdEf"
GROUP = "SelfManagedKafkaEventSourceConfig"
SERVERS = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["h1:9092", "h2:9092"]}}
KAFKA: dict[str, Any] = {
    "SelfManagedEventSource": SERVERS,
    "Topics": ["orders"],
    "StartingPosition": "TRIM_HORIZON",
}
MSK: dict[str, Any] = {
    "EventSourceArn": CLUSTER,
    "Topics": ["orders"],
    "StartingPosition": "LATEST",
}
RABBIT: dict[str, Any] = {
    "EventSourceArn": BROKER,
    "Queues": ["orders"],
    "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": SECRET}],
}


def access(*types: str, uri: str = SECRET) -> dict[str, Any]:
    """``SourceAccessConfigurations`` of these types."""
    return {"SourceAccessConfigurations": [{"Type": each, "URI": uri} for each in types]}


@dataclass
class FakeSources:
    """Sources that are all there, unless told otherwise."""

    kinds: tuple[str, ...] = ("self-managed-kafka", "kafka", "mq")
    error: AwsError | None = None
    asked: list[str] = field(default_factory=list)
    told: list[EventSourceMapping] = field(default_factory=list)

    def describe(self, arn: str, account_id: str, region: str) -> Mapping[str, Any]:
        """Nothing of note."""
        self.asked.append(arn)
        if self.error is not None:
            raise self.error
        return {}

    def changed(self, mapping: EventSourceMapping) -> None:
        """Remembers."""
        self.told.append(mapping)


@pytest.fixture
def sources() -> FakeSources:
    """What the control plane tells, and asks."""
    return FakeSources()


@pytest.fixture
def plane(plane: ControlPlane, sources: FakeSources) -> ControlPlane:
    """A control plane with sources to poll, and SQS to send failures to."""
    return replace(plane, sources=sources, destination_services=("sqs",))


@pytest.fixture
def client(client: Any) -> Any:
    """With functions ``f`` and ``g`` there."""
    client.create()
    client.create("g")
    return client


def make(client: Any, sources: FakeSources, given: Mapping[str, Any], function: str = "f") -> Any:
    """A mapping that is Enabled."""
    made = client(CREATE, FunctionName=function, **given)
    seen = sources.told[-1]
    settle(client.plane, seen.uuid, MappingEvent.POLLER_STARTED, seen)
    return made


def refused(client: Any, operation: str, **parameters: Any) -> ClientFault:
    """The error of an operation."""
    with pytest.raises(ClientFault) as raised:
        client(operation, **parameters)
    return raised.value


def test_self_managed_kafka_gets_awss_defaults(client: Any, sources: FakeSources) -> None:
    """No ARN; batches of 100, a window that cannot be said in seconds, the UUID as the consumer group."""
    shown = client(CREATE, FunctionName="f", **KAFKA)
    assert client(GET, UUID=shown["UUID"]) == shown
    kept = {"EventSourceMappingArn", "FunctionArn", "LastModified"}
    assert {name: value for name, value in shown.items() if name not in kept} == {
        "UUID": shown["UUID"],
        "EventSourceArn": None,
        "BatchSize": 100,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}},
        "FunctionResponseTypes": [],
        "LastProcessingResult": "No records processed",
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "SelfManagedEventSource": SERVERS,
        GROUP: {"ConsumerGroupId": shown["UUID"]},
        "StartingPosition": "TRIM_HORIZON",
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
        "Topics": ["orders"],
    }
    assert sources.asked == [""]


def test_rabbitmq_gets_awss_defaults(client: Any) -> None:
    """Batches of 100; nothing of streams."""
    shown = client(CREATE, FunctionName="f", **RABBIT)
    assert shown["BatchSize"] == 100
    assert shown["Queues"] == ["orders"]
    assert not {"StartingPosition", "FunctionResponseTypes", "DestinationConfig"} & set(shown)


def test_a_listing_by_source_finds_only_that_source(client: Any, sources: FakeSources) -> None:
    """Mappings without an ARN are listed, but not as any source's."""
    make(client, sources, KAFKA)
    made = make(client, sources, RABBIT)
    assert len(client(LIST)["EventSourceMappings"]) == 2
    found = client(LIST, EventSourceArn=BROKER)["EventSourceMappings"]
    assert [each["UUID"] for each in found] == [made["UUID"]]


@pytest.mark.parametrize(
    "given",
    [
        KAFKA | access("SASL_SCRAM_512_AUTH", "SERVER_ROOT_CA_CERTIFICATE"),
        KAFKA | access("SASL_SCRAM_256_AUTH"),
        KAFKA | access("BASIC_AUTH"),
        KAFKA | access("CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE"),
        KAFKA | {"FunctionResponseTypes": ["ReportBatchItemFailures"], "MaximumRetryAttempts": 3},
        KAFKA | {GROUP: {"ConsumerGroupId": "mine", "ConsumptionMode": "Stream"}},
        KAFKA | {"DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:sqs:{PLACE}:dead"}}},
        KAFKA | {"FilterCriteria": {"Filters": [{"Pattern": '{"value": {"kind": ["a"]}}'}]}},
        MSK | access("SASL_SCRAM_512_AUTH"),
        RABBIT | {"FilterCriteria": {"Filters": [{"Pattern": '{"data": ["word"]}'}]}},
    ],
)
def test_what_brokers_take_is_kept(client: Any, given: dict[str, Any]) -> None:
    """What is accepted is shown again."""
    shown = client(CREATE, FunctionName="f", **given)
    for name, value in given.items():
        assert shown[name] == value


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        (KAFKA | {"EventSourceArn": CLUSTER}, INVALID, "EventSourceArn is not valid"),
        (KAFKA | {"SelfManagedEventSource": {"Endpoints": {}}}, INVALID, "KAFKA_BOOTSTRAP_SERVERS"),
        (KAFKA | {"Topics": None}, INVALID, "Topics is required"),
        (KAFKA | {"StartingPosition": None}, INVALID, "startingPosition"),
        (KAFKA | {"StartingPosition": "AT_TIMESTAMP"}, INVALID, "StartingPositionTimestamp"),
        (KAFKA | {"ParallelizationFactor": 2}, INVALID, "Unsupported 'parallelizationFactor'"),
        (KAFKA | {"TumblingWindowInSeconds": 2}, INVALID, "Unsupported 'tumblingWindowInSeconds'"),
        (KAFKA | {"Queues": ["q"]}, INVALID, "Unsupported 'queues'"),
        (KAFKA | {"MaximumRecordAgeInSeconds": 59}, INVALID, "between 60 and 604800"),
        (KAFKA | access("VIRTUAL_HOST"), INVALID, "VIRTUAL_HOST is not valid"),
        (KAFKA | access("VPC_SUBNET"), NOT_YET, "VPC_SUBNET"),
        (KAFKA | access("OAUTHBEARER_AUTH"), NOT_YET, "OAUTHBEARER_AUTH"),
        (KAFKA | access("BASIC_AUTH", uri="no-secret"), INVALID, "no-secret is not the ARN"),
        (KAFKA | access("BASIC_AUTH", "BASIC_AUTH"), INVALID, "more than one"),
        (KAFKA | access("BASIC_AUTH", "SASL_SCRAM_512_AUTH"), INVALID, "more than one"),
        (KAFKA | access("BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH"), INVALID, "more than one"),
        (
            KAFKA | {"DestinationConfig": {"OnFailure": {"Destination": "kafka://dead"}}},
            NOT_YET,
            "kafka://dead",
        ),
        (KAFKA | {"ProvisionedPollerConfig": {"MinimumPollers": 1}}, NOT_YET, "Provisioned"),
        (KAFKA | {"LoggingConfig": {"SystemLogLevel": "INFO"}}, NOT_YET, "LoggingConfig"),
        (KAFKA | {"MetricsConfig": {"Metrics": ["KafkaMetrics"]}}, NOT_YET, "KafkaMetrics"),
        (KAFKA | {GROUP: {"ConsumptionMode": "Queue"}}, NOT_YET, "ConsumptionMode"),
        (
            KAFKA | {GROUP: {"SchemaRegistryConfig": {"SchemaRegistryURI": "https://r"}}},
            NOT_YET,
            "SchemaRegistryConfig",
        ),
        (
            KAFKA | {"FilterCriteria": {"Filters": [{"Pattern": "no"}]}},
            INVALID,
            "Invalid filter pattern definition.",
        ),
        (MSK | access("BASIC_AUTH"), INVALID, "BASIC_AUTH is not valid"),
        (
            MSK | {GROUP: {"ConsumerGroupId": "g"}},
            INVALID,
            f"Unsupported '{GROUP[0].lower()}{GROUP[1:]}'",
        ),
        (MSK | {"EventSourceArn": CLUSTER.replace("0000", "1111")}, INVALID, "same account"),
        (RABBIT | {"Queues": None}, INVALID, "Queues is required"),
        (RABBIT | {"SourceAccessConfigurations": None}, INVALID, "must have BASIC_AUTH"),
        (RABBIT | access("VIRTUAL_HOST", uri="/"), INVALID, "must have BASIC_AUTH"),
        (RABBIT | {"StartingPosition": "LATEST"}, INVALID, "Unsupported 'startingPosition'"),
        (RABBIT | {"EventSourceArn": BROKER.replace(":b-", "/")}, INVALID, "Unrecognized"),
    ],
)
def test_what_brokers_do_not_take_is_refused(
    client: Any, sources: FakeSources, given: dict[str, Any], code: str, text: str
) -> None:
    """Each kind refuses what does not suit it; nothing is recorded and nobody is told."""
    error = refused(client, CREATE, **({"FunctionName": "f"} | given))
    assert (error.code, text in error.message) == (code, True), error.message
    assert sources.told == []
    assert client(LIST)["EventSourceMappings"] == []


def test_a_source_that_is_not_there_is_refused(client: Any, sources: FakeSources) -> None:
    """What the broker's API says is passed on; a client that is not installed stays 501."""
    sources.error = not_found("no such broker")
    error = refused(client, CREATE, FunctionName="f", **RABBIT)
    assert (error.code, "no such broker" in error.message) == (INVALID, True)
    sources.error = not_yet("RabbitMQ without the group rabbitmq")
    assert refused(client, CREATE, FunctionName="f", **RABBIT).code == NOT_YET


def test_a_topic_is_mapped_to_a_function_once(client: Any, sources: FakeSources) -> None:
    """The same topic again for a function, or the same group again for any, conflicts; others do not."""
    made = make(client, sources, KAFKA | {GROUP: {"ConsumerGroupId": "mine"}})
    error = refused(client, CREATE, FunctionName="f", **KAFKA)
    assert (error.code, made["UUID"] in error.message) == (CONFLICT, True)
    shared = KAFKA | {GROUP: {"ConsumerGroupId": "mine"}}
    assert refused(client, CREATE, FunctionName="g", **shared).code == CONFLICT
    make(client, sources, KAFKA, "g")
    make(client, sources, KAFKA | {"Topics": ["others"]})


def test_a_queue_is_mapped_to_a_function_once(client: Any, sources: FakeSources) -> None:
    """Of one broker several queues may be mapped to a function, each of them once."""
    make(client, sources, RABBIT)
    make(client, sources, RABBIT | {"Queues": ["others"]})
    assert refused(client, CREATE, FunctionName="f", **RABBIT).code == CONFLICT


def test_an_update_keeps_what_cannot_be_changed(client: Any, sources: FakeSources) -> None:
    """Consumer group and virtual host stay as they were made, whatever else is given."""
    made = make(client, sources, KAFKA)
    shown = client(UPDATE, UUID=made["UUID"], BatchSize=5, **access("BASIC_AUTH"))
    assert shown[GROUP] == {"ConsumerGroupId": made["UUID"]}
    assert (shown["BatchSize"], shown["Topics"]) == (5, ["orders"])
    seen = sources.told[-1]
    settle(client.plane, seen.uuid, MappingEvent.POLLER_STARTED, seen)
    error = refused(client, UPDATE, UUID=made["UUID"], **{GROUP: {"ConsumerGroupId": "other"}})
    assert (error.code, "ConsumerGroupId" in error.message) == (INVALID, True)

    host = {"Type": "VIRTUAL_HOST", "URI": "/orders"}
    basic = {"Type": "BASIC_AUTH", "URI": SECRET}
    made = make(client, sources, RABBIT | {"SourceAccessConfigurations": [basic, host]})
    error = refused(client, UPDATE, UUID=made["UUID"], **access("BASIC_AUTH", "VIRTUAL_HOST"))
    assert (error.code, "VIRTUAL_HOST" in error.message) == (INVALID, True)
    other = basic | {"URI": SECRET + "2"}
    shown = client(UPDATE, UUID=made["UUID"], SourceAccessConfigurations=[other])
    assert shown["SourceAccessConfigurations"] == [other, host]
