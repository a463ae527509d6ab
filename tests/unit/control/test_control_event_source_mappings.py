"""Event source mappings: what is accepted with which defaults, what is refused in which words, how states move."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from lambent.control.event_source_states import moved, record_result, settle
from lambent.control.plane import ControlPlane
from lambent.model.errors import AwsError, ClientFault, PlatformFault
from lambent.model.event_source_mapping import (
    TRANSITIONS,
    EventSourceMapping,
    MappingEvent,
    MappingState,
)

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
FIFO = QUEUE + ".fifo"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026-01-01T00:00:00.000"
CREATE, GET = "CreateEventSourceMapping", "GetEventSourceMapping"
UPDATE, DELETE = "UpdateEventSourceMapping", "DeleteEventSourceMapping"
LIST = "ListEventSourceMappings"
INVALID, NOT_YET = "InvalidParameterValueException", "NotImplementedException"
LATEST: dict[str, Any] = {"EventSourceArn": STREAM, "StartingPosition": "LATEST"}


@dataclass
class FakeSources:
    """Sources of every kind; queues have a visibility timeout of 30 s."""

    kinds: tuple[str, ...] = ("sqs", "kinesis", "dynamodb")
    facts: dict[str, Any] = field(default_factory=lambda: {"VisibilityTimeout": 30})
    error: AwsError | None = None
    told: list[EventSourceMapping] = field(default_factory=list)

    def describe(self, arn: str, account_id: str, region: str) -> Mapping[str, Any]:
        """The same of each."""
        if self.error is not None:
            raise self.error
        return self.facts if ":sqs:" in arn else {}

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
    return replace(plane, sources=sources, destination_services=("lambda", "sqs"))


@pytest.fixture
def client(client: Any) -> Any:
    """With a function ``f`` there."""
    client.create()
    return client


def arrive(client: Any, sources: FakeSources) -> None:
    """What the pollers' registry does of the last change."""
    seen = sources.told[-1]
    polls = seen.enabled and seen.state is not MappingState.DELETING
    event = MappingEvent.POLLER_STARTED if polls else MappingEvent.POLLER_STOPPED
    settle(client.plane, seen.uuid, event, seen)


def refused(client: Any, operation: str, **parameters: Any) -> ClientFault:
    """The error of an operation."""
    with pytest.raises(ClientFault) as raised:
        client(operation, **parameters)
    return raised.value


def test_a_queue_gets_awss_defaults(client: Any, sources: FakeSources) -> None:
    """Of a queue: batches of 10, no window; Creating, told to the registry, and shown the same again."""
    result = client.result(CREATE, FunctionName="f", EventSourceArn=QUEUE)
    assert result.status == 202
    shown = dict(result.output)
    assert sources.told[-1].uuid == shown["UUID"]
    assert client(GET, UUID=shown["UUID"]) == shown
    arn = f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{shown.pop('UUID')}"
    assert shown == {
        "BatchSize": 10,
        "EventSourceArn": QUEUE,
        "EventSourceMappingArn": arn,
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "FunctionResponseTypes": [],
        "LastModified": client.plane.clock(),
        "MaximumBatchingWindowInSeconds": 0,
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }


@pytest.mark.parametrize("arn", [STREAM, TABLE])
def test_a_stream_gets_awss_defaults(client: Any, arn: str) -> None:
    """Of a stream: batches of 100, for ever tried again, nothing bisected."""
    shown = client(CREATE, FunctionName="f", EventSourceArn=arn, StartingPosition="TRIM_HORIZON")
    kept = {"UUID", "EventSourceArn", "EventSourceMappingArn", "FunctionArn", "LastModified"}
    assert {name: value for name, value in shown.items() if name not in kept} == {
        "BatchSize": 100,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}},
        "FunctionResponseTypes": [],
        "LastProcessingResult": "No records processed",
        "MaximumBatchingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "ParallelizationFactor": 1,
        "StartingPosition": "TRIM_HORIZON",
        "State": "Creating",
        "StateTransitionReason": "User action",
        "TumblingWindowInSeconds": 0,
    }


def test_a_timestamp_comes_back_as_it_was_given(client: Any) -> None:
    """StartingPositionTimestamp survives the records."""
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    given = {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": when}
    made = client(CREATE, FunctionName="f", EventSourceArn=STREAM, **given)
    assert client(GET, UUID=made["UUID"])["StartingPositionTimestamp"] == when


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({}, INVALID, "Unrecognized event source."),
        ({"EventSourceArn": "arn:aws:s3:::bucket"}, INVALID, "Unrecognized event source."),
        ({"EventSourceArn": QUEUE + "/x"}, INVALID, "Unrecognized event source."),
        (
            {
                "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["h:1"]}},
                "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "x"}],
            },
            NOT_YET,
            "Apache Kafka",
        ),
        (
            {"EventSourceArn": "arn:aws:kafka:us-east-1:000000000000:cluster/c/u-1"},
            NOT_YET,
            "Amazon MSK",
        ),
        (
            {"EventSourceArn": "arn:aws:mq:us-east-1:000000000000:broker:b:b-1"},
            NOT_YET,
            "Amazon MQ",
        ),
        ({"EventSourceArn": "arn:aws:rds:us-east-1:0:cluster:c"}, NOT_YET, "Amazon DocumentDB"),
        ({"EventSourceArn": STREAM + "/consumer/c:1"}, NOT_YET, "enhanced fan-out"),
        ({"EventSourceArn": QUEUE.replace("us-east-1", "eu-west-1")}, INVALID, "same region"),
        (
            LATEST | {"EventSourceArn": STREAM.replace("000000000000", "111111111111")},
            INVALID,
            "same account",
        ),
        ({"EventSourceArn": QUEUE, "FunctionName": "x"}, INVALID, "Function does not exist"),
        ({"EventSourceArn": QUEUE, "FunctionName": "f:no"}, INVALID, "Function does not exist"),
        (
            {"EventSourceArn": QUEUE, "BatchSize": 11},
            INVALID,
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ),
        ({"EventSourceArn": FIFO, "BatchSize": 11}, INVALID, "maximum for FIFO queues is 10"),
        (
            {"EventSourceArn": FIFO, "MaximumBatchingWindowInSeconds": 1},
            INVALID,
            "Batching window is not supported for FIFO queues",
        ),
        (
            {"EventSourceArn": QUEUE, "StartingPosition": "LATEST"},
            INVALID,
            "StartingPosition is not valid for SQS event sources.",
        ),
        *(
            (
                {"EventSourceArn": QUEUE, member: value},
                INVALID,
                (
                    f"Unsupported '{member[0].lower()}{member[1:]}' parameter for given event "
                    "source mapping type."
                ),
            )
            for member, value in (
                ("ParallelizationFactor", 2),
                ("BisectBatchOnFunctionError", True),
                ("MaximumRetryAttempts", 1),
                ("MaximumRecordAgeInSeconds", 60),
                ("TumblingWindowInSeconds", 1),
                ("DestinationConfig", {"OnFailure": {"Destination": FIFO}}),
                ("Topics", ["t"]),
                ("Queues", ["q"]),
                ("SourceAccessConfigurations", [{"Type": "BASIC_AUTH", "URI": "x"}]),
                ("AmazonManagedKafkaEventSourceConfig", {"ConsumerGroupId": "x"}),
                ("DocumentDBEventSourceConfig", {"DatabaseName": "x"}),
            )
        ),
        *(
            ({"EventSourceArn": QUEUE, member: value}, NOT_YET, member)
            for member, value in (("KMSKeyArn", "arn:aws:kms:us-east-1:000000000000:key/k"),)
        ),
        *(
            ({"EventSourceArn": QUEUE} | given, INVALID, text)
            for given, text in (
                ({"LoggingConfig": {"SystemLogLevel": "INFO"}}, "Unsupported 'loggingConfig'"),
                ({"MetricsConfig": {"Metrics": ["ErrorCount"]}}, "The metric ErrorCount"),
                ({"ProvisionedPollerConfig": {"MinimumPollers": 1}}, "between 2 and 10000"),
                ({"ProvisionedPollerConfig": {"MaximumPollers": 1}}, "between 2 and 10000"),
                (
                    {"ProvisionedPollerConfig": {"MinimumPollers": 9, "MaximumPollers": 8}},
                    "MinimumPollers must be less than or equal to MaximumPollers.",
                ),
                ({"ProvisionedPollerConfig": {"PollerGroupName": "g"}}, "PollerGroupName is not"),
                (
                    {
                        "ProvisionedPollerConfig": {"MinimumPollers": 2},
                        "ScalingConfig": {"MaximumConcurrency": 2},
                    },
                    "You cannot use the maximum concurrency setting and provisioned mode",
                ),
            )
        ),
        (
            LATEST | {"ProvisionedPollerConfig": {"MinimumPollers": 2}},
            INVALID,
            "Unsupported 'provisionedPollerConfig'",
        ),
        (
            {"EventSourceArn": QUEUE, "FilterCriteria": {"Filters": [{"Pattern": "no"}]}},
            INVALID,
            "Invalid filter pattern definition.",
        ),
        (
            {"EventSourceArn": QUEUE, "FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 6}},
            INVALID,
            "Invalid filter pattern definition.",
        ),
        (
            {"EventSourceArn": STREAM},
            INVALID,
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint",
        ),
        (
            {"EventSourceArn": TABLE, "StartingPosition": "AT_TIMESTAMP"},
            INVALID,
            f"Unsupported starting position for arn type: {TABLE}",
        ),
        (LATEST | {"StartingPosition": "AT_TIMESTAMP"}, INVALID, "StartingPositionTimestamp"),
        (
            LATEST | {"StartingPositionTimestamp": datetime.now(UTC)},
            INVALID,
            "Timestamp only valid with StartingPosition AT_TIMESTAMP",
        ),
        (
            LATEST
            | {
                "StartingPosition": "AT_TIMESTAMP",
                "StartingPositionTimestamp": datetime(1960, 1, 1, tzinfo=UTC),
            },
            INVALID,
            (
                "Received Exception while reading from provided stream. class java.lang.Long can not "
                "be converted to a Timestamp"
            ),
        ),
        (
            LATEST | {"ScalingConfig": {"MaximumConcurrency": 2}},
            INVALID,
            "Unsupported 'scalingConfig'",
        ),
        (LATEST | {"MaximumRecordAgeInSeconds": 59}, INVALID, "between 60 and 604800"),
        (
            LATEST | {"DestinationConfig": {"OnSuccess": {"Destination": QUEUE}}},
            INVALID,
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        (
            LATEST | {"DestinationConfig": {"OnFailure": {"Destination": FIFO}}},
            INVALID,
            f"onFailure=OnFailure(destination={FIFO})) is invalid.",
        ),
        (
            LATEST | {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::bucket"}}},
            NOT_YET,
            "arn:aws:s3:::bucket",
        ),
        ({"EventSourceArn": QUEUE, "Tags": {"aws:x": "y"}}, INVALID, "aws: prefixed"),
    ],
)
def test_what_is_refused_has_awss_words(
    client: Any, sources: FakeSources, given: dict[str, Any], code: str, text: str
) -> None:
    """Each kind refuses what does not suit it; nothing is recorded and nobody is told."""
    error = refused(client, CREATE, **({"FunctionName": "f"} | given))
    assert (error.code, text in error.message) == (code, True), error.message
    assert sources.told == []
    assert client(LIST)["EventSourceMappings"] == []


def test_a_kind_nobody_polls_is_refused(client: Any, sources: FakeSources) -> None:
    """A mapping that could never be Enabled is not made."""
    sources.kinds = ("sqs",)
    error = refused(client, CREATE, FunctionName="f", **LATEST)
    assert (error.code, "Kinesis" in error.message) == (NOT_YET, True)


def test_the_source_has_its_say(client: Any, sources: FakeSources) -> None:
    """A queue that is not there, may not be read, or is visible too soon is refused; a fault stays one."""
    sources.facts = {"VisibilityTimeout": 2}
    assert refused(client, CREATE, FunctionName="f", EventSourceArn=QUEUE).message == (
        "Queue visibility timeout: 2 seconds is less than Function timeout: 3 seconds"
    )
    sources.error = ClientFault("QueueDoesNotExist", "The specified queue does not exist.")
    assert refused(client, CREATE, FunctionName="f", EventSourceArn=QUEUE).message == (
        "Error occurred while ReceiveMessage. SQS Error Code: "
        "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist."
    )
    assert refused(client, CREATE, FunctionName="f", **LATEST).message == (
        f"Stream not found: {STREAM}"
    )
    sources.error = ClientFault("AccessDeniedException", "no", 403)
    denied = refused(client, CREATE, FunctionName="f", EventSourceArn=QUEUE)
    assert "does not have permissions to call ReceiveMessage on SQS" in denied.message
    sources.error = PlatformFault("later", status=503)
    with pytest.raises(PlatformFault):
        client(CREATE, FunctionName="f", EventSourceArn=QUEUE)


def test_a_source_and_a_function_have_one_mapping(client: Any, sources: FakeSources) -> None:
    """The same again is a conflict, in the words of its kind; an alias is another function."""
    first = client(CREATE, FunctionName="f", EventSourceArn=QUEUE)["UUID"]
    again = refused(client, CREATE, FunctionName="f", EventSourceArn=QUEUE)
    assert (again.code, again.status) == ("ResourceConflictException", 409)
    assert again.message == (
        f'An event source mapping with SQS arn (" {QUEUE} ") and function (" f ") already exists. '
        f"Please update or delete the existing mapping with UUID {first}"
    )
    second = client(CREATE, FunctionName="f", **LATEST)["UUID"]
    assert refused(client, CREATE, FunctionName="f", **LATEST).message == (
        f'The event source arn (" {STREAM} ") and function (" f ") provided mapping already exists. '
        f"Please update or delete the existing mapping with UUID {second}"
    )
    client("PublishVersion", FunctionName="f")
    client("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    third = client(CREATE, FunctionName="f:live", EventSourceArn=QUEUE)
    assert third["FunctionArn"].endswith(":function:f:live")
    arrive(client, sources)
    moved_there = refused(client, UPDATE, UUID=third["UUID"], FunctionName="f")
    assert moved_there.code == "ResourceConflictException"


def test_lists_are_filtered_and_paged(client: Any) -> None:
    """By function as it is named, by source, a page at a time; what another account has is not there."""
    client.create("g")
    client("PublishVersion", FunctionName="f")
    client(CREATE, FunctionName="f", EventSourceArn=QUEUE)
    client(CREATE, FunctionName="f:1", EventSourceArn=QUEUE)
    client(CREATE, FunctionName="f", EventSourceArn=FIFO)
    client(CREATE, FunctionName="g", EventSourceArn=QUEUE)

    def count(**parameters: Any) -> int:
        return len(client(LIST, **parameters)["EventSourceMappings"])

    assert count() == 4
    assert (count(FunctionName="f"), count(FunctionName="f:1")) == (2, 1)
    assert count(EventSourceArn=QUEUE) == 3
    assert count(FunctionName="f", EventSourceArn=FIFO) == 1
    page = client(LIST, MaxItems=3)
    assert len(page["EventSourceMappings"]) == 3
    assert count(Marker=page["NextMarker"]) == 1
    assert refused(client, LIST, FunctionName="x").code == "ResourceNotFoundException"
    client.account_id = "111111111111"
    assert count() == 0


def test_a_mapping_outlives_its_function(client: Any) -> None:
    """As on AWS: deleting a function leaves its mappings, which can still be listed."""
    made = client(CREATE, FunctionName="f", EventSourceArn=QUEUE)["UUID"]
    client("DeleteFunction", FunctionName="f")
    assert client(GET, UUID=made)["UUID"] == made
    assert len(client(LIST, FunctionName="f")["EventSourceMappings"]) == 1


def test_life_goes_by_the_table(client: Any, sources: FakeSources) -> None:
    """Creating, Enabled, Disabling, Disabled, Enabling, Updating, Deleting, gone: none while on its way."""
    made = client(CREATE, FunctionName="f", EventSourceArn=QUEUE, Tags={"a": "b"})
    mapping = {"UUID": made["UUID"]}
    busy = refused(client, UPDATE, **mapping, BatchSize=2)
    assert (busy.code, busy.status) == ("ResourceInUseException", 400)
    assert busy.message == "Cannot update the event source mapping because it is in use."
    assert refused(client, DELETE, **mapping).message == (
        "Cannot delete the event source mapping because it is in use."
    )
    arrive(client, sources)
    steps: list[tuple[str, dict[str, Any], str, str]] = [
        (UPDATE, {"Enabled": True}, "Enabled", "Enabled"),
        (UPDATE, {"Enabled": False}, "Disabling", "Disabled"),
        (UPDATE, {"BatchSize": 3}, "Updating", "Disabled"),
        (UPDATE, {"Enabled": True}, "Enabling", "Enabled"),
        (UPDATE, {"BatchSize": 4}, "Updating", "Enabled"),
        (UPDATE, {"Enabled": False, "BatchSize": 5}, "Disabling", "Disabled"),
        (UPDATE, {"Enabled": True, "BatchSize": 6}, "Updating", "Enabled"),
    ]
    assert client(GET, **mapping)["State"] == "Enabled"
    for operation, given, on_the_way, arrived in steps:
        result = client.result(operation, **mapping, **given)
        assert (result.status, result.output["State"]) == (202, on_the_way)
        arrive(client, sources)
        assert client(GET, **mapping)["State"] == arrived
    assert client(GET, **mapping)["BatchSize"] == 6
    assert client("ListTags", Resource=made["EventSourceMappingArn"])["Tags"] == {"a": "b"}
    assert client(DELETE, **mapping)["State"] == "Deleting"
    arrive(client, sources)
    for operation in (GET, UPDATE, DELETE):
        gone = refused(client, operation, **mapping)
        assert gone.message == "The resource you requested does not exist."
    assert refused(client, "ListTags", Resource=made["EventSourceMappingArn"]).status == 404


def test_a_disabled_one_is_created_disabled(client: Any, sources: FakeSources) -> None:
    """Enabled=False leads from Creating to Disabled."""
    made = client(CREATE, FunctionName="f", EventSourceArn=QUEUE, Enabled=False)["UUID"]
    arrive(client, sources)
    assert client(GET, UUID=made)["State"] == "Disabled"


def test_word_of_an_older_record_moves_nothing(client: Any, sources: FakeSources) -> None:
    """What the registry did for a record that has changed since is not taken for the new one's."""
    made = client(CREATE, FunctionName="f", EventSourceArn=QUEUE)["UUID"]
    arrive(client, sources)
    client(UPDATE, UUID=made, BatchSize=2)
    old = sources.told[-1]
    arrive(client, sources)
    client(UPDATE, UUID=made, BatchSize=3)
    assert settle(client.plane, made, MappingEvent.POLLER_STARTED, old) is None
    assert client(GET, UUID=made)["State"] == "Updating"
    record_result(client.plane, made, "OK")
    arrive(client, sources)
    shown = client(GET, UUID=made)
    assert (shown["State"], shown["LastProcessingResult"]) == ("Enabled", "OK")


def test_updates_put_in_place_and_take_away(client: Any, sources: FakeSources) -> None:
    """What is given replaces; an empty structure takes a setting away; the whole is checked together."""
    made = client(
        CREATE,
        FunctionName="f",
        EventSourceArn=QUEUE,
        ScalingConfig={"MaximumConcurrency": 2},
        FilterCriteria={"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]},
        BatchSize=100,
        MaximumBatchingWindowInSeconds=5,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    arrive(client, sources)
    error = refused(client, UPDATE, UUID=made["UUID"], MaximumBatchingWindowInSeconds=0)
    assert "Maximum batch window" in error.message
    client(UPDATE, UUID=made["UUID"], ScalingConfig={}, FilterCriteria={}, FunctionResponseTypes=[])
    arrive(client, sources)
    shown = client(GET, UUID=made["UUID"])
    assert not {"ScalingConfig", "FilterCriteria"} & set(shown)
    assert (shown["FunctionResponseTypes"], shown["BatchSize"]) == ([], 100)


def test_provisioned_mode_takes_the_place_of_maximum_concurrency(
    client: Any, sources: FakeSources
) -> None:
    """What is left out is AWS's default; the two do not go together, also one after the other; empty ends it."""
    made = client(
        CREATE,
        FunctionName="f",
        EventSourceArn=QUEUE,
        ProvisionedPollerConfig={"MaximumPollers": 7},
        MetricsConfig={"Metrics": ["EventCount", "EventCount"]},
    )
    assert made["ProvisionedPollerConfig"] == {"MinimumPollers": 2, "MaximumPollers": 7}
    assert made["MetricsConfig"] == {"Metrics": ["EventCount"]}
    arrive(client, sources)
    capped = {"ScalingConfig": {"MaximumConcurrency": 2}}
    assert "provisioned mode" in refused(client, UPDATE, UUID=made["UUID"], **capped).message
    shown = client(
        UPDATE, UUID=made["UUID"], ProvisionedPollerConfig={}, MetricsConfig={}, **capped
    )
    assert not {"ProvisionedPollerConfig", "MetricsConfig"} & set(shown)
    arrive(client, sources)
    anew = {"MinimumPollers": 5}
    shown = client(UPDATE, UUID=made["UUID"], ProvisionedPollerConfig=anew, ScalingConfig={})
    assert shown["ProvisionedPollerConfig"] == {"MinimumPollers": 5, "MaximumPollers": 200}


def test_tags_are_the_mappings_own(client: Any, sources: FakeSources) -> None:
    """TagResource, ListTags and UntagResource take a mapping's ARN, of the caller's account only."""
    arn = client(CREATE, FunctionName="f", EventSourceArn=QUEUE)["EventSourceMappingArn"]
    client("TagResource", Resource=arn, Tags={"x": "1", "y": "2"})
    client("UntagResource", Resource=arn, TagKeys=["x"])
    assert client("ListTags", Resource=arn)["Tags"] == {"y": "2"}
    client.account_id = "111111111111"
    assert refused(client, "ListTags", Resource=arn).code == "ResourceNotFoundException"


@pytest.mark.parametrize(("state", "event"), list(product(MappingState, MappingEvent)))
def test_every_move_is_in_the_table_or_refused(state: MappingState, event: MappingEvent) -> None:
    """A move leads where the table says; one it has not is AWS's ResourceInUseException."""
    mapping = EventSourceMapping(
        "u", "0", "r", "f", QUEUE, True, state, "", 0.0, "", {}
    )  # fmt: skip
    if event in TRANSITIONS[state]:
        assert moved(mapping, event) == replace(mapping, state=TRANSITIONS[state][event])
    else:
        with pytest.raises(ClientFault, match="because it is in use"):
            moved(mapping, event)
