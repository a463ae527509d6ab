"""SQS queues driving functions, end to end: batches, windows, failures, filters, FIFO, limits, restarts."""

import itertools
import json
import signal
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ACCOUNT = "000000000000"
HANDLER = """
    import json, time

    def handler(event, context):
        records = event["Records"]
        print("BATCH " + json.dumps([r["body"] for r in records]))
        {rest}
"""


@dataclass
class Driven:
    """A function, the queue that drives it, and what its log says it was invoked with."""

    functions: Any
    sqs: Any
    logs: Any
    name: str
    url: str
    mapping: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The queue's ARN."""
        return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{self.url.rpartition('/')[2]}"

    def batches(self) -> list[list[str]]:
        """The bodies of each invocation, by the time they were logged."""
        return [json.loads(line[6:]) for line in self.lines("BATCH ")]

    def bodies(self) -> list[str]:
        """The bodies of all of them."""
        return [body for batch in self.batches() for body in batch]

    def lines(self, prefix: str) -> list[str]:
        """What the function printed that begins so."""
        pages = self.logs.get_paginator("filter_log_events")
        try:
            found = [
                event["message"].strip()
                for page in pages.paginate(logGroupName=f"/aws/lambda/{self.name}")
                for event in page["events"]
            ]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [line for line in found if line.startswith(prefix)]

    def send(self, *bodies: str, **more: Any) -> None:
        """Sends messages, ten in one request."""
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(number), "MessageBody": body, **more}
                for number, body in enumerate(bodies[start : start + 10])
            ]
            self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def left(self) -> int:
        """Messages that are not deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        shown = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(shown["Attributes"][name]) for name in names)

    def attach(self, poll: Any, **settings: Any) -> str:
        """Makes the mapping and waits until it has arrived in its state."""
        made = self.functions.create_event_source_mapping(
            FunctionName=self.name, EventSourceArn=self.arn, **settings
        )
        assert made["State"] == "Creating"
        self.mapping = made["UUID"]
        self.arrive(poll, "Disabled" if settings.get("Enabled") is False else "Enabled")
        return self.mapping

    def state(self) -> str:
        """The mapping's state."""
        return str(self.functions.get_event_source_mapping(UUID=self.mapping)["State"])

    def arrive(self, poll: Any, state: str) -> None:
        """Waits until the mapping is in that state."""
        poll(lambda: self.state() == state, 10, f"the mapping to be {state}")

    def update(self, poll: Any, state: str, **settings: Any) -> None:
        """Changes the mapping and waits until it is in that state."""
        self.functions.update_event_source_mapping(UUID=self.mapping, **settings)
        self.arrive(poll, state)


@pytest.fixture
def drive(platform: Any, deploy: Any, client: Any, logs: Any) -> Iterator[Callable[..., Driven]]:
    """Deploys a function and makes its queue; both go after the test."""
    sqs = platform.client("sqs")
    made: list[Driven] = []

    def make(rest: str = "return None", *, fifo: bool = False, **queue: str) -> Driven:
        settings = {"VisibilityTimeout": "10"} | queue
        if fifo:
            settings |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        name = f"q-{uuid.uuid4().hex[:12]}" + (".fifo" if fifo else "")
        url = sqs.create_queue(QueueName=name, Attributes=settings)["QueueUrl"]
        function = deploy(HANDLER.replace("{rest}", rest), Timeout=5)
        made.append(Driven(client, sqs, logs, function.name, url))
        return made[-1]

    yield make
    for each in made:
        if each.mapping:
            client.delete_event_source_mapping(UUID=each.mapping)
        sqs.delete_queue(QueueUrl=each.url)
    sqs.close()


def test_the_event_is_awss(drive: Any, deploy: Any, platform: Any, poll: Any) -> None:
    """A message comes with every member AWS gives it; what was handled is deleted, the result said."""
    driven = drive('print("EVENT " + json.dumps(event))')
    driven.attach(poll)
    attributes = {
        "text": {"StringValue": "x", "DataType": "String"},
        "bytes": {"BinaryValue": b"\x00\xff", "DataType": "Binary"},
    }
    sent = driven.sqs.send_message(
        QueueUrl=driven.url, MessageBody="héllo", MessageAttributes=attributes
    )
    poll(lambda: driven.lines("EVENT "), 10, "the invocation")
    (record,) = json.loads(driven.lines("EVENT ")[0][6:])["Records"]
    assert len(record.pop("receiptHandle")) > 20
    system = record.pop("attributes")
    assert set(system) == {
        "ApproximateReceiveCount",
        "SentTimestamp",
        "SenderId",
        "ApproximateFirstReceiveTimestamp",
    }
    assert system["ApproximateReceiveCount"] == "1"
    empty: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
    assert record == {
        "messageId": sent["MessageId"],
        "body": "héllo",
        "messageAttributes": {
            "text": {"stringValue": "x", "dataType": "String", **empty},
            "bytes": {"binaryValue": "AP8=", "dataType": "Binary", **empty},
        },
        "md5OfBody": sent["MD5OfMessageBody"],
        "md5OfMessageAttributes": sent["MD5OfMessageAttributes"],
        "eventSource": "aws:sqs",
        "eventSourceARN": driven.arn,
        "awsRegion": "us-east-1",
    }
    poll(lambda: driven.left() == 0, 10, "the message to be deleted")

    def result() -> bool:
        shown = driven.functions.get_event_source_mapping(UUID=driven.mapping)
        return bool(shown.get("LastProcessingResult") == "OK")

    poll(result, 10, "the result")


def test_batches_are_as_large_as_they_may_be(drive: Any, poll: Any) -> None:
    """A backlog comes in batches of at most BatchSize; with a window they fill up across receives."""
    driven = drive()
    driven.attach(poll, BatchSize=4, Enabled=False)
    bodies = [str(number) for number in range(40)]
    driven.send(*bodies)
    driven.update(poll, "Enabled", Enabled=True)
    poll(lambda: driven.left() == 0, 15, "all to be handled")
    poll(lambda: sum(map(len, driven.batches())) == 40, 10, "the log")
    assert max(map(len, driven.batches())) == 4
    assert sorted(driven.bodies()) == sorted(bodies)
    driven.update(poll, "Disabled", Enabled=False)
    driven.send(*(f"w{number}" for number in range(60)))
    driven.update(poll, "Enabled", Enabled=True, BatchSize=50, MaximumBatchingWindowInSeconds=1)
    poll(lambda: driven.left() == 0, 15, "all to be handled")
    poll(lambda: sum(map(len, driven.batches())) == 100, 10, "the log")
    assert [len(batch) for batch in driven.batches() if batch[0].startswith("w")] == [50, 10]


def test_a_partial_answer_deletes_the_rest(drive: Any, poll: Any) -> None:
    """Of a batch only what was reported comes again, and a malformed report brings all of it back."""
    rest = """failed = [{"itemIdentifier": r["messageId"]} for r in records
                  if r["body"] == "bad" and r["attributes"]["ApproximateReceiveCount"] == "1"]
        if any(r["body"] == "odd" and r["attributes"]["ApproximateReceiveCount"] == "1" for r in records):
            failed = [{"itemIdentifier": ""}]
        return {"batchItemFailures": failed}"""
    driven = drive(rest, VisibilityTimeout="5")
    driven.attach(poll, FunctionResponseTypes=["ReportBatchItemFailures"], Enabled=False)
    driven.send("good", "bad", "fine")
    driven.update(poll, "Enabled", Enabled=True)
    poll(lambda: driven.left() == 1, 10, "the two that went well")
    poll(lambda: driven.left() == 0, 15, "the one that failed at first")
    poll(lambda: len(driven.batches()) == 2, 10, "the log")
    assert driven.batches()[1] == ["bad"]
    driven.update(poll, "Disabled", Enabled=False)
    driven.send("odd", "even")
    driven.update(poll, "Enabled", Enabled=True)
    poll(lambda: driven.left() == 0, 15, "both, the second time")
    poll(lambda: sum(map(len, driven.batches())) == 8, 10, "the log")


def test_what_no_filter_matches_is_deleted(drive: Any, poll: Any) -> None:
    """The function sees what matches; the rest is gone without it."""
    driven = drive()
    pattern = json.dumps({"body": {"kind": [{"prefix": "or"}]}})
    driven.attach(poll, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    driven.send('{"kind": "order"}', '{"kind": "noise"}', "no JSON")
    poll(lambda: driven.left() == 0, 10, "the queue to be empty")
    poll(driven.batches, 10, "the log")
    assert driven.bodies() == ['{"kind": "order"}']


def test_fifo_groups_are_in_order_and_side_by_side(drive: Any, poll: Any) -> None:
    """Each group's messages come in order, one batch of it at a time; groups do not wait for each other."""
    rest = """group = records[0]["attributes"]["MessageGroupId"]
        print("BEGIN", group, time.time())
        time.sleep(0.3)
        print("END", group, time.time())"""
    driven = drive(rest, fifo=True)
    driven.attach(poll, BatchSize=2, Enabled=False)
    for number in range(4):
        for group in "abc":
            driven.send(f"{group}{number}", MessageGroupId=group)
    driven.update(poll, "Enabled", Enabled=True)
    poll(lambda: driven.left() == 0, 20, "all to be handled")
    poll(lambda: sum(map(len, driven.batches())) == 12, 10, "the log")
    for group in "abc":
        seen = [body for batch in driven.batches() for body in batch if body[0] == group]
        assert seen == [f"{group}{number}" for number in range(4)]
        spans = _spans(driven, group)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))
    first = [_spans(driven, group)[0] for group in "abc"]
    assert max(begin for begin, _ in first) < min(end for _, end in first)


def _spans(driven: Driven, group: str) -> list[tuple[float, float]]:
    begins = [float(line.split()[2]) for line in driven.lines(f"BEGIN {group} ")]
    ends = [float(line.split()[2]) for line in driven.lines(f"END {group} ")]
    return sorted(zip(sorted(begins), sorted(ends), strict=True))


def test_a_failed_fifo_message_holds_its_group_alone(drive: Any, poll: Any) -> None:
    """Behind a failed message its group waits, in order; another group goes on."""
    rest = """if any(r["body"] == "a0" and r["attributes"]["ApproximateReceiveCount"] == "1" for r in records):
            raise ValueError("not now")"""
    driven = drive(rest, fifo=True, VisibilityTimeout="5")
    driven.attach(poll, BatchSize=10, Enabled=False)
    for body in ("a0", "a1", "b0", "b1"):
        driven.send(body, MessageGroupId=body[0])
    driven.update(poll, "Enabled", Enabled=True)
    poll(lambda: driven.left() == 2, 10, "the other group")
    poll(lambda: driven.left() == 0, 15, "the group that failed")
    poll(lambda: len(driven.batches()) == 3, 10, "the log")
    assert driven.batches()[2] == ["a0", "a1"]


def test_poison_goes_to_the_dead_letter_queue(drive: Any, poll: Any) -> None:
    """After maxReceiveCount attempts, no more and no fewer, the message is a dead letter."""
    dead = drive()
    policy = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 3})
    driven = drive("raise ValueError('poison')", VisibilityTimeout="5", RedrivePolicy=policy)
    driven.functions.update_function_configuration(FunctionName=driven.name, Timeout=1)
    driven.functions.get_waiter("function_updated_v2").wait(FunctionName=driven.name)
    driven.sqs.set_queue_attributes(QueueUrl=driven.url, Attributes={"VisibilityTimeout": "1"})
    driven.attach(poll)
    driven.send("poison")
    poll(lambda: dead.left() == 1, 20, "the dead letter")
    poll(lambda: len(driven.batches()) == 3, 10, "the log")
    shown = driven.functions.get_event_source_mapping(UUID=driven.mapping)
    assert shown["LastProcessingResult"] == "PROBLEM: Function call failed"


def test_maximum_concurrency_is_obeyed(drive: Any, poll: Any) -> None:
    """With MaximumConcurrency 2 no more than two batches ever run at once, and two do."""
    rest = """print("BEGIN x", time.time())
        time.sleep(0.2)
        print("END x", time.time())"""
    driven = drive(rest)
    driven.attach(poll, BatchSize=1, ScalingConfig={"MaximumConcurrency": 2}, Enabled=False)
    driven.send(*(str(number) for number in range(12)))
    driven.update(poll, "Enabled", Enabled=True)
    poll(lambda: driven.left() == 0, 20, "all to be handled")
    poll(lambda: len(driven.lines("END x")) == 12, 10, "the log")
    moves = [(float(line.split()[2]), 1) for line in driven.lines("BEGIN x")]
    moves += [(float(line.split()[2]), -1) for line in driven.lines("END x")]
    running, most = 0, 0
    for _, step in sorted(moves):
        running += step
        most = max(most, running)
    assert most == 2


def test_a_disabled_mapping_takes_nothing(drive: Any, poll: Any) -> None:
    """What is sent while the mapping is disabled waits, unreceived, until it is enabled again."""
    driven = drive('print("COUNT", records[0]["attributes"]["ApproximateReceiveCount"])')
    driven.attach(poll)
    driven.update(poll, "Disabled", Enabled=False)
    driven.send("later")
    time.sleep(0.5)  # nothing happens: there is nothing to poll for
    assert driven.batches() == []
    driven.update(poll, "Enabled", Enabled=True)
    poll(lambda: driven.left() == 0, 10, "the message to be handled")
    poll(lambda: driven.lines("COUNT"), 10, "the log")
    assert driven.lines("COUNT") == ["COUNT 1"]


def test_a_throttled_function_burns_no_receives(drive: Any, poll: Any) -> None:
    """While nothing of the function may run its messages wait; the first that does run is received once."""
    driven = drive('print("COUNT", records[0]["attributes"]["ApproximateReceiveCount"])')
    functions = driven.functions
    functions.put_function_concurrency(FunctionName=driven.name, ReservedConcurrentExecutions=0)
    driven.attach(poll)
    driven.send("patience")
    time.sleep(1)  # nothing happens: there is nothing to poll for
    names = ["ApproximateNumberOfMessages"]
    shown = driven.sqs.get_queue_attributes(QueueUrl=driven.url, AttributeNames=names)
    assert shown["Attributes"][names[0]] == "1"
    functions.delete_function_concurrency(FunctionName=driven.name)
    poll(lambda: driven.left() == 0, 10, "the message to be handled")
    poll(lambda: driven.lines("COUNT"), 10, "the log")
    assert driven.lines("COUNT") == ["COUNT 1"]


def test_a_killed_platform_goes_on(
    start_platform: Any, zip_of: Any, poll: Any, tmp_path: Path
) -> None:
    """After kill -9 in the middle of a backlog every message is handled, and the mapping is as it was."""
    from tests.e2e.conftest import ROLE, RUNTIME  # noqa: PLC0415

    data = tmp_path / "data"
    before = start_platform(data)
    functions, sqs = before.client("lambda"), before.client("sqs")
    source = "import time\ndef handler(event, context):\n    time.sleep(0.05)\n"
    functions.create_function(
        FunctionName="f", Runtime=RUNTIME, Role=ROLE, Handler="app.handler", Timeout=1,
        Code={"ZipFile": zip_of({"app.py": source})},
    )  # fmt: skip
    functions.get_waiter("function_active_v2").wait(FunctionName="f")
    url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
    uuid_ = functions.create_event_source_mapping(
        FunctionName="f", EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", BatchSize=1
    )["UUID"]
    for start in range(0, 100, 10):
        entries = [{"Id": str(n), "MessageBody": str(start + n)} for n in range(10)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    before.stop(signal.SIGKILL)
    after = start_platform(data)
    driven = Driven(after.client("lambda"), after.client("sqs"), after.client("logs"), "f", url)
    assert driven.functions.get_event_source_mapping(UUID=uuid_)["State"] == "Enabled"
    assert driven.left() > 0
    poll(lambda: driven.left() == 0, 30, "the rest of the backlog")


def test_a_function_that_feeds_itself_is_stopped(drive: Any, poll: Any) -> None:
    """A chain through the queue back to the same function ends after 16 rounds, and the mapping says why."""
    rest = """import boto3
        region, account, name = records[0]["eventSourceARN"].split(":")[3:]
        url = f"https://sqs.{region}.amazonaws.com/{account}/{name}"
        body = str(int(records[0]["body"]) + 1)
        boto3.client("sqs").send_message(QueueUrl=url, MessageBody=body)"""
    driven = drive(rest)
    driven.functions.update_function_configuration(
        FunctionName=driven.name, Timeout=10, MemorySize=1769
    )
    driven.functions.get_waiter("function_updated_v2").wait(FunctionName=driven.name)
    driven.attach(poll, ScalingConfig={"MaximumConcurrency": 2})
    driven.send("1")

    def stopped() -> bool:
        shown = driven.functions.get_event_source_mapping(UUID=driven.mapping)
        return "recursive loop" in shown.get("LastProcessingResult", "")

    poll(stopped, 40, "the loop to be stopped")
    poll(lambda: len(driven.batches()) >= 16, 10, "the log")
    assert sorted(map(int, driven.bodies())) == list(range(1, 17))


def test_what_is_polled_can_be_seen(drive: Any, poll: Any, platform: Any) -> None:
    """GET /_lambent/sources has the mapping with its lag and its counters."""
    driven = drive()
    driven.attach(poll)
    driven.send("x")
    poll(lambda: driven.left() == 0, 10, "the message to be handled")
    with urllib.request.urlopen(f"{platform.url}/_lambent/sources", timeout=10) as answer:
        found = {each["uuid"]: each for each in json.load(answer)["sources"]}
    shown = found[driven.mapping]
    assert (shown["source"], shown["polling"], shown["lag"]) == (driven.arn, True, 0)
    assert (shown["invoked"], shown["retried"], shown["given_up"]) == (1, 0, 0)


def test_a_reset_ends_all_polling(start_platform: Any, zip_of: Any, poll: Any) -> None:
    """After a reset there is no mapping, nothing polls, and the same names begin anew."""
    from tests.e2e.conftest import ROLE, RUNTIME  # noqa: PLC0415

    place = start_platform()
    functions, sqs = place.client("lambda"), place.client("sqs")
    for _ in range(2):
        functions.create_function(
            FunctionName="f", Runtime=RUNTIME, Role=ROLE, Handler="app.handler",
            Code={"ZipFile": zip_of({"app.py": "def handler(event, context): pass"})},
        )  # fmt: skip
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        driven = Driven(functions, sqs, place.client("logs"), "f", url)
        driven.attach(poll)
        driven.send("x")
        poll(lambda driven=driven: driven.left() == 0, 10, "the message to be handled")
        request = urllib.request.Request(f"{place.url}/_lambent/reset", method="POST")
        urllib.request.urlopen(request, timeout=10).close()
        assert functions.list_event_source_mappings()["EventSourceMappings"] == []
        with urllib.request.urlopen(f"{place.url}/_lambent/sources", timeout=10) as answer:
            assert json.load(answer) == {"sources": []}
    assert place.stop() == 0
    assert "rror" not in place.log.read_text()


def test_provisioned_pollers_limit_and_counts_are_published(
    drive: Callable[..., Driven], platform: Any, poll: Any
) -> None:
    """Two pollers run more than the usual five batches at once; pollers and counts are in the scrape."""
    driven = drive('time.sleep(1); print("UNTIL " + str(time.time()))')
    mapping = driven.attach(
        poll,
        BatchSize=1,
        ProvisionedPollerConfig={"MinimumPollers": 2, "MaximumPollers": 2},
        MetricsConfig={"Metrics": ["EventCount"]},
    )
    driven.send(*map(str, range(8)))

    def fares() -> Any:
        with urllib.request.urlopen(f"{platform.url}/_lambent/sources", timeout=5) as answer:
            sources = json.load(answer)["sources"]
        return next(each for each in sources if each["uuid"] == mapping)

    def scrape() -> list[str]:
        with urllib.request.urlopen(f"{platform.url}/_lambent/metrics", timeout=5) as answer:
            return [each for each in answer.read().decode().splitlines() if mapping in each]

    poll(lambda: fares()["in_flight"] > 5, 20, "more than five at once")
    assert (fares()["pollers"], fares()["concurrency"]) == (2, 20)
    poll(lambda: driven.left() == 0, 30, "all of them to be handled")
    numbers = {line.partition("{")[0]: line.rpartition(" ")[2] for line in scrape()}
    assert numbers["aws_lambda_provisioned_pollers"] == "2"
    for name in ("polled", "invoked", "deleted"):
        assert numbers[f"aws_lambda_{name}_event_count_total"] == "8"
    assert numbers["aws_lambda_failed_invoke_event_count_total"] == "0"
    driven.update(poll, "Disabled", Enabled=False)
    assert scrape() == []
