"""S3 buckets and EventBridge buses as destinations, of events and of streams, on the embedded neighbour."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

ACCOUNT = "000000000000"
BUS = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
SOURCE = """
    def handler(event, context):
        if isinstance(event, dict) and event.get("fine"):
            return {"done": True}
        raise ValueError("no luck")
"""
STAMP = r"\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}"


@pytest.fixture
def bucket(platform: Any) -> Iterator[tuple[Any, str]]:
    """(client, name) of a bucket of the embedded neighbour; skips where there is none."""
    s3 = platform.client("s3")
    name = f"b-{uuid.uuid4().hex[:12]}"
    try:
        s3.create_bucket(Bucket=name)
    except ClientError as error:
        s3.close()
        pytest.skip(f"no neighbour serves S3 here: {error}")
    yield s3, name
    s3.close()


def objects(s3: Any, name: str) -> dict[str, Any]:
    """Every object by its key, as JSON."""
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=name).get("Contents", ())]
    found = {}
    for key in keys:
        shown = s3.get_object(Bucket=name, Key=key)
        with shown["Body"] as body:
            found[key] = json.loads(body.read())
        assert shown["ContentType"] == "application/json"
    return found


def configure(client: Any, name: str, **destinations: str) -> None:
    """No retries, and these destinations."""
    client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={key: {"Destination": arn} for key, arn in destinations.items()},
    )


def failures(platform: Any, name: str) -> int:
    """``DestinationDeliveryFailures`` of a function."""
    with urllib.request.urlopen(f"{platform.url}/_lambent/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    mark = "aws_lambda_destination_delivery_failures_total"
    found = [x for x in lines if x.startswith(mark) and f'function_name="{name}"}}' in x]
    return int(found[0].rpartition(" ")[2]) if found else 0


def test_a_failed_event_is_an_object(
    platform: Any, client: Any, deploy: Any, bucket: Any, poll: Callable[..., Any]
) -> None:
    """Its record, with what was sent and answered, under AWS's key; S3 is for failures only."""
    s3, name = bucket
    function = deploy(SOURCE)
    with pytest.raises(ClientError, match="The provided destination config"):
        configure(client, function.name, OnSuccess=f"arn:aws:s3:::{name}")
    configure(client, function.name, OnFailure=f"arn:aws:s3:::{name}")
    sent = client.invoke(FunctionName=function.name, InvocationType="Event", Payload=b'{"n": 1}')
    poll(lambda: objects(s3, name), 20, "the object")
    ((key, record),) = objects(s3, name).items()
    assert re.fullmatch(f"aws/lambda/async/{function.name}/{STAMP}", key)
    assert record["requestContext"]["requestId"] == sent["ResponseMetadata"]["RequestId"]
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestPayload"] == {"n": 1}
    assert record["responsePayload"]["errorMessage"] == "no luck"
    assert failures(platform, function.name) == 0


def test_a_bucket_that_is_not_there_is_a_delivery_failure(
    platform: Any, client: Any, deploy: Any, bucket: Any, poll: Callable[..., Any]
) -> None:
    """Counted once; the event is gone, as on AWS."""
    del bucket
    function = deploy(SOURCE)
    configure(client, function.name, OnFailure="arn:aws:s3:::there-is-no-such-bucket")
    client.invoke(FunctionName=function.name, InvocationType="Event", Payload=b"{}")
    poll(lambda: failures(platform, function.name) == 1, 20, "the failure to be counted")


def test_records_go_to_an_event_bus(
    platform: Any, client: Any, deploy: Any, bucket: Any, poll: Callable[..., Any]
) -> None:
    """Success and failure, in AWS's words, as events of the bus: seen by a rule that sends them on."""
    del bucket
    events = platform.client("events")
    function = deploy(SOURCE)
    archive = f"a-{uuid.uuid4().hex[:12]}"
    events.create_archive(
        ArchiveName=archive,
        EventSourceArn=BUS,
        EventPattern=json.dumps({"source": ["lambda"]}),
    )
    configure(client, function.name, OnSuccess=BUS, OnFailure=BUS)
    for payload in (b'{"fine": true}', b"{}"):
        client.invoke(FunctionName=function.name, InvocationType="Event", Payload=payload)
    poll(
        lambda: events.describe_archive(ArchiveName=archive)["EventCount"] == 2,
        20,
        "both events on the bus",
    )
    events.delete_archive(ArchiveName=archive)
    events.close()
    assert failures(platform, function.name) == 0


def test_a_batch_that_is_given_up_is_an_object(
    platform: Any, client: Any, deploy: Any, bucket: Any, poll: Callable[..., Any]
) -> None:
    """Of a stream: where it was, and the whole event as text; counted as delivered."""
    s3, name = bucket
    kinesis = platform.client("kinesis")
    stream = f"s-{uuid.uuid4().hex[:12]}"
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    function = deploy(SOURCE)
    mapping = client.create_event_source_mapping(
        FunctionName=function.name,
        EventSourceArn=f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{stream}",
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{name}"}},
        MetricsConfig={"Metrics": ["EventCount"]},
    )["UUID"]
    kinesis.put_record(StreamName=stream, PartitionKey="k", Data=b"poison")
    poll(lambda: objects(s3, name), 30, "the object")
    ((key, record),) = objects(s3, name).items()
    assert re.fullmatch(f"aws/lambda/{mapping}/shardId-000000000000/{STAMP}", key)
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["KinesisBatchInfo"]["batchSize"] == 1
    (event,) = json.loads(record["payload"])["Records"]
    assert event["kinesis"]["partitionKey"] == "k"
    with urllib.request.urlopen(f"{platform.url}/_lambent/metrics", timeout=10) as answer:
        lines = [x for x in answer.read().decode().splitlines() if mapping in x]
    numbers = {line.partition("{")[0]: line.rpartition(" ")[2] for line in lines}
    delivered = "aws_lambda_on_failure_destination_delivered_event_count_total"
    assert (numbers[delivered], numbers["aws_lambda_dropped_event_count_total"]) == ("1", "0")
    client.delete_event_source_mapping(UUID=mapping)
    kinesis.delete_stream(StreamName=stream)
    kinesis.close()


def test_without_a_service_its_destinations_are_refused(start_platform: Any, zip_of: Any) -> None:
    """With --no-neighbours neither buckets nor buses can be configured."""
    platform = start_platform(None, "--no-neighbours", "--sandbox", "process")
    functions = platform.client("lambda")
    create(functions, zip_of)
    for arn in ("arn:aws:s3:::bucket", BUS):
        with pytest.raises(ClientError) as refused:
            configure(functions, "f", OnFailure=arn)
        assert refused.value.response["Error"]["Code"] == "NotImplementedException"
    functions.close()


def create(functions: Any, zip_of: Any) -> None:
    """A function ``f`` that fails."""
    functions.create_function(
        FunctionName="f",
        Runtime=f"python3.{sys.version_info.minor}",
        Role=f"arn:aws:iam::{ACCOUNT}:role/r",
        Handler="app.handler",
        Code={"ZipFile": zip_of({"app.py": SOURCE})},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="f")


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_record_outlives_the_platform_until_the_bucket_is_back(
    start_platform: Any,
    zip_of: Any,
    tmp_path: Path,
    poll: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The service is away, the platform is killed, both come back: the object is there, once."""
    pytest.importorskip("moto.server", reason="moto serves the bucket")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    text = f"[default]\naws_access_key_id = {ACCOUNT}\naws_secret_access_key = test\n"
    (home / ".aws" / "credentials").write_text(text)
    monkeypatch.setenv("HOME", str(home))  # whose credentials the platform signs with
    options = ("--neighbour", f"s3={endpoint}", "--sandbox", "process")
    data_dir = tmp_path / "data"
    platform = start_platform(data_dir, *options)
    functions = platform.client("lambda")
    create(functions, zip_of)
    configure(functions, "f", OnFailure="arn:aws:s3:::bucket")
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"n": 7}')

    def away() -> bool:
        with urllib.request.urlopen(f"{platform.url}/_lambent/metrics", timeout=10) as answer:
            return (
                'aws_lambda_async_events_dropped_total{account_id="000000000000",region='
                in (text := answer.read().decode())
                and 'function_name="f"} 1' in text
            )

    poll(away, 20, "the event to be given up")
    time.sleep(1)
    assert platform.stop(signal.SIGKILL) is not None
    functions.close()
    moto = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        poll(lambda: accepts(port), 30, "moto")
        s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
        )
        s3.create_bucket(Bucket="bucket")
        platform = start_platform(data_dir, *options)
        poll(lambda: objects(s3, "bucket"), 30, "the object")
        time.sleep(1)
        ((key, record),) = objects(s3, "bucket").items()
        assert key.startswith("aws/lambda/async/f/")
        assert record["requestPayload"] == {"n": 7}
        s3.close()
    finally:
        moto.terminate()
        moto.wait(10)
