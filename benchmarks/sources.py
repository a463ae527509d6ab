"""Event source mappings of queues: messages a second, latency from send to handler, the cost of idle mappings.

.venv/bin/python -m benchmarks.sources [--quick]
"""

import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

from benchmarks.harness import Platform
from benchmarks.invoke import percentile, show

FUNCTION = """
import time
def handler(event, context):
    now_ms = time.time_ns() / 1e6
    for record in event["Records"]:
        body = record["body"]
        if body.startswith("at "):
            print("LATENCY", now_ms - float(body[3:]))
    return {"batchItemFailures": []}
"""
ACCOUNT = "000000000000"


def client(platform: Platform, service: str) -> Any:
    """A boto3 client of the platform."""
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{platform.port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32),
    )


def wait_for(condition: Any, deadline_s: float = 120.0) -> None:
    """Asks again and again."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError
        time.sleep(0.02)


def attach(platform: Platform, name: str, **settings: Any) -> tuple[str, str]:
    """A queue that a function of the same name handles: its URL, and the mapping."""
    sqs, functions = client(platform, "sqs"), client(platform, "lambda")
    platform.create(name, FUNCTION)
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "300"})["QueueUrl"]
    mapping = functions.create_event_source_mapping(
        FunctionName=name,
        EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}",
        **settings,
    )["UUID"]
    wait_for(lambda: functions.get_event_source_mapping(UUID=mapping)["State"] != "Creating")
    return url, mapping


def fill(platform: Platform, url: str, count: int) -> None:
    """Sends ``count`` messages, ten at a time, on several connections."""
    sqs = client(platform, "sqs")
    entries = [{"Id": str(number), "MessageBody": "x" * 100} for number in range(10)]
    with ThreadPoolExecutor(8) as pool:
        sends = [
            pool.submit(sqs.send_message_batch, QueueUrl=url, Entries=entries)
            for _ in range(count // 10)
        ]
        for send in sends:
            send.result()


def left(sqs: Any, url: str) -> int:
    """Messages that are not deleted yet."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)


def throughput(platform: Platform, name: str, count: int, **settings: Any) -> None:
    """A backlog, worked off."""
    sqs, functions = client(platform, "sqs"), client(platform, "lambda")
    url, mapping = attach(platform, name, Enabled=False, **settings)
    fill(platform, url, count)
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    start_s = time.perf_counter()
    wait_for(lambda: left(sqs, url) == 0)
    took_s = time.perf_counter() - start_s
    show(
        f"SQS to function, batches of {settings['BatchSize']}", f"{count / took_s:,.0f} messages/s"
    )
    functions.delete_event_source_mapping(UUID=mapping)


def latency(platform: Platform, count: int) -> None:
    """From just before the send until the handler looks at the clock."""
    sqs, logs = client(platform, "sqs"), client(platform, "logs")
    url, _ = attach(platform, "latency", BatchSize=10)
    sqs.send_message(QueueUrl=url, MessageBody="warm")
    wait_for(lambda: left(sqs, url) == 0)
    for _ in range(count):
        sqs.send_message(QueueUrl=url, MessageBody=f"at {time.time_ns() / 1e6}")
        time.sleep(0.02)
    wait_for(lambda: left(sqs, url) == 0)
    time.sleep(1)
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName="/aws/lambda/latency", filterPattern="LATENCY"
    )
    found = [float(event["message"].split()[1]) for page in pages for event in page["events"]]
    assert len(found) == count, len(found)
    p50, p99 = statistics.median(found), percentile(sorted(found), 0.99)
    verdict = "met" if p50 <= 15 else "MISSED"
    show("send to handler", f"p50 {p50:.1f} ms", f"p99 {p99:.1f} ms; target p50 15 ms: {verdict}")


def idle(platform: Platform, count: int, seconds: float) -> None:
    """CPU of the platform with mappings that have nothing to do, and without them."""
    sqs, functions = client(platform, "sqs"), client(platform, "lambda")
    functions.get_function(FunctionName="latency")

    def share() -> float:
        before = cpu_s(platform.process.pid)
        time.sleep(seconds)
        return (cpu_s(platform.process.pid) - before) / seconds

    without = share()
    for number in range(count):
        sqs.create_queue(QueueName=f"idle{number}")
        functions.create_event_source_mapping(
            FunctionName="latency", EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:idle{number}"
        )
    time.sleep(2)
    cost = share() - without
    verdict = "met" if cost <= 0.005 else "MISSED"
    beside = f"(without: {without:.2%}); target 0.5%: {verdict}"
    show(f"{count} idle mappings", f"{cost:.2%} of a core", beside)


def cpu_s(pid: int) -> float:
    """CPU time of a process."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """All of it."""
    quick = "--quick" in sys.argv
    with Platform() as platform:
        throughput(platform, "one", 500 if quick else 5_000, BatchSize=1)
        throughput(platform, "ten", 2_000 if quick else 20_000, BatchSize=10)
        throughput(
            platform, "thousand", 5_000 if quick else 50_000,
            BatchSize=1_000, MaximumBatchingWindowInSeconds=1,
        )  # fmt: skip
        latency(platform, 50 if quick else 300)
        idle(platform, 100, 21.0 if quick else 61.0)


if __name__ == "__main__":
    main()
