"""Events and queues through HTTP from another process, each figure beside a floor of the same run.

.venv/bin/python -m benchmarks.queue_http [--seconds S] [--waiting N]
"""

import argparse
import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.floors import with_echo
from benchmarks.harness import AUTHORIZATION, Connection, Platform, request_bytes
from benchmarks.invoke import percentile, throughput
from benchmarks.queue import FEW, insert_floor, now_ms, show
from lambent.app import new_event_loop_factory
from lambent.store.queues.contract import Message, NewMessage, Transaction
from lambent.store.queues.sqlite import SqliteQueueStore

BODY = "x" * 1000
STARTED = "import time\ndef handler(event, context): print('AT', event['n'], time.time_ns())\n"
WAITS = "import time\ndef handler(event, context): time.sleep(20)\n"
CLIENTS = (1, 16, 64)


def sqs_bytes(operation: str, **members: object) -> bytes:
    """An SQS request of the JSON protocol, ready to send."""
    body = json.dumps(members).encode()
    head = (
        f"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-amz-target: AmazonSQS.{operation}\r\n"
        f"authorization: {AUTHORIZATION.replace('/lambda/', '/sqs/')}\r\n"
        f"content-type: application/x-amz-json-1.0\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def event_bytes(name: str, payload: bytes) -> bytes:
    """An asynchronous invocation, ready to send."""
    plain = request_bytes("POST", f"/2015-03-31/functions/{name}/invocations", payload)
    return plain.replace(b"\r\n\r\n", b"\r\nx-amz-invocation-type: Event\r\n\r\n", 1)


class Queue:
    """One queue of a platform, by a connection of its own."""

    def __init__(self, port: int, name: str) -> None:
        self.url = f"http://127.0.0.1:{port}/000000000000/{name}"
        self._connection = Connection(port)

    def call(self, operation: str, **members: object) -> dict[str, list[dict[str, str]]]:
        """One operation on it."""
        data = sqs_bytes(operation, QueueUrl=self.url, **members)
        status, _, body = self._connection.call(data)
        assert status == 200, body
        document: dict[str, list[dict[str, str]]] = json.loads(body or b"{}")
        return document

    def receive_ms(self) -> float:
        """How long receiving ten takes; they are deleted and ten others are sent."""
        start_s = time.perf_counter()
        messages = self.call("ReceiveMessage", MaxNumberOfMessages=10)["Messages"]
        took_ms = (time.perf_counter() - start_s) * 1000
        entries = [
            {"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)
        ]
        self.call("DeleteMessageBatch", Entries=entries)
        self.call(
            "SendMessageBatch",
            Entries=[{"Id": str(n), "MessageBody": BODY} for n in range(len(messages))],
        )
        return took_ms


def rate(port: int, data: bytes, clients: int, seconds: float) -> float:
    """Requests a second."""
    with asyncio.Runner(loop_factory=new_event_loop_factory()) as runner:
        return runner.run(throughput(port, data, clients, seconds))


def rates(name: str, port: int, data: bytes, seconds: float, floors: dict[int, float]) -> None:
    """One line a number of clients, beside the same request answered by a bare echo."""
    for clients in CLIENTS:
        found = rate(port, data, clients, seconds)
        show(f"{name}, {clients} clients", found, floors[clients], "(echo over HTTP)")


def cpu_s(platform: Platform) -> float:
    """Processor time of the platform's own process so far."""
    fields = Path(f"/proc/{platform.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def events(platform: Platform, seconds: float, floors: dict[int, float]) -> None:
    """Accepted a second: the function is busy, so that nothing but accepting is measured."""
    platform.create("waits", WAITS)
    path = "/2017-10-31/functions/waits/concurrency"
    body = json.dumps({"ReservedConcurrentExecutions": 1}).encode()
    assert platform.connection.call(request_bytes("PUT", path, body))[0] == 200
    data = event_bytes("waits", json.dumps({"n": 1, "text": BODY}).encode())
    rates("events accepted", platform.port, data, seconds, floors)


def starts(platform: Platform, count: int, gap_s: float) -> None:
    """From the request to the handler's first line, a warm function, with idleness before each."""
    platform.create("started", STARTED)
    connection = Connection(platform.port)
    warm = request_bytes("POST", "/2015-03-31/functions/started/invocations", b'{"n": -1}')
    assert connection.call(warm)[0] == 200
    sent, answered = {}, {}
    for number in range(count):
        time.sleep(gap_s)
        sent[number] = time.time_ns()
        assert connection.call(event_bytes("started", b'{"n": %d}' % number))[0] == 202
        answered[number] = time.time_ns()
    time.sleep(1)
    began = _began(platform)
    note = f"{gap_s * 1000:.0f} ms of idleness before each, {len(began)} of {count}"
    for what, since in (("request sent", sent), ("202 received", answered)):
        times = [(at - since[number]) / 1e6 for number, at in began.items()]
        line = f"{what} to handler starts"
        print(
            f"{line:<40} p50 {statistics.median(times):6.2f} p99 {percentile(times, 0.99):6.2f} ms   {note}"
        )


def _began(platform: Platform) -> dict[int, int]:
    """Number → when its handler started, from the function's log."""
    found: dict[int, int] = {}
    members: dict[str, object] = {"logGroupName": "/aws/lambda/started", "filterPattern": "AT"}
    while True:
        data = sqs_bytes("x", **members).replace(b"AmazonSQS.x", b"Logs_20140328.FilterLogEvents")
        status, _, body = platform.connection.call(data.replace(b"/sqs/", b"/logs/"))
        assert status == 200, body
        answer = json.loads(body)
        for event in answer["events"]:
            word, number, at = ([*event["message"].split(), "", ""])[:3]
            if word == "AT" and int(number) >= 0:
                found[int(number)] = int(at)
        if "nextToken" not in answer:
            return found
        members["nextToken"] = answer["nextToken"]


def queues(platform: Platform, seconds: float, floors: dict[int, float]) -> None:
    """Sends and receives a second."""
    for name in ("sent", "received"):
        platform.connection.call(sqs_bytes("CreateQueue", QueueName=name))
    sent, received = Queue(platform.port, "sent"), Queue(platform.port, "received")
    data = sqs_bytes("SendMessage", QueueUrl=sent.url, MessageBody=BODY)
    rates("SendMessage", platform.port, data, seconds, floors)
    entries = [{"Id": str(n), "MessageBody": BODY} for n in range(10)]
    data = sqs_bytes("SendMessageBatch", QueueUrl=received.url, Entries=entries)
    rates("SendMessageBatch of 10", platform.port, data, seconds, floors)
    for count in (1, 10):
        data = sqs_bytes("ReceiveMessage", QueueUrl=received.url, MaxNumberOfMessages=count)
        # Short: what is received stays in flight, and of an empty queue nothing is measured.
        rates(f"ReceiveMessage of {count}", platform.port, data, seconds / count, floors)
    assert received.call("ReceiveMessage")["Messages"], "it ran empty while it was measured"


async def fill(path: Path, counts: dict[str, int]) -> None:
    """Copies the message each queue has until it has so many: through the store, as sending would take long."""
    store = SqliteQueueStore(path)
    await store.open()
    for name, count in counts.items():
        key = await store.run(partial(_key_of, name=name))
        for start in range(1, count, 1000):
            size = min(1000, count - start)
            await store.run(partial(_copy, key=key, start=start, size=size))
    await store.close()


def _key_of(tx: Transaction, name: str) -> str:
    return next(q.key for q in tx.list_queues("", None, 1000) if q.key.endswith(f"/{name}"))


def _copy(tx: Transaction, key: str, start: int, size: int) -> None:
    queue = tx.find_queue(key)
    assert queue is not None
    one: Message = tx.browse(queue.queue_id, 0, 1)[0]
    new = [
        NewMessage(f"{start + n:08x}-0000-4000-8000-000000000000", one.body, one.attributes)
        for n in range(size)
    ]
    tx.send(queue.queue_id, new, now_ms())


def waiting(folder: Path, many: int, rounds: int = 300) -> None:
    """Receives of ten from two queues in turns, a thousand waiting in one and many in the other."""
    counts = {"few": FEW, "many": many}
    with Platform(folder) as platform:
        for name in counts:
            platform.connection.call(sqs_bytes("CreateQueue", QueueName=name))
            Queue(platform.port, name).call("SendMessage", MessageBody=BODY)
    with asyncio.Runner(loop_factory=new_event_loop_factory()) as runner:
        runner.run(fill(folder / "queues.db", counts))
    with Platform(folder) as platform:
        both = {name: Queue(platform.port, name) for name in counts}
        times: dict[str, list[float]] = {name: [] for name in counts}
        for _ in range(rounds):
            for name, queue in both.items():
                times[name].append(queue.receive_ms())
    for name, count in counts.items():
        p50, p99 = statistics.median(times[name]), percentile(times[name], 0.99)
        print(f"ReceiveMessage of 10; {count:>9,} wait            p50 {p50:6.2f} p99 {p99:6.2f} ms")
    ratio = statistics.median(times["many"]) / statistics.median(times["few"])
    print(f"  {many:,} waiting against {FEW:,}: {ratio:.2f} of the time")


def measure(folder: Path, seconds: float, many: int) -> None:
    """Everything, in order."""
    echo = {clients: with_echo(_echo_rate(clients, min(seconds, 2))) for clients in CLIENTS}
    for group in (1, 16):
        show(
            f"floor: SQLite insert, groups of {group}",
            insert_floor(folder, BODY.encode(), group, 1),
        )
    with Platform() as platform:
        starts(platform, 200, 0.05)
        starts_cpu = cpu_s(platform)
        queues(platform, seconds, echo)
        events(platform, seconds, echo)
        print(f"platform's processor time: {cpu_s(platform) - starts_cpu:.1f} s")
    waiting(folder / "data", many)


def _echo_rate(clients: int, seconds: float) -> Callable[[int], float]:
    data = event_bytes("echo", BODY.encode())
    return lambda port: rate(port, data, clients, seconds)


def main() -> None:
    """Reads the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lambent-bench-"))
    try:
        measure(folder, options.seconds, options.waiting)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
