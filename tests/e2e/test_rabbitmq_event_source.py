"""RabbitMQ driving functions: Debian's server on loopback, end to end with boto3."""

import base64
import json
import os
import signal
import textwrap
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.testing.rabbitmq import PASSWORD, USER, RabbitServer, find_server

ACCOUNT = "000000000000"
BROKER = f"arn:aws:mq:us-east-1:{ACCOUNT}:broker:test:b-9bcfa592-423a-4942-879d-eb284b418fc8"
SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:rabbit"
HANDLER = """
    import base64, json

    def handler(event, context):
        [(place, messages)] = event["rmqMessagesByQueue"].items()
        there = [base64.b64decode(each["data"]).decode() for each in messages]
        print("BATCH " + json.dumps(there))
        print("EVENT " + json.dumps(event))
        {rest}
"""


@dataclass
class Driven:
    """A function with a queue, and what its log says it was invoked with."""

    functions: Any
    logs: Any
    rabbit: RabbitServer
    name: str
    queue: str
    secret: str
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

    def batches(self) -> list[list[str]]:
        """The batches, in order."""
        return self.lines("BATCH ")

    def put(self, *bodies: str, **properties: Any) -> None:
        """Messages, in order."""
        self.rabbit.publish(self.queue, *bodies, **properties)

    def create(self, **settings: Any) -> Any:
        """Asks for a mapping of the queue."""
        wanted = {
            "FunctionName": self.name,
            "EventSourceArn": BROKER,
            "Queues": [self.queue],
            "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": self.secret}],
        } | settings
        made = self.functions.create_event_source_mapping(
            **{name: value for name, value in wanted.items() if value is not None}
        )
        self.mappings.append(made["UUID"])
        return made

    def shown(self) -> Any:
        """The last mapping, as it is shown."""
        return self.functions.get_event_source_mapping(UUID=self.mappings[-1])


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """A server."""
    script = find_server()
    if script is None:
        pytest.skip("RabbitMQ's server is not installed (apt-get install rabbitmq-server)")
    server = RabbitServer(script, tmp_path_factory.mktemp("rabbitmq"))
    yield server
    server.close()


def _secret_of(platform: Any) -> str:
    """The ARN of a secret with the broker's user."""
    secrets = platform.client("secretsmanager")
    text = json.dumps({"username": USER, "password": PASSWORD})
    try:
        made = secrets.create_secret(Name=f"rabbit-{uuid.uuid4().hex[:8]}", SecretString=text)
    except ClientError as error:
        pytest.skip(f"nobody serves Secrets Manager here: {error}")
    return str(made["ARN"])


@pytest.fixture(scope="module")
def rabbit_platform(
    rabbit: RabbitServer, tmp_path_factory: pytest.TempPathFactory, platform: Any
) -> Iterator[Any]:
    """A platform whose Amazon MQ is that server."""
    data_dir = tmp_path_factory.mktemp("platform") / "data"
    one = type(platform).start(data_dir, "--neighbour", f"mq={rabbit.url}")
    yield one
    one.stop()


@pytest.fixture
def driven(rabbit_platform: Any, rabbit: RabbitServer, zip_of: Any) -> Iterator[Any]:
    """Deploys a function and makes a queue; the mappings go after the test."""
    made: list[Driven] = []
    functions, logs = rabbit_platform.client("lambda"), rabbit_platform.client("logs")

    def make(rest: str = "return None", **arguments: Any) -> Driven:
        name = f"f-{uuid.uuid4().hex[:10]}"
        source = textwrap.dedent(HANDLER.replace("{rest}", rest.strip()))
        functions.create_function(
            FunctionName=name, Runtime="python3.11", Handler="app.handler", Timeout=5,
            Role=f"arn:aws:iam::{ACCOUNT}:role/r", Code={"ZipFile": zip_of({"app.py": source})},
        )  # fmt: skip
        rabbit.declare(name, arguments)
        made.append(Driven(functions, logs, rabbit, name, name, _secret_of(rabbit_platform)))
        return made[-1]

    yield make
    for each in made:
        for mapping in each.mappings:
            functions.delete_event_source_mapping(UUID=mapping)


def test_messages_reach_the_function(driven: Any, poll: Any) -> None:
    """A batch has what came within the window, in order, in AWS's shape; it is acknowledged."""
    one = driven()
    one.put(
        "first", content_type="text/plain", headers={"word": "value1", "n": 10}, priority=34,
        expiration="60000", timestamp=datetime(1970, 1, 1, 0, 33, 41, tzinfo=UTC), user_id=USER, message_id="m-1",
    )  # fmt: skip
    one.put("second")
    one.create()
    poll(lambda: len([x for batch in one.batches() for x in batch]) >= 2, 40, "the messages")
    assert [x for batch in one.batches() for x in batch] == ["first", "second"]
    event = one.lines("EVENT ")[0]
    assert (event["eventSource"], event["eventSourceArn"]) == ("aws:rmq", BROKER)
    message = event["rmqMessagesByQueue"][f"{one.queue}::/"][0]
    assert message.pop("basicProperties") == {
        "contentType": "text/plain",
        "contentEncoding": None,
        "headers": {"word": {"bytes": list(b"value1")}, "n": 10},
        "deliveryMode": 2,
        "priority": 34,
        "correlationId": None,
        "replyTo": None,
        "expiration": "60000",
        "messageId": "m-1",
        "timestamp": "Jan 1, 1970, 12:33:41 AM",
        "type": None,
        "userId": USER,
        "appId": None,
        "clusterId": None,
        "bodySize": 5,
    }
    assert message == {"redelivered": False, "data": base64.b64encode(b"first").decode()}
    poll(lambda: one.shown()["LastProcessingResult"] == "OK", 10, "the result")
    assert one.rabbit.waiting(one.queue) == 0


def test_a_window_fills_a_batch(driven: Any, poll: Any) -> None:
    """Batches are closed by their size; what is left, by the window."""
    one = driven()
    one.put(*"abcde")
    one.create(BatchSize=2, MaximumBatchingWindowInSeconds=1)
    poll(lambda: len(one.batches()) >= 3, 40, "the batches")
    assert one.batches() == [["a", "b"], ["c", "d"], ["e"]]


def test_a_failing_batch_comes_again_whole(driven: Any, poll: Any) -> None:
    """A batch goes back to the queue and comes again, in order and marked, before what follows it."""
    one = driven("""
        if not all(each["redelivered"] for each in messages) and "a" in there:
            raise ValueError(there)
    """)
    one.put(*"abc")
    one.create(BatchSize=2)
    poll(lambda: ["c"] in one.batches(), 40, "the last message")
    assert one.batches() == [["a", "b"], ["a", "b"], ["c"]]


def test_what_expires_is_not_tried_for_ever(driven: Any, poll: Any) -> None:
    """A failing message ends in the dead-letter exchange once it expires; what follows it is handled."""
    dead = f"dead-{uuid.uuid4().hex[:8]}"
    one = driven(
        'assert there != ["bad"]',
        **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead},
    )
    one.rabbit.declare(dead)
    one.put("bad", expiration="3000")
    one.put("good")
    one.create(BatchSize=1)
    poll(lambda: ["good"] in one.batches(), 60, "what follows")
    assert len(one.batches()) >= 3
    assert all(batch == ["bad"] for batch in one.batches()[:-1])
    assert list(one.rabbit.drain(dead)) == [b"bad"]


def test_filters_drop_what_matches_none(driven: Any, poll: Any) -> None:
    """What matches no filter is acknowledged and never seen; filters read the decoded body."""
    one = driven()
    one.put('{"kind": "order", "n": 1}', '{"kind": "refund"}', "words", '{"kind": "order", "n": 2}')
    pattern = json.dumps({"data": {"kind": ["order"]}})
    one.create(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    poll(lambda: len([x for batch in one.batches() for x in batch]) >= 2, 40, "the messages")
    assert [json.loads(x)["n"] for batch in one.batches() for x in batch] == [1, 2]
    one.functions.update_event_source_mapping(UUID=one.mappings[0], Enabled=False)
    poll(lambda: one.shown()["State"] == "Disabled", 20, "it to be Disabled")
    assert one.rabbit.waiting(one.queue) == 0


def test_what_cannot_be_read_is_said(driven: Any, poll: Any) -> None:
    """No queue of that name, or a wrong password: LastProcessingResult says so, and it goes on when it can."""
    one = driven()
    missing = f"late-{uuid.uuid4().hex[:8]}"
    one.create(Queues=[missing])
    poll(
        lambda: str(one.shown().get("LastProcessingResult")).startswith(
            "PROBLEM: The queue is not"
        ),
        30,
        "the problem",
    )
    one.rabbit.declare(missing)
    one.rabbit.publish(missing, "there")
    poll(lambda: one.batches() == [["there"]], 60, "the message")


def test_after_a_kill_nothing_is_lost(
    start_platform: Any, zip_of: Any, rabbit: RabbitServer, tmp_path: Path, poll: Any
) -> None:
    """kill -9 in the midst of a batch: the next platform gets what was not acknowledged, in order."""
    queue, out = f"q-{uuid.uuid4().hex[:10]}", tmp_path / "out"
    out.mkdir(mode=0o777)
    rabbit.declare(queue)
    rabbit.publish(queue, *(str(number) for number in range(40)))
    options = ("--sandbox", "process", "--neighbour", f"mq={rabbit.url}")
    platform = start_platform(tmp_path / "data", *options)
    source = """
        import base64, json, time

        def handler(event, context):
            [messages] = event["rmqMessagesByQueue"].values()
            there = [int(base64.b64decode(each["data"])) for each in messages]
            time.sleep(0.1)
            with open("{out}", "a") as out:
                out.write(json.dumps(there) + chr(10))
    """.replace("{out}", str(out / "handled"))
    functions = platform.client("lambda")
    functions.create_function(
        FunctionName="f", Runtime="python3.11", Handler="app.handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/r",
        Code={"ZipFile": zip_of({"app.py": textwrap.dedent(source)})},
    )  # fmt: skip

    def handled() -> list[int]:
        path = out / "handled"
        lines = path.read_text().splitlines() if path.exists() else []
        return [number for line in lines for number in json.loads(line)]

    def attach(one: Any) -> None:
        one.client("lambda").create_event_source_mapping(
            FunctionName="f", EventSourceArn=BROKER, Queues=[queue], BatchSize=4,
            SourceAccessConfigurations=[{"Type": "BASIC_AUTH", "URI": _secret_of(one)}],
        )  # fmt: skip

    attach(platform)
    poll(lambda: len(handled()) >= 12, 40, "some batches")
    os.kill(platform.pid, signal.SIGKILL)
    platform.process.wait(10)
    again = start_platform(tmp_path / "data", *options)
    # The embedded Secrets Manager went with the platform; the mapping is given the secret made anew.
    [mapping] = again.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    again.client("lambda").update_event_source_mapping(
        UUID=mapping["UUID"],
        SourceAccessConfigurations=[{"Type": "BASIC_AUTH", "URI": _secret_of(again)}],
    )
    poll(lambda: len(set(handled())) == 40, 60, "the rest")
    seen = handled()
    assert sorted(set(seen)) == list(range(40))
    assert len(seen) <= 40 + 4
    first = list(dict.fromkeys(seen))
    assert first == sorted(first)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"Queues": None}, "InvalidParameterValueException"),
        ({"SourceAccessConfigurations": None}, "InvalidParameterValueException"),
        ({"StartingPosition": "LATEST"}, "InvalidParameterValueException"),
        (
            {"FunctionResponseTypes": ["ReportBatchItemFailures"]},
            "InvalidParameterValueException",
        ),
        (
            {"SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "no-secret"}]},
            "InvalidParameterValueException",
        ),
        (
            {"SourceAccessConfigurations": [{"Type": "SASL_SCRAM_512_AUTH", "URI": SECRET}]},
            "InvalidParameterValueException",
        ),
        (
            {"EventSourceArn": BROKER.replace("us-east-1", "eu-west-1")},
            "InvalidParameterValueException",
        ),
    ],
)
def test_what_does_not_go_is_refused(driven: Any, settings: Any, code: str) -> None:
    """A setting that RabbitMQ does not take is refused when the mapping is made."""
    one = driven()
    with pytest.raises(ClientError) as refused:
        one.create(**settings)
    assert refused.value.response["Error"]["Code"] == code
    assert not one.mappings


def test_a_virtual_host_stays(driven: Any) -> None:
    """VIRTUAL_HOST is not changed by an update; a second mapping of the queue to the function is refused."""
    one = driven()
    host = {"Type": "VIRTUAL_HOST", "URI": "/"}
    basic = {"Type": "BASIC_AUTH", "URI": one.secret}
    one.create(SourceAccessConfigurations=[basic, host], Enabled=False)
    with pytest.raises(one.functions.exceptions.ResourceConflictException):
        one.create()


def test_activemq_is_refused_by_name(platform: Any, deploy: Any, client: Any) -> None:
    """Where nobody named a broker, Amazon MQ's API is asked for its engine: ActiveMQ is refused as such."""
    mq = platform.client("mq")
    try:
        made = mq.create_broker(
            BrokerName=f"b-{uuid.uuid4().hex[:8]}", EngineType="ACTIVEMQ", EngineVersion="5.18",
            DeploymentMode="SINGLE_INSTANCE", HostInstanceType="mq.t3.micro",
            PubliclyAccessible=False, AutoMinorVersionUpgrade=True,
            Users=[{"Username": "admin", "Password": "password1234"}],
        )  # fmt: skip
    except ClientError as error:
        pytest.skip(f"nobody serves Amazon MQ here: {error}")
    with pytest.raises(ClientError, match="ActiveMQ") as refused:
        client.create_event_source_mapping(
            FunctionName=deploy(HANDLER).name,
            EventSourceArn=made["BrokerArn"],
            Queues=["q"],
            SourceAccessConfigurations=[{"Type": "BASIC_AUTH", "URI": SECRET}],
        )
    assert refused.value.response["Error"]["Code"] == "NotImplementedException"
