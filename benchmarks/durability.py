"""``kill -9`` of a platform under load, again and again; then everything it had said yes to is counted.

    .venv/bin/python -m benchmarks.durability [--kills 50]

Producers send asynchronous events, messages of a standard and of a FIFO queue, and publish to a topic that
a queue subscribes to; consumers receive and delete, all through boto3. Each kill falls at a random moment, some
of them while the platform is still starting. Exits 1 when something acknowledged was lost, was stored twice, came
again after its deletion was acknowledged, or overtook others of its FIFO group. Duplicates are a figure: functions
that ran again, and messages that were received again because the kill took their deletion.
"""

import argparse
import io
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.ledger import Ledger

ACCOUNT = "arn:aws:{}:us-east-1:000000000000:"
FUNCTION = """
import http.client, json, os
from urllib.parse import urlsplit
def handler(event, context):
    place = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=10)
    body = {"QueueUrl": f"http://{place.netloc}/000000000000/runs", "MessageBody": event["name"]}
    connection.request("POST", "/", json.dumps(body), {
        "x-amz-target": "AmazonSQS.SendMessage", "content-type": "application/x-amz-json-1.0",
        "authorization": "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/sqs/aws4_request,"
                         " SignedHeaders=host, Signature=0"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(answer.status)
"""
QUEUES = ("runs", "records", "standard", "fanned", "orders.fifo")
VISIBILITY_S = 3
START_DEADLINE_S = 60.0
DRAIN_DEADLINE_S = 180.0


class Victim:
    """A platform on one port and one data directory, however often it is killed."""

    def __init__(self, data_dir: Path, sandbox: str, *options: str) -> None:
        self.port = _quiet_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (data_dir.parent / "platform.log").open("ab")
        self._command = [
            str(Path(sys.executable).parent / "lambent"), "up", "--port", str(self.port),
            "--data", str(data_dir), "--sandbox", sandbox, "--time-scale", "60", *options,
        ]  # fmt: skip

    def start(self) -> None:
        """Starts it; does not wait."""
        self.process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log)

    def wait_until_healthy(self) -> None:
        """Raises RuntimeError at the deadline, or when it ended by itself."""
        end_s = time.monotonic() + START_DEADLINE_S
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/_lambent/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                if time.monotonic() > end_s or self.process.poll() is not None:
                    raise RuntimeError(f"it did not start: see {self._log.name}") from None
            time.sleep(0.02)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Ends it and waits for its end."""
        self.process.send_signal(number)
        self.process.wait(60)

    def client(self, service: str) -> Any:
        """A boto3 client that does not try again: every acknowledgement is one answer."""
        return boto3.client(
            service, endpoint_url=self.url, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=15),
        )  # fmt: skip


def _quiet_port() -> int:
    """A free port outside the range from which clients' own ports come: nobody takes it between two lives."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


class Load:
    """Producers and consumers, a thread and a client each, that go on while the platform comes and goes."""

    def __init__(self, victim: Victim) -> None:
        self._victim = victim
        self.events = Ledger("events: handled", may_repeat=True)
        self.records = Ledger("events: their record")
        self.standard = Ledger("SQS standard")
        self.orders = Ledger("SQS FIFO", ordered=True)
        self.fanned = Ledger("SNS to SQS")
        self._ending, self._done = threading.Event(), threading.Event()
        self._producers = [
            *(self._thread(self._produce, n, "lambda", self._send_event) for n in range(2)),
            *(self._thread(self._produce, n, "sqs", self._send_batch) for n in range(2)),
            *(self._thread(self._produce, n, "sqs", self._send_order) for n in range(3)),
            self._thread(self._produce, 0, "sns", self._publish),
        ]
        self._consumers = [
            self._thread(self._consume, "runs", self.events, str),
            self._thread(self._consume, "records", self.records, _name_in_record),
            *(self._thread(self._consume, "standard", self.standard, str) for _ in range(2)),
            *(self._thread(self._consume, "orders.fifo", self.orders, str) for _ in range(2)),
            self._thread(self._consume, "fanned", self.fanned, str),
        ]

    @property
    def ledgers(self) -> tuple[Ledger, ...]:
        """All accounts."""
        return (self.events, self.records, self.standard, self.orders, self.fanned)

    def _thread(self, work: Callable[..., None], *given: Any) -> threading.Thread:
        return threading.Thread(target=work, args=given, daemon=True)

    def start(self) -> None:
        """Begins."""
        for thread in (*self._producers, *self._consumers):
            thread.start()

    def finish(self) -> None:
        """Stops producing, then waits until all that was acknowledged has come, at most to the deadline."""
        self._ending.set()
        for thread in self._producers:
            thread.join(60)
        end_s = time.monotonic() + DRAIN_DEADLINE_S
        while any(one.missing() for one in self.ledgers) and time.monotonic() < end_s:
            time.sleep(0.1)
        time.sleep(VISIBILITY_S + 1)  # what comes too often has had its chance
        self._done.set()
        for thread in self._consumers:
            thread.join(60)

    # Producers: ``send(client, names)`` raises when it was not told yes

    def _produce(self, number: int, service: str, send: Callable[[Any, list[str]], None]) -> None:
        client = self._victim.client(service)
        count = 0
        while not self._ending.is_set():
            try:
                send(client, [f"{service}{number}-{count + n}" for n in range(10)])
            except (BotoCoreError, ClientError):
                # A FIFO group's number is sent again until it is acknowledged; others take a new one.
                count += send != self._send_order
                self._ending.wait(0.02)
            else:
                count += 1 if send != self._send_batch else 10
        client.close()

    def _send_event(self, client: Any, names: list[str]) -> None:
        payload = json.dumps({"name": names[0]})
        client.invoke(FunctionName="sink", InvocationType="Event", Payload=payload)
        self.events.acknowledge(names[:1])
        self.records.acknowledge(names[:1])
        self._ending.wait(0.005)

    def _send_batch(self, client: Any, names: list[str]) -> None:
        entries = [{"Id": str(n), "MessageBody": name} for n, name in enumerate(names)]
        answer = client.send_message_batch(QueueUrl=self._url("standard"), Entries=entries)
        self.standard.acknowledge([names[int(one["Id"])] for one in answer["Successful"]])
        self._ending.wait(0.02)

    def _send_order(self, client: Any, names: list[str]) -> None:
        client.send_message(
            QueueUrl=self._url("orders.fifo"), MessageBody=names[0],
            MessageGroupId=names[0].partition("-")[0], MessageDeduplicationId=names[0],
        )  # fmt: skip
        self.orders.acknowledge(names[:1])

    def _publish(self, client: Any, names: list[str]) -> None:
        client.publish(TopicArn=ACCOUNT.format("sns") + "news", Message=names[0])
        self.fanned.acknowledge(names[:1])

    # Consumers

    def _consume(self, queue: str, ledger: Ledger, name_of: Callable[[str], str]) -> None:
        client = self._victim.client("sqs")
        while not self._done.is_set():
            try:
                self._take(client, queue, ledger, name_of)
            except (BotoCoreError, ClientError):
                self._done.wait(0.02)
        client.close()

    def _take(self, client: Any, queue: str, ledger: Ledger, name_of: Callable[[str], str]) -> None:
        answer = client.receive_message(
            QueueUrl=self._url(queue), MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        messages = answer.get("Messages", [])
        if not messages:
            return
        names = [name_of(message["Body"]) for message in messages]
        ledger.receive(
            [(name, one["MessageId"]) for name, one in zip(names, messages, strict=True)]
        )
        entries = [
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
            for n, message in enumerate(messages)
        ]
        done = client.delete_message_batch(QueueUrl=self._url(queue), Entries=entries)
        ledger.delete([names[int(one["Id"])] for one in done["Successful"]])

    def _url(self, queue: str) -> str:
        return f"{self._victim.url}/000000000000/{queue}"


def _name_in_record(body: str) -> str:
    return str(json.loads(body)["requestPayload"]["name"])


def prepare(victim: Victim) -> None:
    """Queues, a topic with its subscription, and the function with its destination."""
    sqs, sns, functions = (victim.client(one) for one in ("sqs", "sns", "lambda"))
    for name in QUEUES:
        attributes = {"VisibilityTimeout": str(VISIBILITY_S)}
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        if name == "fanned":
            statement = {
                "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage", "Resource": ACCOUNT.format("sqs") + name,
            }  # fmt: skip
            attributes["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.create_queue(QueueName=name, Attributes=attributes)
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=ACCOUNT.format("sqs") + "fanned",
        Attributes={"RawMessageDelivery": "true"},
    )  # fmt: skip
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", FUNCTION)
    functions.create_function(
        FunctionName="sink", Runtime=f"python3.{sys.version_info.minor}", Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/bench", Code={"ZipFile": archive.getvalue()},
        Timeout=30, MemorySize=512,
    )  # fmt: skip
    records = {"Destination": ACCOUNT.format("sqs") + "records"}
    functions.put_function_event_invoke_config(
        FunctionName="sink", DestinationConfig={"OnSuccess": records, "OnFailure": records}
    )
    for client in (sqs, sns, functions):
        client.close()


def run(kills: int, sandbox: str, folder: Path) -> list[str]:
    """Kills so often; every broken promise."""
    victim = Victim(folder / "data", sandbox)
    victim.start()
    load = Load(victim)
    try:
        victim.wait_until_healthy()
        prepare(victim)
        load.start()
        for number in range(kills):
            if number % 5 != 4:  # every fifth one falls somewhere in the start
                victim.wait_until_healthy()
            time.sleep(random.uniform(0.0, 1.2))
            victim.kill()
            victim.start()
        victim.wait_until_healthy()
        load.finish()
    finally:
        victim.kill(signal.SIGINT)
    for ledger in load.ledgers:
        print(ledger.report(), flush=True)
    return [fault for ledger in load.ledgers for fault in ledger.faults()] + [
        f"{ledger.name}: nothing was acknowledged"
        for ledger in load.ledgers
        if not ledger.acknowledged
    ]


def main() -> None:
    """Reads the command line, kills, and tells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--sandbox", default="auto")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lambent-durability-"))
    start_s = time.monotonic()
    faults = run(options.kills, options.sandbox, folder)
    for fault in faults[:50]:
        print(fault)
    print(f"{options.kills} kills, {len(faults)} faults, {time.monotonic() - start_s:.0f} s")
    if faults:
        print(f"kept: {folder}")
        raise SystemExit(1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
