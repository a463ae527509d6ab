"""Messages through SQS to a function that fails, on a platform that is killed; then each is accounted for.

    .venv/bin/python -m benchmarks.sqs_check [MESSAGES] [--kills 2]

Four queues drive functions: a standard one (75% of the messages, batches of ten), FIFO in batches of one and
of ten, and of ten with more groups than a slow function may run at once. 1% of the messages is poison; of the
invocations 2% fail: they raise, end the process, or time out. What an invocation did it sends to a queue of its
own, and waits for the answer before it answers itself, so nothing that was answered is missing there.
``kill -9`` falls at random moments. Exits 1 when a promise of ``benchmarks/handled.py`` is broken, or something
is stuck.
"""

import argparse
import io
import json
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.durability import ACCOUNT, Victim
from benchmarks.handled import POISON, Account, Attempt

FUNCTION = """
import http.client, json, os, random, time
from urllib.parse import urlsplit

PLACE = urlsplit(os.environ["AWS_ENDPOINT_URL"])
HEAD = {
    "x-amz-target": "AmazonSQS.SendMessage", "content-type": "application/x-amz-json-1.0",
    "authorization": "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/sqs/aws4_request,"
                     " SignedHeaders=host, Signature=0"}
connection = None

def post(body):
    global connection
    if connection is None:
        connection = http.client.HTTPConnection(PLACE.hostname, PLACE.port, timeout=4)
    connection.request("POST", "/", body, HEAD)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(answer.status)

def store(document):
    global connection
    url = f"http://{PLACE.netloc}/000000000000/evidence"
    body = json.dumps({"QueueUrl": url, "MessageBody": json.dumps(document)})
    try:
        post(body)
    except (OSError, http.client.HTTPException):  # it was kept alive too long
        connection = None
        post(body)

def handler(event, context):
    at_ns = time.time_ns()
    records = event["Records"]
    fifo = records[0]["eventSourceARN"].endswith(".fifo")
    breaks = random.random() < 0.02
    rows, failures, stopped = [], [], False
    if context.function_name == "fifo-narrow":
        time.sleep(2)  # so that what waits for it could wait too long
    for record in records:
        outcome = "ok"
        if breaks:
            outcome = "failed"
        elif stopped:
            outcome = "skipped"
        elif record["body"].endswith("!"):
            outcome, stopped = "poison", fifo
        if outcome != "ok":
            failures.append({"itemIdentifier": record["messageId"]})
        receive = int(record["attributes"]["ApproximateReceiveCount"])
        rows.append([record["body"], record["messageId"], receive, outcome])
    store({"id": context.aws_request_id, "queue": context.function_name, "at_ns": at_ns, "rows": rows})
    if breaks:
        way = random.random()
        if way < 0.05:
            time.sleep(60)
        if way < 0.2:
            os._exit(1)
        raise ValueError("by chance")
    return {"batchItemFailures": failures}
"""
VISIBILITY_S = 10
TIMEOUT_S = 5
MAX_RECEIVES = 4
PATIENCE_S = 180.0
"""Without any progress for so long something is stuck."""


@dataclass(frozen=True, slots=True)
class Source:
    """A queue, the function of the same name, and its dead-letter queue."""

    name: str
    share: float
    batch_size: int
    reserved: int = 20
    """Executions of the function; mappings have at most ten."""
    most: int = 1_000_000_000
    """Messages, whatever the share is."""
    group_of: int = 20
    """Messages of a FIFO group."""

    @property
    def fifo(self) -> bool:
        """As the name says."""
        return self.name.startswith("fifo")

    @property
    def queue(self) -> str:
        """The queue's name."""
        return f"{self.name}.fifo" if self.fifo else self.name

    @property
    def dead(self) -> str:
        """The dead-letter queue's name."""
        return f"{self.name}-dead.fifo" if self.fifo else f"{self.name}-dead"


SOURCES = (
    Source("standard", 0.75, 10),
    Source("fifo-1", 0.1, 1),
    Source("fifo-10", 0.1, 10),
    Source("fifo-narrow", 0.05, 10, reserved=2, most=300, group_of=5),
)


class Check:
    """One run: a platform, what was sent to it, and what came of that."""

    def __init__(self, victim: Victim, messages: int, kills: int) -> None:
        self._victim = victim
        self._accounts = {
            each.name: Account(each.queue, MAX_RECEIVES, ordered=each.fifo) for each in SOURCES
        }
        self._counts = {
            each.name: min(int(messages * each.share), each.most) // 10 * 10 for each in SOURCES
        }
        self._kills = kills
        self._total = sum(self._counts.values())
        self._up = threading.Event()
        self._kills_ns: list[int] = []

    def run(self) -> list[str]:
        """Every broken promise."""
        self._victim.start()
        self._victim.wait_until_healthy()
        self._up.set()
        try:
            self._prepare()
            start_s = time.monotonic()
            with ThreadPoolExecutor(8) as pool:
                sends = [pool.submit(self._send_all, each) for each in SOURCES]
                faults = self._watch()
                for send in sends:
                    send.result()
            took_s = time.monotonic() - start_s
            faults += self._collect()
        finally:
            self._victim.kill(signal.SIGINT)
        for account in self._accounts.values():
            print(account.report(), flush=True)
            faults += account.faults()
        print(
            f"{self._total:,} messages, {len(self._kills_ns)} kills, {took_s:.0f} s until all was done with"
        )
        return faults

    # Before

    def _prepare(self) -> None:
        sqs, functions = self._victim.client("sqs"), self._victim.client("lambda")
        sqs.create_queue(QueueName="evidence")
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("app.py", FUNCTION)
        for each in SOURCES:
            kind = {"FifoQueue": "true"} if each.fifo else {}
            sqs.create_queue(QueueName=each.dead, Attributes=kind)
            redrive = {
                "deadLetterTargetArn": ACCOUNT.format("sqs") + each.dead,
                "maxReceiveCount": MAX_RECEIVES,
            }
            sqs.create_queue(
                QueueName=each.queue,
                Attributes=kind
                | {"VisibilityTimeout": str(VISIBILITY_S), "RedrivePolicy": json.dumps(redrive)},
            )
            functions.create_function(
                FunctionName=each.name, Runtime=f"python3.{sys.version_info.minor}",
                Role="arn:aws:iam::000000000000:role/bench", Handler="app.handler",
                Code={"ZipFile": archive.getvalue()}, Timeout=TIMEOUT_S, MemorySize=256,
            )  # fmt: skip
            functions.get_waiter("function_active_v2").wait(FunctionName=each.name)
            functions.put_function_concurrency(
                FunctionName=each.name, ReservedConcurrentExecutions=each.reserved
            )
            functions.create_event_source_mapping(
                FunctionName=each.name, EventSourceArn=ACCOUNT.format("sqs") + each.queue,
                BatchSize=each.batch_size, FunctionResponseTypes=["ReportBatchItemFailures"],
                ScalingConfig={"MaximumConcurrency": 10},
            )  # fmt: skip

    # During

    def _send_all(self, source: Source) -> None:
        """Ten at a time; FIFO until they are acknowledged, standard once, and under new names after that."""
        client, account = self._victim.client("sqs"), self._accounts[source.name]
        rounds = iter(range(1_000_000_000))
        while len(account.acknowledged) < self._counts[source.name]:
            entries = _entries(source, next(rounds))
            while entries:
                try:
                    answer = client.send_message_batch(
                        QueueUrl=self._url(source.queue), Entries=entries
                    )
                except (BotoCoreError, ClientError):
                    self._up.wait(60)
                    time.sleep(0.05)
                    done = set() if source.fifo else {entry["Id"] for entry in entries}
                else:
                    done = {one["Id"] for one in answer["Successful"]}
                    good = [one["MessageBody"] for one in entries if one["Id"] in done]
                    account.acknowledged.update(good)
                entries = [entry for entry in entries if entry["Id"] not in done]
        client.close()

    def _watch(self) -> list[str]:
        """Kills at random points of the work, then waits for its end; says what is stuck."""
        points = sorted(random.uniform(0.02, 0.98) for _ in range(self._kills))
        sqs = self._victim.client("sqs")
        seen, since_s = (-1, -1), time.monotonic()
        while True:
            sent = sum(len(account.acknowledged) for account in self._accounts.values())
            left = sum(self._left(sqs, each.queue) for each in SOURCES)
            if points and sent - left > points[0] * self._total:
                points.pop(0)
                self._kill()
                continue
            if sent >= self._total and not left and not points:
                return []
            if (sent, left) != seen:
                seen, since_s = (sent, left), time.monotonic()
            elif time.monotonic() - since_s > PATIENCE_S:
                counts = {each.queue: self._left(sqs, each.queue) for each in SOURCES}
                return [f"stuck with {sent} of {self._total} sent, left: {counts}"]
            time.sleep(0.1)

    def _kill(self) -> None:
        time.sleep(random.uniform(0.0, 0.5))
        self._up.clear()
        self._victim.kill()
        self._kills_ns.append(time.time_ns())
        self._victim.start()
        self._victim.wait_until_healthy()
        self._up.set()

    # After

    def _collect(self) -> list[str]:
        """Evidence and dead letters into the accounts; what pollers still hold, or queues, is a fault."""
        sqs = self._victim.client("sqs")
        invocations: dict[str, Any] = {}
        for body in self._drain(sqs, "evidence"):
            document = json.loads(body)
            invocations.setdefault(document["id"], document)
        for document in invocations.values():
            attempts = self._accounts[document["queue"]].attempts
            for index, (name, message_id, receive, outcome) in enumerate(document["rows"]):
                attempts.append(
                    Attempt(document["at_ns"], index, name, message_id, receive, outcome)
                )
        for each in SOURCES:
            account = self._accounts[each.name]
            account.dead += self._drain(sqs, each.dead)
            account.kills_ns = self._kills_ns
        with urllib.request.urlopen(f"{self._victim.url}/_lambent/sources", timeout=10) as answer:
            pollers = json.load(answer)["sources"]
        faults = [
            f"{one['source']}: {key} {one[key]}"
            for one in pollers
            for key in ("lag", "in_flight", "given_up")
            if one[key]
        ]
        faults += ["not every mapping is polled"] if len(pollers) != len(SOURCES) else []
        return faults

    def _drain(self, sqs: Any, queue: str) -> list[str]:
        """The bodies of all messages."""
        bodies: list[str] = []
        url = self._url(queue)
        while self._left(sqs, queue):
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            messages = answer.get("Messages", [])
            if messages:
                bodies += [message["Body"] for message in messages]
                sqs.delete_message_batch(
                    QueueUrl=url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                        for number, message in enumerate(messages)
                    ],
                )
        return bodies

    def _left(self, sqs: Any, queue: str) -> int:
        answer = sqs.get_queue_attributes(QueueUrl=self._url(queue), AttributeNames=["All"])
        counts = answer["Attributes"]
        return sum(int(counts[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible"))

    def _url(self, queue: str) -> str:
        return f"{self._victim.url}/000000000000/{queue}"


def _entries(source: Source, number: int) -> list[dict[str, str]]:
    """The ``number``th ten: of a standard queue, or of FIFO one message of each of ten groups."""
    found = []
    for place in range(10):
        if source.fifo:
            name = f"g{number // source.group_of * 10 + place}-{number % source.group_of}"
        else:
            name = f"s-{number * 10 + place}"
        if random.random() < 0.01:
            name += POISON
        entry = {"Id": str(place), "MessageBody": name}
        if source.fifo:
            entry |= {"MessageGroupId": name.partition("-")[0], "MessageDeduplicationId": name}
        found.append(entry)
    return found


def main() -> None:
    """Reads the command line, runs, and tells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=int, nargs="?", default=10_000)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--sandbox", default="auto")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lambent-sqs-check-"))
    victim = Victim(folder / "data", options.sandbox)
    faults = Check(victim, options.messages, options.kills).run()
    for fault in faults[:50]:
        print(fault)
    print(f"{len(faults)} faults")
    if faults:
        print(f"kept: {folder}")
        raise SystemExit(1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
