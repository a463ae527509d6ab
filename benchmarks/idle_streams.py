"""What a hundred idle mappings of streams cost the platform: of one core, its own process only.

    .venv/bin/python -m benchmarks.idle_streams [--mappings 100] [--seconds 60]

Kinesis at an endpoint of its own (``kinesis_server.py``), at AWS's rate and after five quiet minutes
(``--quiet``); Kinesis and DynamoDB streams of the embedded neighbour, where writes are told; and how long a
record takes to its handler from there.
"""

import argparse
import os
import statistics
import time
from typing import Any

from benchmarks.harness import Platform
from benchmarks.kinesis_server import KinesisServer
from benchmarks.sources import ACCOUNT, client, wait_for

FUNCTION = "import time\ndef handler(event, context):\n    print('AT', time.time())\n"
_TICKS_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """What a process has used."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_S


def share(platform: Platform, seconds: float) -> float:
    """Of one core, over that time."""
    before_s, began_s = cpu_s(platform.process.pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_s(platform.process.pid) - before_s) / (time.monotonic() - began_s)


def attach(platform: Platform, arns: list[str]) -> None:
    """A mapping of each, all of one function."""
    platform.create("f", FUNCTION)
    functions = client(platform, "lambda")
    functions.get_waiter("function_active_v2").wait(FunctionName="f")
    made = [
        functions.create_event_source_mapping(
            FunctionName="f", EventSourceArn=arn, StartingPosition="TRIM_HORIZON"
        )["UUID"]
        for arn in arns
    ]
    wait_for(
        lambda: all(
            functions.get_event_source_mapping(UUID=uuid)["State"] == "Enabled" for uuid in made
        )
    )


def stream_arn(name: str) -> str:
    """Of a Kinesis stream."""
    return f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{name}"


def at_an_endpoint(mappings: int, seconds: float, *, quiet: bool) -> None:
    """Others may write to it: it is polled."""
    with KinesisServer("s", 1) as stream:
        options = ("--neighbour", f"kinesis={stream.url},unsigned", "--sandbox", "process")
        with Platform(None, *options) as platform:
            attach(platform, [stream_arn(f"s{number}") for number in range(mappings)])
            time.sleep(5)
            reads, began_s = stream.reads, time.monotonic()
            used = share(platform, seconds)
            rate = (stream.reads - reads) / (time.monotonic() - began_s)
            print(
                f"endpoint: {used:.2%} of a core, {rate:.0f} reads/s, {used / rate * 1e3:.2f} ms each"
            )
            if quiet:
                time.sleep(320)
                print(f"endpoint, quiet: {share(platform, seconds):.2%} of a core")


def embedded(mappings: int, seconds: float) -> None:
    """Written to through the platform only."""
    with Platform(None, "--sandbox", "process") as platform:
        kinesis, dynamodb = client(platform, "kinesis"), client(platform, "dynamodb")
        half = mappings // 2
        arns = []
        for number in range(half):
            kinesis.create_stream(StreamName=f"s{number}", ShardCount=1)
            arns.append(stream_arn(f"s{number}"))
            made = dynamodb.create_table(
                TableName=f"table-{number}",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            )
            arns.append(made["TableDescription"]["LatestStreamArn"])
        attach(platform, arns)
        time.sleep(100)
        print(f"embedded, quiet: {share(platform, seconds):.2%} of a core")
        latencies = [latency_ms(platform, kinesis, number) for number in range(5)]
        print(f"embedded, quiet: put to handler {statistics.median(latencies):.0f} ms")


def latency_ms(platform: Platform, kinesis: Any, number: int) -> float:
    """Of one record, after everything was quiet."""
    logs = client(platform, "logs")
    began_s = time.time()
    kinesis.put_record(StreamName=f"s{number}", PartitionKey="k", Data=b"x")

    def found() -> list[float]:
        events = logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern="AT")["events"]
        lines = [each["message"] for each in events if each["message"].startswith("AT ")]
        return [at_s for line in lines if (at_s := float(line.split()[1])) > began_s]

    time.sleep(1)
    wait_for(found)
    (at_s,) = found()
    time.sleep(15)  # quiet again
    return (at_s - began_s) * 1000


def main() -> None:
    """Reads the command line, runs, and tells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mappings", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    embedded(options.mappings, options.seconds)
    at_an_endpoint(options.mappings, options.seconds, quiet=options.quiet)


if __name__ == "__main__":
    main()
