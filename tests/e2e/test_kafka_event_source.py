"""Self-managed Kafka driving functions: a mock cluster with the real protocol, end to end with boto3."""

import base64
import json
import os
import signal
import textwrap
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.testing.kafka import MockKafka

ACCOUNT = "000000000000"
HANDLER = """
    import base64, json

    def handler(event, context):
        [(place, records)] = event["records"].items()
        there = [base64.b64decode(each["value"]).decode() for each in records]
        print("BATCH " + json.dumps([place, *there]))
        print("EVENT " + json.dumps(event))
        {rest}
"""


@dataclass
class Driven:
    """A function with a topic, and what its log says it was invoked with."""

    functions: Any
    logs: Any
    kafka: MockKafka
    name: str
    topic: str
    mappings: list[str] = field(default_factory=list)

    def lines(self, prefix: str) -> list[Any]:
        """What the function printed that begins so, as JSON."""
        pages = self.logs.get_paginator("filter_log_events")
        try:
            found = [
                event["message"].strip()
                for page in pages.paginate(logGroupName=f"/aws/lambda/{self.name}")
                for event in page["events"]
            ]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(line.removeprefix(prefix)) for line in found if line.startswith(prefix)]

    def batches(self, partition: int = 0) -> list[list[str]]:
        """The batches of a partition, in order."""
        place = f"{self.topic}-{partition}"
        return [rest for at, *rest in self.lines("BATCH ") if at == place]

    def put(self, *values: str, partition: int = 0, **more: Any) -> None:
        """Messages, in order."""
        for value in values:
            self.kafka.put(self.topic, value, partition=partition, **more)

    def create(self, **settings: Any) -> Any:
        """Asks for a mapping of the topic."""
        wanted = {
            "FunctionName": self.name,
            "Topics": [self.topic],
            "StartingPosition": "TRIM_HORIZON",
            "MaximumBatchingWindowInSeconds": 1,
            "SelfManagedEventSource": {
                "Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [self.kafka.address]}
            },
        } | settings
        made = self.functions.create_event_source_mapping(
            **{name: value for name, value in wanted.items() if value is not None}
        )
        self.mappings.append(made["UUID"])
        return made

    def attach(self, poll: Callable[..., Any], **settings: Any) -> str:
        """Makes the mapping and waits until its group has its partitions."""
        made = self.create(**settings)
        poll(lambda: self.shown()["State"] == "Enabled", 20, "the mapping to be Enabled")
        group = made["SelfManagedKafkaEventSourceConfig"]["ConsumerGroupId"]
        poll(lambda: self.kafka.committed(group, self.topic), 30, "the group's offsets")
        return str(made["UUID"])

    def shown(self) -> Any:
        """The last mapping, as it is shown."""
        return self.functions.get_event_source_mapping(UUID=self.mappings[-1])


@pytest.fixture(scope="module")
def kafka() -> Iterator[MockKafka]:
    """A cluster in this process."""
    cluster = MockKafka()
    yield cluster
    cluster.close()


@pytest.fixture
def driven(deploy: Any, client: Any, logs: Any, kafka: MockKafka) -> Iterator[Any]:
    """Deploys a function and makes a topic; the mappings go after the test."""
    made: list[Driven] = []

    def make(rest: str = "return None") -> Driven:
        function = deploy(HANDLER.replace("{rest}", rest), Timeout=5)
        topic = f"t-{uuid.uuid4().hex[:10]}"
        kafka.make_topic(topic)
        made.append(Driven(client, logs, kafka, function.name, topic))
        return made[-1]

    yield make
    for each in made:
        for mapping in each.mappings:
            client.delete_event_source_mapping(UUID=mapping)


def test_messages_reach_the_function(driven: Any, kafka: MockKafka, poll: Any) -> None:
    """Batches are of one partition each, in order, in AWS's shape; the group's offsets follow."""
    one = driven()
    for number in range(6):
        one.put(
            f"v{number}", partition=number % 2, key=f"k{number}", timestamp_ms=1_700_000_000_000
        )
    one.put("last", partition=2, headers=[("trace", bytes([1, 200]))])
    made = one.create()
    poll(lambda: len(one.lines("BATCH ")) >= 3, 40, "the batches")
    assert one.batches(0) == [["v0", "v2", "v4"]]
    assert one.batches(1) == [["v1", "v3", "v5"]]
    events = {next(iter(event["records"])): event for event in one.lines("EVENT ")}
    event = events[f"{one.topic}-1"]
    assert event["eventSource"] == "SelfManagedKafka"
    assert event["bootstrapServers"] == kafka.address
    assert "eventSourceArn" not in event
    assert event["records"][f"{one.topic}-1"][0] == {
        "topic": one.topic,
        "partition": 1,
        "offset": 0,
        "timestamp": 1_700_000_000_000,
        "timestampType": "CREATE_TIME",
        "key": base64.b64encode(b"k1").decode(),
        "value": base64.b64encode(b"v1").decode(),
        "headers": [],
    }
    last = events[f"{one.topic}-2"]["records"][f"{one.topic}-2"][0]
    assert last["headers"] == [{"trace": [1, -56]}]
    assert "key" not in last
    group = made["SelfManagedKafkaEventSourceConfig"]["ConsumerGroupId"]
    assert group == made["UUID"]
    poll(lambda: kafka.committed(group, one.topic) == {0: 3, 1: 3, 2: 1, 3: 0}, 10, "the offsets")
    poll(lambda: one.shown()["LastProcessingResult"] == "OK", 10, "the result")


def test_latest_passes_over_what_was_there(driven: Any, poll: Any) -> None:
    """LATEST: what is put once the group has its partitions comes, what was there before does not."""
    one = driven()
    one.put("old")
    one.attach(poll, StartingPosition="LATEST")
    one.put("new")
    poll(one.batches, 30, "the batch")
    assert one.batches() == [["new"]]


def test_a_failing_batch_holds_its_partition_only(driven: Any, poll: Any) -> None:
    """A batch is tried again until it succeeds; its partition waits, in order, others go on."""
    one = driven("""
        if there == ["bad"]:
            with open("/tmp/tries", "a+") as tries:
                tries.write("x")
                assert tries.tell() > 2
    """)
    one.put("bad", "worse", partition=0)
    one.put("good", partition=1)
    one.create(BatchSize=1, MaximumBatchingWindowInSeconds=0)
    poll(lambda: ["worse"] in one.batches(0), 40, "the batch behind")
    *tried, last = one.batches(0)
    assert last == ["worse"]
    assert len(tried) >= 3
    assert all(batch == ["bad"] for batch in tried)
    assert one.batches(1) == [["good"]]


def test_filters_match_the_decoded_value_and_key(driven: Any, poll: Any) -> None:
    """Filters see value and key as they were sent; what matches none is passed over and committed."""
    one = driven()
    pattern = {"value": {"kind": ["order"]}, "key": [{"prefix": "eu-"}]}
    one.attach(poll, FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    one.put('{"kind": "order", "n": 1}', key="eu-1")
    one.put('{"kind": "order", "n": 2}', key="us-1")
    one.put('{"kind": "refund"}', key="eu-1")
    one.put('{"kind": "order", "n": 3}', key="eu-2")
    poll(lambda: sum(map(len, one.batches())) >= 2, 30, "the messages")
    handled = [json.loads(value)["n"] for batch in one.batches() for value in batch]
    assert handled == [1, 3]


def test_poison_goes_to_the_destination(driven: Any, platform: Any, poll: Any) -> None:
    """Bisect and a retry limit: the poison alone is given up, to SQS, where it says which offsets it was."""
    sqs = platform.client("sqs")
    url = sqs.create_queue(QueueName=f"dead-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{url.rpartition('/')[2]}"
    one = driven('assert "poison" not in there')
    one.put("a", "b", "poison", "c")
    one.create(
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    found = poll(
        lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages"), 40, "a record"
    )
    poll(lambda: one.batches() and one.batches()[-1] == ["c"], 20, "the rest")
    assert one.batches() == [
        ["a", "b", "poison", "c"],
        ["a", "b"],
        ["poison", "c"],
        ["poison"],
        ["c"],
    ]
    record = json.loads(found[0]["Body"])
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    info = record["KafkaBatchInfo"]
    assert info["batchSize"] == 1
    [(place, offsets)] = info["recordsInfo"].items()
    assert place == f"{one.topic}-0"
    assert (offsets["firstRecordOffset"], offsets["lastRecordOffset"]) == ("2", "2")


def test_only_reported_messages_are_tried_again(driven: Any, poll: Any) -> None:
    """Of a partial report only the reported messages come again, before what follows them."""
    one = driven("""
        again = len(there) < 4
        return {"batchItemFailures": [] if again else [
            {"itemIdentifier": {"partition": place, "offset": offset}} for offset in (1, 3)
        ]}
    """)
    one.put("a", "b", "c", "d", "e")
    one.create(BatchSize=4, FunctionResponseTypes=["ReportBatchItemFailures"])
    poll(lambda: ["e"] in one.batches(), 40, "the last batch")
    assert one.batches() == [["a", "b", "c", "d"], ["b", "d"], ["e"]]


def test_after_a_kill_the_group_goes_on(
    start_platform: Any, zip_of: Any, kafka: MockKafka, tmp_path: Path, poll: Any
) -> None:
    """kill -9 in the midst of a batch: the next platform goes on at the committed offset, in order, none lost."""
    topic, out = f"t-{uuid.uuid4().hex[:10]}", tmp_path / "out"
    out.mkdir(mode=0o777)
    kafka.make_topic(topic)
    for number in range(40):
        kafka.put(topic, str(number), partition=1)
    platform = start_platform(tmp_path / "data", "--sandbox", "process")
    source = """
        import base64, json, time

        def handler(event, context):
            [records] = event["records"].values()
            there = [int(base64.b64decode(each["value"])) for each in records]
            time.sleep(0.1)
            with open("{out}", "a") as out:
                out.write(json.dumps(there) + chr(10))
    """.replace("{out}", str(out / "handled"))
    functions = platform.client("lambda")
    functions.create_function(
        FunctionName="f", Runtime="python3.11", Handler="app.handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/r", Code={"ZipFile": zip_of({"app.py": textwrap.dedent(source)})},
    )  # fmt: skip

    def handled() -> list[int]:
        path = out / "handled"
        lines = path.read_text().splitlines() if path.exists() else []
        return [number for line in lines for number in json.loads(line)]

    group = f"g-{uuid.uuid4().hex[:8]}"
    functions.create_event_source_mapping(
        FunctionName="f", Topics=[topic], StartingPosition="TRIM_HORIZON", BatchSize=4,
        MaximumBatchingWindowInSeconds=0,
        SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [kafka.address]}},
        SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": group},
    )  # fmt: skip
    poll(lambda: len(handled()) >= 12, 40, "some batches")
    os.kill(platform.pid, signal.SIGKILL)
    platform.process.wait(10)
    start_platform(tmp_path / "data", "--sandbox", "process")
    poll(lambda: kafka.committed(group, topic).get(1) == 40, 60, "the rest")
    seen = handled()
    assert sorted(set(seen)) == list(range(40))
    assert len(seen) <= 40 + 2 * 4
    first = list(dict.fromkeys(seen))
    assert first == sorted(first)


def test_what_cannot_be_reached_is_said(driven: Any, poll: Any) -> None:
    """Brokers that do not answer: the mapping says so in LastProcessingResult, and can be deleted."""
    one = driven()
    endpoints = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["127.0.0.1:1"]}}
    one.create(SelfManagedEventSource=endpoints)
    result = poll(
        lambda: (
            str(one.shown()["LastProcessingResult"])
            if "PROBLEM" in str(one.shown()["LastProcessingResult"])
            else ""
        ),
        30,
        "the problem",
    )
    assert result.startswith("PROBLEM: Connection error.")


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"Topics": None}, "InvalidParameterValueException"),
        ({"StartingPosition": None}, "InvalidParameterValueException"),
        ({"ParallelizationFactor": 2}, "InvalidParameterValueException"),
        ({"Queues": ["q"]}, "InvalidParameterValueException"),
        (
            {"SourceAccessConfigurations": [{"Type": "VIRTUAL_HOST", "URI": "/"}]},
            "InvalidParameterValueException",
        ),
        (
            {"SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "no-secret"}]},
            "InvalidParameterValueException",
        ),
        (
            {"SourceAccessConfigurations": [{"Type": "VPC_SUBNET", "URI": "subnet:s-1"}]},
            "NotImplementedException",
        ),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": "kafka://dead"}}},
            "NotImplementedException",
        ),
        (
            {
                "SelfManagedKafkaEventSourceConfig": {
                    "SchemaRegistryConfig": {"SchemaRegistryURI": "https://r.example"}
                }
            },
            "NotImplementedException",
        ),
        (
            {"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": "Queue"}},
            "NotImplementedException",
        ),
        ({"ProvisionedPollerConfig": {"MinimumPollers": 1}}, "NotImplementedException"),
    ],
)
def test_what_does_not_go_is_refused(driven: Any, settings: Any, code: str) -> None:
    """A setting that Kafka does not take, or Lambent has not, is refused when the mapping is made."""
    one = driven()
    with pytest.raises(ClientError) as refused:
        one.create(**settings)
    assert refused.value.response["Error"]["Code"] == code
    assert not one.mappings


def test_the_group_is_shared_with_other_members(driven: Any, kafka: MockKafka, poll: Any) -> None:
    """Another member takes over partitions and gives them back: none is lost."""
    from confluent_kafka import Consumer  # noqa: PLC0415 - a stranger's client

    one, group = driven(), f"g-{uuid.uuid4().hex[:8]}"
    one.attach(poll, SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": group})
    other = Consumer(
        {
            "bootstrap.servers": kafka.address,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 10_000,
            "log_level": 0,
        }
    )
    seen: list[str] = []

    def polled() -> list[str]:
        message = other.poll(0.2)
        if message is not None and message.error() is None:
            seen.append((message.value() or b"").decode())
        return seen

    def handled() -> list[str]:
        return [x for number in range(4) for batch in one.batches(number) for x in batch]

    try:
        other.subscribe([one.topic])
        poll(lambda: polled() or len(other.assignment()) == 2, 60, "half of the partitions")
        for number in range(4):
            one.put(f"shared-{number}", partition=number)
        poll(lambda: len({*polled(), *handled()}) == 4, 60, "four messages")
        assert seen
    finally:
        other.close()
    for number in range(4):
        one.put(f"alone-{number}", partition=number)
    wanted = {f"alone-{number}" for number in range(4)}
    poll(lambda: wanted <= set(handled()), 60, "the rest")
    # The mock takes no commits once a rebalance has begun, as brokers do: the batch in hand may come twice.
    assert max(map(handled().count, handled())) <= 2
    assert {*handled(), *seen} == {f"shared-{n}" for n in range(4)} | wanted


def test_msk_needs_an_endpoint_that_knows_its_brokers(client: Any, deploy: Any) -> None:
    """The embedded neighbour's clusters are on paper: a mapping of one is refused, with what to do."""
    with pytest.raises(ClientError, match="--neighbour kafka=") as refused:
        client.create_event_source_mapping(
            FunctionName=deploy(HANDLER).name,
            EventSourceArn=f"arn:aws:kafka:us-east-1:{ACCOUNT}:cluster/c/u-1",
            Topics=["orders"],
            StartingPosition="LATEST",
        )
    assert refused.value.response["Error"]["Code"] == "NotImplementedException"


def test_sources_show_the_lag(driven: Any, platform: Any, poll: Any) -> None:
    """``GET /_lambent/sources`` tells a topic's lag in messages, and of each partition."""
    one = driven("import time; time.sleep(3)")
    one.put(*"abc")
    uuid_of = one.create(BatchSize=1, MaximumBatchingWindowInSeconds=0)["UUID"]

    def shown() -> Any:
        with urllib.request.urlopen(f"{platform.url}/_lambent/sources", timeout=10) as answer:
            return next(each for each in json.load(answer)["sources"] if each["uuid"] == uuid_of)

    def began() -> Any:
        now = shown()
        return now if (now.get("lag"), now["in_flight"]) == (3, 1) else None

    told = poll(began, 40, "the first of three records to be worked on")
    assert told["source"] == f"kafka:{one.topic}"
    assert (told["shards"][0]["shard_id"], told["shards"][0]["lag"]) == (f"{one.topic}-0", 3)
    poll(lambda: shown()["lag"] == 0, 40, "it to be handled")
