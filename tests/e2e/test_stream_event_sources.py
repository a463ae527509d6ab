"""Kinesis and DynamoDB streams of the embedded neighbour driving functions, end to end with boto3."""

import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

ACCOUNT = "000000000000"
HANDLER = """
    import base64, json

    def names(event):
        for record in event["Records"]:
            if "kinesis" in record:
                yield base64.b64decode(record["kinesis"]["data"]).decode()
            else:
                yield record["dynamodb"]["Keys"]["id"]["S"]

    def handler(event, context):
        there = list(names(event))
        print("BATCH " + json.dumps(there))
        print("EVENT " + json.dumps(event))
        {rest}
"""


@dataclass
class Driven:
    """A function, and what its log says it was invoked with."""

    platform: Any
    functions: Any
    logs: Any
    name: str
    arn: str = ""
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

    def names(self) -> list[str]:
        """What was handled, record by record."""
        return [name for batch in self.lines("BATCH ") for name in batch]

    def attach(self, poll: Callable[..., Any], **settings: Any) -> str:
        """Makes the mapping and waits until it is Enabled. Skips where no neighbour serves pollers."""
        settings = {"StartingPosition": "TRIM_HORIZON"} | settings
        try:
            made = self.functions.create_event_source_mapping(
                FunctionName=self.name, EventSourceArn=self.arn, **settings
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "NotImplementedException":
                pytest.skip("no neighbour serves this platform's pollers yet")
            raise
        self.mappings.append(made["UUID"])
        poll(lambda: self.shown()["State"] == "Enabled", 20, "the mapping to be Enabled")
        return str(made["UUID"])

    def shown(self) -> Any:
        """The last mapping, as it is shown."""
        return self.functions.get_event_source_mapping(UUID=self.mappings[-1])


@pytest.fixture
def driven(platform: Any, deploy: Any, client: Any, logs: Any) -> Iterator[Callable[..., Driven]]:
    """Deploys a function; its mappings go after the test."""
    made: list[Driven] = []

    def make(rest: str = "return None") -> Driven:
        function = deploy(HANDLER.replace("{rest}", rest), Timeout=5)
        made.append(Driven(platform, client, logs, function.name))
        return made[-1]

    yield make
    for each in made:
        for mapping in each.mappings:
            client.delete_event_source_mapping(UUID=mapping)


@pytest.fixture
def stream(platform: Any) -> Iterator[tuple[Any, str, str]]:
    """(client, name, ARN) of a Kinesis stream with two shards."""
    kinesis = platform.client("kinesis")
    name = f"s-{uuid.uuid4().hex[:12]}"
    _or_skip(lambda: kinesis.create_stream(StreamName=name, ShardCount=2))
    yield kinesis, name, f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{name}"
    kinesis.delete_stream(StreamName=name)
    kinesis.close()


@pytest.fixture
def table(platform: Any) -> Iterator[tuple[Any, str, str]]:
    """(client, name, stream ARN) of a DynamoDB table."""
    dynamodb = platform.client("dynamodb")
    name = f"t-{uuid.uuid4().hex[:12]}"
    made = _or_skip(
        lambda: dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
    )
    yield dynamodb, name, made["TableDescription"]["LatestStreamArn"]
    dynamodb.delete_table(TableName=name)
    dynamodb.close()


def _or_skip(call: Callable[[], Any]) -> Any:
    """Skips where nobody serves the neighbour's operations."""
    try:
        return call()
    except (ClientError, EndpointConnectionError) as error:
        pytest.skip(f"no neighbour serves streams here: {error}")


def test_kinesis_records_reach_the_function(driven: Any, stream: Any, poll: Any) -> None:
    """What is put into a stream comes once, in order by key, in AWS's shape; the result is said."""
    kinesis, name, arn = stream
    one = driven()
    one.arn = arn
    one.attach(poll)
    for number in range(10):
        kinesis.put_record(StreamName=name, PartitionKey=f"k{number % 2}", Data=f"{number}")
    poll(lambda: len(one.names()) >= 10, 20, "the records")
    assert sorted(one.names()) == [str(number) for number in range(10)]
    for parity in (0, 1):
        of_key = [int(each) for each in one.names() if int(each) % 2 == parity]
        assert of_key == sorted(of_key)
    record = one.lines("EVENT ")[0]["Records"][0]
    assert record["eventSource"] == "aws:kinesis"
    assert record["eventSourceARN"] == arn
    assert record["invokeIdentityArn"].startswith("arn:aws:iam::")
    assert abs(record["kinesis"]["approximateArrivalTimestamp"] - time.time()) < 60
    assert base64.b64decode(record["kinesis"]["data"]).decode() in one.names()
    poll(lambda: one.shown()["LastProcessingResult"] == "OK", 10, "the result")


def test_latest_passes_over_what_was_there(driven: Any, stream: Any, poll: Any) -> None:
    """LATEST: what is put once the mapping is Enabled comes, what was there before does not."""
    kinesis, name, arn = stream
    kinesis.put_record(StreamName=name, PartitionKey="k", Data="old")
    one = driven()
    one.arn = arn
    one.attach(poll, StartingPosition="LATEST")
    kinesis.put_record(StreamName=name, PartitionKey="k", Data="new")
    poll(one.names, 20, "the record")
    assert one.names() == ["new"]


def test_poison_goes_to_the_destination(driven: Any, stream: Any, platform: Any, poll: Any) -> None:
    """Bisect and a retry limit: the poison alone is given up, to SQS, and the rest is handled."""
    kinesis, name, arn = stream
    sqs = platform.client("sqs")
    url = sqs.create_queue(QueueName=f"dead-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    queue_arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{url.rpartition('/')[2]}"
    one = driven('assert "poison" not in there')
    one.arn = arn
    records = [{"Data": data, "PartitionKey": "k"} for data in ("a", "b", "poison", "c")]
    kinesis.put_records(StreamName=name, Records=records)
    one.attach(
        poll,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue_arn}},
    )
    (message,) = poll(
        lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"),
        30,
        "the record of the poison",
    )
    document = json.loads(message["Body"])
    poll(lambda: one.lines("BATCH ")[-1] == ["c"], 20, "the rest")
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["responseContext"]["functionError"] == "Unhandled"
    assert document["KinesisBatchInfo"]["batchSize"] == 1
    assert document["KinesisBatchInfo"]["streamArn"] == arn
    assert one.lines("BATCH ") == [
        ["a", "b", "poison", "c"],
        ["a", "b"],
        ["poison", "c"],
        ["poison"],
        ["poison"],
        ["c"],
    ]
    sqs.delete_queue(QueueUrl=url)
    sqs.close()


def test_a_disabled_mapping_goes_on_where_it_was(driven: Any, stream: Any, poll: Any) -> None:
    """What is put while a mapping is Disabled comes when it is Enabled again, and nothing twice."""
    kinesis, name, arn = stream
    one = driven()
    one.arn = arn
    one.attach(poll)
    kinesis.put_record(StreamName=name, PartitionKey="k", Data="a")
    poll(one.names, 20, "the first record")
    one.functions.update_event_source_mapping(UUID=one.mappings[-1], Enabled=False)
    poll(lambda: one.shown()["State"] == "Disabled", 20, "the mapping to be Disabled")
    kinesis.put_record(StreamName=name, PartitionKey="k", Data="b")
    one.functions.update_event_source_mapping(UUID=one.mappings[-1], Enabled=True)
    poll(lambda: len(one.names()) >= 2, 20, "the second record")
    assert one.names() == ["a", "b"]


def test_a_stream_that_is_not_there_is_refused(driven: Any, stream: Any) -> None:
    """A mapping of a stream nobody made is refused, in AWS's words."""
    _, _, arn = stream
    one = driven()
    with pytest.raises(ClientError) as refused:
        one.functions.create_event_source_mapping(
            FunctionName=one.name, EventSourceArn=f"{arn}-not", StartingPosition="LATEST"
        )
    if refused.value.response["Error"]["Code"] == "NotImplementedException":
        pytest.skip("no neighbour serves this platform's pollers yet")
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert "Stream not found" in str(refused.value)


def test_dynamodb_changes_reach_the_function(driven: Any, table: Any, poll: Any) -> None:
    """Inserts, changes and removals of items come in order, with both images, in AWS's shape."""
    dynamodb, name, arn = table
    one = driven()
    one.arn = arn
    one.attach(poll)
    item = {"id": {"S": "a"}, "picture": {"B": b"\x00\x01"}, "count": {"N": "1"}}
    dynamodb.put_item(TableName=name, Item=item)
    dynamodb.put_item(TableName=name, Item=item | {"count": {"N": "2"}})
    dynamodb.delete_item(TableName=name, Key={"id": {"S": "a"}})
    poll(lambda: len(one.names()) >= 3, 20, "the records")
    records = [record for event in one.lines("EVENT ") for record in event["Records"]]
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    shown = records[0]["dynamodb"]
    assert shown["NewImage"] == {"id": {"S": "a"}, "picture": {"B": "AAE="}, "count": {"N": "1"}}
    assert isinstance(shown["ApproximateCreationDateTime"], int)
    assert records[1]["dynamodb"]["OldImage"]["count"] == {"N": "1"}
    assert records[0]["eventSourceARN"] == arn
    assert records[0]["eventSource"] == "aws:dynamodb"


def test_dynamodb_filters(driven: Any, table: Any, poll: Any) -> None:
    """A filter on the item keeps the rest from the function."""
    dynamodb, name, arn = table
    pattern = json.dumps({"dynamodb": {"NewImage": {"kind": {"S": ["good"]}}}})
    one = driven()
    one.arn = arn
    one.attach(poll, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    for number, kind in enumerate(("bad", "good", "bad", "good")):
        dynamodb.put_item(TableName=name, Item={"id": {"S": str(number)}, "kind": {"S": kind}})
    poll(lambda: len(one.names()) >= 2, 20, "the records")
    assert one.names() == ["1", "3"]


def test_a_stream_is_replayed(driven: Any, stream: Any, platform: Any, poll: Any) -> None:
    """``lambent sources replay``: what was handled is handled again, from the position on, and then no more."""
    kinesis, name, arn = stream
    one = driven()
    one.arn = arn
    mapping = one.attach(poll, BatchSize=1, MetricsConfig={"Metrics": ["EventCount"]})
    for text in ("a", "b", "c"):
        put = kinesis.put_record(StreamName=name, PartitionKey="k", Data=text.encode())
        if text == "b":
            second = put
    poll(lambda: one.names() == ["a", "b", "c"], 20, "the records")
    asked = ("--from", second["SequenceNumber"], "--shard", second["ShardId"], "--yes", "--follow")
    done = subprocess.run(
        [sys.executable, "-m", "lambent.cli", "sources", "replay", mapping, *asked],
        check=False,
        env=os.environ | {"AWS_ENDPOINT_URL": platform.url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 shard begins at ")
    poll(lambda: one.names() == ["a", "b", "c", "b", "c"], 20, "two of them again")
    assert one.shown()["State"] == "Enabled"
    with urllib.request.urlopen(f"{platform.url}/_lambent/metrics", timeout=5) as answer:
        scrape = answer.read().decode()
    (line,) = (
        each
        for each in scrape.splitlines()
        if each.startswith("aws_lambda_invoked_event_count_total") and mapping in each
    )
    assert line.endswith(" 5")


def test_replays_that_cannot_be_are_refused(
    driven: Any, stream: Any, platform: Any, poll: Any
) -> None:
    """Each for its own reason, and the mapping goes on: no JSON, no position, unknown, no stream, polled."""
    kinesis, name, arn = stream
    one = driven()
    one.arn = arn
    mapping = one.attach(poll, BatchSize=1)

    def asked(uuid_: str, body: bytes, kind: str = "application/json") -> tuple[int, str]:
        url = f"{platform.url}/_lambent/sources/{uuid_}/replay"
        request = urllib.request.Request(url, body, {"content-type": kind}, method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        with refused.value as answer:
            return refused.value.code, json.load(answer)["message"]

    horizon = b'{"from": "TRIM_HORIZON"}'
    assert asked(mapping, horizon, "text/plain")[0] == 415
    assert asked(mapping, b"{")[0] == 400
    assert asked(mapping, b"\xff")[0] == 400
    assert asked(mapping, b" " * 5000)[0] == 400
    assert asked(str(uuid.uuid4()), horizon)[0] == 404
    assert asked("0" * 35, horizon)[0] == 404
    assert asked(mapping, horizon) == (409, "The mapping has to be Disabled to be replayed.")
    one.functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    poll(lambda: one.shown()["State"] == "Disabled", 20, "the mapping to be Disabled")
    status, text = asked(mapping, b'{"from": "LATEST"}')
    assert (status, text.startswith("from is TRIM_HORIZON")) == (400, True)
    assert asked(mapping, b'{"from": "TRIM_HORIZON", "shard_id": "s"}')[0] == 404
    one.functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    poll(lambda: one.shown()["State"] == "Enabled", 20, "the mapping to be Enabled")
    kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"a")
    poll(lambda: one.names() == ["a"], 20, "the record")
