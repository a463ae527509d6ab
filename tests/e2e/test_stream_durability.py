"""A stream on an endpoint of its own, while the platform is killed: nothing lost, order kept, few twice."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from benchmarks.kinesis_server import KinesisServer
from botocore.config import Config

ACCOUNT = "000000000000"
KEYS = 8
RECORDS = 240
BATCH = 5
FACTOR = 2
SHARDS = 2
SOURCE = """
    import base64, json, time

    def handler(event, context):
        time.sleep(0.05)
        there = [base64.b64decode(each["kinesis"]["data"]).decode() for each in event["Records"]]
        with open("{out}", "a") as out:
            out.write(json.dumps(there) + chr(10))
"""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """A moto server that outlives the platform."""
    pytest.importorskip("moto.server", reason="moto serves the stream")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"MOTO_ACCOUNT_ID": ACCOUNT},
    )
    deadline_s = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert time.monotonic() < deadline_s, "moto did not start"
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


def test_two_kills_lose_nothing(
    endpoint: str,
    start_platform: Any,
    zip_of: Any,
    tmp_path: Path,
    poll: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Through two kill -9: every record handled, each key in order, at most the batches in hand twice."""
    config = Config(retries={"total_max_attempts": 2})
    place = {"region_name": "us-east-1", "endpoint_url": endpoint}
    keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "test"}
    kinesis = boto3.client("kinesis", config=config, **place, **keys)
    name = f"s-{uuid.uuid4().hex[:8]}"
    kinesis.create_stream(StreamName=name, ShardCount=SHARDS)
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    text = f"[default]\naws_access_key_id = {ACCOUNT}\naws_secret_access_key = test\n"
    (home / ".aws" / "credentials").write_text(text)
    monkeypatch.setenv("HOME", str(home))  # whose credentials the platform signs with
    options = ("--neighbour", f"kinesis={endpoint}", "--sandbox", "process")
    data_dir = tmp_path / "data"
    out = tmp_path / "handled"
    platform = start_platform(data_dir, *options)
    functions = platform.client("lambda")
    functions.create_function(
        FunctionName="f",
        Runtime=f"python3.{sys.version_info.minor}",
        Role=f"arn:aws:iam::{ACCOUNT}:role/r",
        Handler="app.handler",
        Code={"ZipFile": zip_of({"app.py": SOURCE.replace("{out}", str(out))})},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="f")
    arn = kinesis.describe_stream(StreamName=name)["StreamDescription"]["StreamARN"]
    functions.create_event_source_mapping(
        FunctionName="f",
        EventSourceArn=arn,
        StartingPosition="TRIM_HORIZON",
        BatchSize=BATCH,
        ParallelizationFactor=FACTOR,
    )
    records = [
        {"PartitionKey": f"k{number % KEYS}", "Data": str(number)} for number in range(RECORDS)
    ]
    for start in range(0, RECORDS, 100):
        kinesis.put_records(StreamName=name, Records=records[start : start + 100])

    def handled() -> list[int]:
        lines = out.read_text().splitlines() if out.exists() else []
        return [int(each) for line in lines for each in json.loads(line)]

    for share in (0.25, 0.6):
        poll(lambda share=share: len(set(handled())) > share * RECORDS, 30, "some of the records")
        os.kill(platform.pid, signal.SIGKILL)
        platform.stop(signal.SIGKILL)
        platform = start_platform(data_dir, *options)
    poll(lambda: set(handled()) == set(range(RECORDS)), 60, "all of the records")
    time.sleep(1)
    numbers = handled()
    for key in range(KEYS):
        first = list(dict.fromkeys(n for n in numbers if n % KEYS == key))
        assert first == sorted(first)
    assert len(numbers) - RECORDS <= 2 * BATCH * FACTOR * SHARDS


FAILING = """
    def handler(event, context):
        with open("{out}", "a") as out:
            out.write("attempt" + chr(10))
        raise ValueError("poison")
"""


def test_attempts_are_counted_over_kills(
    start_platform: Any, zip_of: Any, tmp_path: Path, poll: Any
) -> None:
    """Killed twice between attempts, a poison batch is tried as often as configured, and not once more."""
    data_dir, out = tmp_path / "data", tmp_path / "attempts"

    def attempts() -> int:
        return len(out.read_text().splitlines()) if out.exists() else 0

    with KinesisServer("s", 1) as stream:
        options = ("--neighbour", f"kinesis={stream.url},unsigned", "--sandbox", "process")
        platform = start_platform(data_dir, *options)
        functions, sqs = platform.client("lambda"), platform.client("sqs")
        sqs.create_queue(QueueName="dead")
        functions.create_function(
            FunctionName="f",
            Runtime=f"python3.{sys.version_info.minor}",
            Role=f"arn:aws:iam::{ACCOUNT}:role/r",
            Handler="app.handler",
            Code={"ZipFile": zip_of({"app.py": FAILING.replace("{out}", str(out))})},
        )
        functions.get_waiter("function_active_v2").wait(FunctionName="f")
        functions.create_event_source_mapping(
            FunctionName="f",
            EventSourceArn=f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s",
            StartingPosition="TRIM_HORIZON",
            MaximumRetryAttempts=4,
            DestinationConfig={
                "OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"}
            },
        )
        stream.shards["shardId-000000000000"].put("k", b"poison")
        for count in (2, 3):
            poll(lambda count=count: attempts() == count, 20, f"{count} attempts")
            time.sleep(0.15)  # within the pause of half a second: the attempt is on disk
            os.kill(platform.pid, signal.SIGKILL)
            platform.stop(signal.SIGKILL)
            platform = start_platform(data_dir, *options)
        sqs = platform.client("sqs")
        url = f"{platform.url}/{ACCOUNT}/dead"
        (message,) = poll(
            lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"),
            30,
            "the batch to be given up",
        )
        record = json.loads(message["Body"])
        assert record["requestContext"]["approximateInvokeCount"] == attempts() == 5
