"""Records of a stream through a function that fails, on a platform that is killed; then each is accounted for.

    .venv/bin/python -m benchmarks.streams_check [RECORDS] [--kills 2] [--shards 4]

The stream is ``kinesis_server.py``, in the checker's own process. 1% of the records is poison, which the function
reports. 2% of the invocations fail as a whole: they raise, end the process, or time out. What an invocation did it
sends to a queue of the platform's and waits for the answer before it answers itself. ``kill -9`` falls at random
moments. Exits 1 when a promise of ``handled_stream.py`` is broken, or something is stuck.
"""

import argparse
import io
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

from benchmarks.durability import ACCOUNT, Victim
from benchmarks.handled_stream import POISON, Attempt, StreamAccount
from benchmarks.kinesis_server import KinesisServer, index_of
from lambent.sources.stream_batch import choose_lane

FUNCTION = """
import base64, http.client, json, os, random, time
from urllib.parse import urlsplit

PLACE = urlsplit(os.environ["AWS_ENDPOINT_URL"])
HEAD = {
    "x-amz-target": "AmazonSQS.SendMessage", "content-type": "application/x-amz-json-1.0",
    "authorization": "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/sqs/aws4_request,"
                     " SignedHeaders=host, Signature=0"}

def store(document):
    url = f"http://{PLACE.netloc}/000000000000/evidence"
    connection = http.client.HTTPConnection(PLACE.hostname, PLACE.port, timeout=4)
    body = json.dumps({"QueueUrl": url, "MessageBody": json.dumps(document)})
    connection.request("POST", "/", body, HEAD)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(answer.status)

def handler(event, context):
    at_ns = time.time_ns()
    breaks = random.random() < 0.02
    rows, failures = [], []
    for record in event["Records"]:
        name = base64.b64decode(record["kinesis"]["data"]).decode()
        outcome = "ok"
        if breaks:
            outcome = "failed"
        elif failures:
            outcome = "skipped"
        elif name.endswith("!"):
            outcome = "poison"
            failures.append({"itemIdentifier": record["kinesis"]["sequenceNumber"]})
        rows.append([name, outcome])
    store({"id": context.aws_request_id, "at_ns": at_ns, "rows": rows})
    if breaks:
        way = random.random()
        if way < 0.05:
            time.sleep(60)
        if way < 0.2:
            os._exit(1)
        raise ValueError("by chance")
    return {"batchItemFailures": failures}
"""
STREAM = "records"
KEYS = 400
FACTOR = 4
BATCH_SIZE = 100
RETRIES = 2
TIMEOUT_S = 5
PATIENCE_S = 180.0
"""Without any progress for so long something is stuck."""


class Check:
    """One run: a platform, what was in the stream, and what came of that."""

    def __init__(self, victim: Victim, stream: KinesisServer, records: int, kills: int) -> None:
        self._victim = victim
        self._stream = stream
        self._account = StreamAccount(RETRIES + 1)
        self._records = records
        self._kills = kills

    def run(self) -> list[str]:
        """Every broken promise."""
        self._fill()
        self._victim.start()
        self._victim.wait_until_healthy()
        try:
            self._prepare()
            start_s = time.monotonic()
            faults = self._watch()
            took_s = time.monotonic() - start_s
            faults += self._collect()
        finally:
            self._victim.kill(signal.SIGINT)
        print(self._account.report())
        print(
            f"{len(self._stream.shards)} shards, {len(self._account.kills_ns)} kills, "
            f"{self._invocations:,} invocations, {took_s:.0f} s until all was done with, "
            f"{self._records / took_s:,.0f} records/s"
        )
        return faults + self._account.faults()

    def _fill(self) -> None:
        shards = list(self._stream.shards.values())
        for number in range(self._records):
            key = f"k{number % KEYS}"
            name = f"{key}-{number // KEYS}{POISON if random.random() < 0.01 else ''}"
            shards[number % KEYS % len(shards)].put(key, name.encode())
            self._account.names.append(name)

    def _prepare(self) -> None:
        sqs, functions = self._victim.client("sqs"), self._victim.client("lambda")
        for queue in ("evidence", "dead"):
            sqs.create_queue(QueueName=queue)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("app.py", FUNCTION)
        functions.create_function(
            FunctionName="f", Runtime=f"python3.{sys.version_info.minor}",
            Role="arn:aws:iam::000000000000:role/bench", Handler="app.handler",
            Code={"ZipFile": archive.getvalue()}, Timeout=TIMEOUT_S, MemorySize=256,
        )  # fmt: skip
        functions.get_waiter("function_active_v2").wait(FunctionName="f")
        functions.create_event_source_mapping(
            FunctionName="f", EventSourceArn=ACCOUNT.format("kinesis") + f"stream/{STREAM}",
            StartingPosition="TRIM_HORIZON", BatchSize=BATCH_SIZE, ParallelizationFactor=FACTOR,
            BisectBatchOnFunctionError=True, MaximumRetryAttempts=RETRIES,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            DestinationConfig={"OnFailure": {"Destination": ACCOUNT.format("sqs") + "dead"}},
        )  # fmt: skip

    def _watch(self) -> list[str]:
        """Kills at random points of the work, then waits for its end; says what is stuck."""
        points = sorted(random.uniform(0.05, 0.95) for _ in range(self._kills))
        seen, since_s = -1, time.monotonic()
        while True:
            done, waiting = self._progress()
            if points and done > points[0] * self._records:
                points.pop(0)
                time.sleep(random.uniform(0.0, 0.5))
                self._victim.kill()
                self._account.kills_ns.append(time.time_ns())
                self._victim.start()
                self._victim.wait_until_healthy()
                continue
            if done >= self._records and not waiting and not points:
                return []
            if done != seen:
                seen, since_s = done, time.monotonic()
            elif time.monotonic() - since_s > PATIENCE_S:
                return [f"stuck with {done} of {self._records}, {waiting} waiting"]
            time.sleep(0.2)

    def _progress(self) -> tuple[int, int]:
        """Records that the checkpoints have passed, and those that are in hand."""
        try:
            with urllib.request.urlopen(
                f"{self._victim.url}/_lambent/sources", timeout=10
            ) as answer:
                (mapping,) = json.load(answer)["sources"]
        except (urllib.error.URLError, ValueError):
            return -1, 0
        done = waiting = 0
        for shard in mapping.get("shards", ()):
            waiting += shard["waiting"]
            number = shard["sequence_number"]
            if number is not None:
                done += index_of(number) + (shard["position"] == "AFTER_SEQUENCE_NUMBER")
        return done, waiting

    def _collect(self) -> list[str]:
        sqs = self._victim.client("sqs")
        invocations: dict[str, Any] = {}
        for body in self._drain(sqs, "evidence"):
            document = json.loads(body)
            invocations.setdefault(document["id"], document)
        self._invocations = len(invocations)
        for document in invocations.values():
            for index, (name, outcome) in enumerate(document["rows"]):
                self._account.attempts.append(Attempt(document["at_ns"], index, name, outcome))
        faults = []
        for body in self._drain(sqs, "dead"):
            record = json.loads(body)
            info, context = record["KinesisBatchInfo"], record["requestContext"]
            names = self._names(info)
            self._account.given_up += names
            if len(names) != info["batchSize"]:
                faults.append(f"{info} is not what is there")
            if context["approximateInvokeCount"] < RETRIES + 1:
                faults.append(f"{names} was given up: {context}")
        return faults

    def _names(self, info: dict[str, Any]) -> list[str]:
        """The records of a piece: those of its first one's lane, from there to its last."""
        records = self._stream.shards[info["shardId"]].records
        first, last = index_of(info["startSequenceNumber"]), index_of(info["endSequenceNumber"])
        lane = choose_lane(records[first][0], FACTOR)
        return [
            data.decode()
            for key, data, _ in records[first : last + 1]
            if choose_lane(key, FACTOR) == lane
        ]

    def _drain(self, sqs: Any, queue: str) -> list[str]:
        bodies: list[str] = []
        url = f"{self._victim.url}/000000000000/{queue}"
        while True:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            messages = answer.get("Messages", [])
            if not messages:
                return bodies
            bodies += [message["Body"] for message in messages]
            sqs.delete_message_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages)
                ],
            )


def main() -> None:
    """Reads the command line, runs, and tells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=int, nargs="?", default=10_000)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--sandbox", default="auto")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lambent-streams-check-"))
    with KinesisServer(STREAM, options.shards) as stream:
        neighbour = ("--neighbour", f"kinesis={stream.url},unsigned")
        victim = Victim(folder / "data", options.sandbox, *neighbour)
        faults = Check(victim, stream, options.records, options.kills).run()
    for fault in faults[:50]:
        print(fault)
    print(f"{len(faults)} faults")
    if faults:
        print(f"kept: {folder}")
        raise SystemExit(1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
