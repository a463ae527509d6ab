"""SNS with boto3: fan-out to queues and functions, filters, FIFO, batches, dead letters, bad input."""

import json
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

RECORDER = """
import os, boto3

def handler(event, context):
    sqs = boto3.client("sqs")
    for record in event["Records"]:
        url = sqs.get_queue_url(QueueName=os.environ["QUEUE"])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=record["Sns"]["Message"] + " for " + record["EventSource"])
"""


@pytest.fixture(scope="module")
def sns(platform: Any) -> Iterator[Any]:
    """boto3's SNS client."""
    made = platform.client("sns")
    yield made
    made.close()


@pytest.fixture(scope="module")
def sqs(platform: Any) -> Iterator[Any]:
    """boto3's SQS client."""
    made = platform.client("sqs")
    yield made
    made.close()


def _name() -> str:
    return f"e2e-{uuid.uuid4().hex[:12]}"


class Queue:
    """A queue that SNS may send to."""

    def __init__(self, sqs: Any, *, fifo: bool = False, allowed: bool = True) -> None:
        self._sqs = sqs
        self.name = _name() + (".fifo" if fifo else "")
        self.arn = f"arn:aws:sqs:us-east-1:000000000000:{self.name}"
        attributes = {"FifoQueue": "true"} if fifo else {}
        if allowed:
            statement = {
                "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage", "Resource": self.arn,
                "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:000000000000:*"}},
            }  # fmt: skip
            attributes["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.url = sqs.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]

    def receive(self, count: int, wait_s: int = 5) -> list[dict[str, Any]]:
        """So many messages, or those there are after the wait."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            answer = self._sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s,
                MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"],
            )  # fmt: skip
            messages = answer.get("Messages", [])
            if not messages:
                break
            found += messages
            for message in messages:
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def bodies(self, count: int, wait_s: int = 5) -> list[str]:
        """Their bodies."""
        return [message["Body"] for message in self.receive(count, wait_s)]


def _subscribe(sns: Any, topic: str, queue: Queue, **attributes: str) -> str:
    answer = sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes=attributes
    )
    return str(answer["SubscriptionArn"])


def test_a_message_fans_out_by_filters(sns: Any, sqs: Any) -> None:
    """Each queue gets what its filter lets through: enveloped, or raw with its attributes."""
    topic = sns.create_topic(Name=_name(), Tags=[{"Key": "k", "Value": "v"}])["TopicArn"]
    everything, new, cold = Queue(sqs), Queue(sqs), Queue(sqs)
    _subscribe(sns, topic, everything)
    _subscribe(sns, topic, new, FilterPolicy='{"kind": ["new"]}', RawMessageDelivery="true")
    policy = '{"sensor": {"celsius": [{"numeric": ["<", 0]}]}}'
    _subscribe(sns, topic, cold, FilterPolicy=policy, FilterPolicyScope="MessageBody")
    for kind, celsius in (("new", 5), ("old", -5)):
        sns.publish(
            TopicArn=topic,
            Message=json.dumps({"sensor": {"celsius": celsius}}),
            Subject="reading",
            MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}},
        )
    envelopes = [json.loads(body) for body in everything.bodies(2)]
    assert [one["MessageAttributes"]["kind"]["Value"] for one in envelopes] == ["new", "old"]
    assert {one["Subject"] for one in envelopes} == {"reading"}
    (raw,) = new.receive(1)
    assert json.loads(raw["Body"]) == {"sensor": {"celsius": 5}}
    assert raw["MessageAttributes"]["kind"]["StringValue"] == "new"
    (body,) = cold.bodies(1)
    assert json.loads(json.loads(body)["Message"])["sensor"]["celsius"] == -5
    assert not cold.bodies(1, wait_s=0)


def test_a_function_is_invoked(sns: Any, sqs: Any, client: Any, deploy: Callable[..., Any]) -> None:
    """A subscribed function gets AWS's event."""
    seen = Queue(sqs)
    function = deploy(RECORDER, Environment={"Variables": {"QUEUE": seen.name}})
    topic = sns.create_topic(Name=_name())["TopicArn"]
    client.add_permission(
        FunctionName=function.name, StatementId="sns", Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com", SourceArn=topic,
    )  # fmt: skip
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function.arn)
    sns.publish(TopicArn=topic, Message="hello")
    assert seen.bodies(1, wait_s=20) == ["hello for aws:sns"]


def test_what_a_queue_refuses_is_in_the_dead_letter_queue(sns: Any, sqs: Any) -> None:
    """A queue whose policy does not allow SNS disturbs no other; its dead-letter queue gets the message."""
    topic = sns.create_topic(Name=_name())["TopicArn"]
    closed, dead, open_to_all = Queue(sqs, allowed=False), Queue(sqs), Queue(sqs)
    _subscribe(sns, topic, closed, RedrivePolicy=json.dumps({"deadLetterTargetArn": dead.arn}))
    _subscribe(sns, topic, open_to_all)
    message_id = sns.publish(TopicArn=topic, Message="m")["MessageId"]
    for queue in (dead, open_to_all):
        (body,) = queue.bodies(1)
        assert json.loads(body)["MessageId"] == message_id
    assert not closed.bodies(1, wait_s=0)


def test_a_fifo_topic_keeps_order_and_drops_duplicates(sns: Any, sqs: Any) -> None:
    """A batch arrives in its order; a deduplication id seen before is accepted and not delivered."""
    topic = sns.create_topic(
        Name=_name() + ".fifo",
        Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"},
    )["TopicArn"]
    queue = Queue(sqs, fifo=True)
    _subscribe(sns, topic, queue, RawMessageDelivery="true")
    entries = [{"Id": f"e{n}", "Message": f"m{n}", "MessageGroupId": "g"} for n in range(10)]
    for _ in range(2):
        answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
        assert len(answer["Successful"]) == 10
    numbers = [one["SequenceNumber"] for one in answer["Successful"]]
    assert numbers == sorted(numbers)
    assert queue.bodies(11, wait_s=1) == [f"m{n}" for n in range(10)]


def test_attributes_go_round(sns: Any) -> None:
    """What is set is shown, and removed again."""
    topic = sns.create_topic(Name=_name(), Attributes={"DisplayName": "d"})["TopicArn"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    shown = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (shown["DisplayName"], shown["SignatureVersion"]) == ("d", "2")
    sns.add_permission(
        TopicArn=topic, Label="l", AWSAccountId=["111122223333"], ActionName=["Publish"]
    )
    policy = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    assert policy["Statement"][-1]["Sid"] == "l"
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "a", "Value": "b"}])
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "a", "Value": "b"}]
    arns = {
        one["TopicArn"]
        for page in sns.get_paginator("list_topics").paginate()
        for one in page["Topics"]
    }
    assert topic in arns
    sns.delete_topic(TopicArn=topic)
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.get_topic_attributes(TopicArn=topic)


def _batch(*ids: str, size: int = 1) -> dict[str, Any]:
    """The parameters of PublishBatch."""
    entries = [{"Id": entry_id, "Message": "m" * size} for entry_id in ids]
    return {"TopicArn": "TOPIC", "PublishBatchRequestEntries": entries}


def _endpoint(protocol: str, endpoint: str) -> dict[str, Any]:
    """The parameters of Subscribe."""
    return {"TopicArn": "TOPIC", "Protocol": protocol, "Endpoint": endpoint}


@pytest.mark.parametrize(
    ("operation", "parameters", "code", "status"),
    [
        ("publish", {"TopicArn": "TOPIC", "Message": ""}, "InvalidParameter", 400),
        ("publish", {"TopicArn": "TOPIC", "Message": "x" * 262_145}, "InvalidParameter", 400),
        ("publish", {"TopicArn": "TOPICx", "Message": "m"}, "NotFound", 404),
        ("publish", {"TopicArn": "nonsense", "Message": "m"}, "InvalidParameter", 400),
        ("publish", {"PhoneNumber": "+15550100", "Message": "m"}, "NotImplementedException", 501),
        ("publish_batch", _batch("a", "a"), "BatchEntryIdsNotDistinct", 400),
        ("publish_batch", _batch(), "EmptyBatchRequest", 400),
        ("publish_batch", _batch(*map(str, range(11))), "TooManyEntriesInBatchRequest", 400),
        ("publish_batch", _batch("a.b"), "InvalidBatchEntryId", 400),
        ("publish_batch", _batch(*"abc", size=100_000), "BatchRequestTooLong", 400),
        ("subscribe", _endpoint("email", "a@b"), "NotImplementedException", 501),
        ("subscribe", _endpoint("http", "http://h/_lambent/reset"), "InvalidParameter", 400),
        ("create_topic", {"Name": "a b"}, "InvalidParameter", 400),
        ("set_topic_attributes", {"TopicArn": "TOPIC", "AttributeName": "N"}, "InvalidParameter", 400),
        ("unsubscribe", {"SubscriptionArn": "nonsense"}, "InvalidParameter", 400),
        ("confirm_subscription", {"TopicArn": "TOPIC", "Token": "nonsense"}, "InvalidParameter", 400),
        ("get_sms_attributes", {}, "NotImplementedException", 501),
    ],
)  # fmt: skip
def test_bad_input_has_awss_errors(
    sns: Any, operation: str, parameters: dict[str, Any], code: str, status: int
) -> None:
    """What cannot be done is refused with AWS's code and status."""
    topic = sns.create_topic(Name="e2e-bad-input")["TopicArn"]
    given = {
        key: value.replace("TOPIC", topic) if isinstance(value, str) else value
        for key, value in parameters.items()
    }
    with pytest.raises(sns.exceptions.ClientError) as error:
        getattr(sns, operation)(**given)
    assert error.value.response["Error"]["Code"] == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_dead_letter_of_a_function_is_published(
    sns: Any, sqs: Any, client: Any, deploy: Callable[..., Any]
) -> None:
    """A topic as dead-letter target: its subscribers get the event, with what went wrong as attributes."""
    queue = Queue(sqs)
    topic = sns.create_topic(Name=_name())["TopicArn"]
    _subscribe(sns, topic, queue, RawMessageDelivery="true")
    function = deploy(
        "def handler(event, context): raise ValueError('no')",
        DeadLetterConfig={"TargetArn": topic},
    )
    client.put_function_event_invoke_config(FunctionName=function.name, MaximumRetryAttempts=0)
    function({"a": 1}, InvocationType="Event", LogType="None")
    (message,) = queue.receive(1, wait_s=20)
    assert json.loads(message["Body"]) == {"a": 1}
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no"


def test_a_function_that_publishes_to_itself_is_stopped(
    sns: Any, sqs: Any, client: Any, deploy: Callable[..., Any]
) -> None:
    """The lineage goes along with the message: a loop through a topic ends, after 16 rounds."""
    topic = sns.create_topic(Name=_name())["TopicArn"]
    source = """
        import os, boto3

        def handler(event, context):
            boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], Message="again")
    """
    seen = Queue(sqs)
    function = deploy(source, Environment={"Variables": {"TOPIC": topic}}, Timeout=20)
    client.add_permission(
        FunctionName=function.name, StatementId="sns", Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com", SourceArn=topic,
    )  # fmt: skip
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function.arn)
    _subscribe(sns, topic, seen, RawMessageDelivery="true")
    sns.publish(TopicArn=topic, Message="again")
    assert len(seen.receive(30, wait_s=8)) == 17  # the first one, and one of each of 16 invocations


def test_a_reset_forgets_topics(start_platform: Callable[..., Any]) -> None:
    """After it nothing is listed, and the names are free."""
    platform = start_platform()
    sns = platform.client("sns")
    fifo = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    for _ in range(2):
        topic = sns.create_topic(Name="t.fifo", Attributes=fifo)["TopicArn"]
        answer = sns.publish(TopicArn=topic, Message="m", MessageGroupId="g")
        assert answer["SequenceNumber"]
        sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:q"
        )
        request = urllib.request.Request(f"{platform.url}/_lambent/reset", method="POST")
        with urllib.request.urlopen(request, timeout=10) as done:
            assert done.status == 200
        assert sns.list_topics()["Topics"] == sns.list_subscriptions()["Subscriptions"] == []
