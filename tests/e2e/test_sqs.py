"""SQS as clients use it: boto3, the AWS CLI, and forms of the query protocol."""

import json
import signal
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

ARN = "arn:aws:sqs:us-east-1:000000000000:"


@pytest.fixture(scope="module")
def sqs(platform: Any) -> Iterator[Any]:
    """boto3's SQS client, which checks every digest."""
    made = platform.client("sqs")
    yield made
    made.close()


@pytest.fixture
def queue(sqs: Any) -> Iterator[Callable[..., str]]:
    """Makes queues; deletes them after the test."""
    urls = []

    def make(suffix: str = "", **attributes: Any) -> str:
        name = f"e2e-{uuid.uuid4().hex[:12]}{suffix}"
        if suffix.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        urls.append(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
        return str(urls[-1])

    yield make
    for url in urls:
        try:
            sqs.delete_queue(QueueUrl=url)
        except sqs.exceptions.QueueDoesNotExist:
            continue


def name_of(url: str) -> str:
    """A queue's name."""
    return url.rpartition("/")[2]


def bodies(sqs: Any, url: str, **more: Any) -> list[str]:
    """The bodies of what is received."""
    more = {"MaxNumberOfMessages": 10} | more
    return [m["Body"] for m in sqs.receive_message(QueueUrl=url, **more).get("Messages", [])]


def test_a_message_there_and_back(sqs: Any, queue: Callable[..., str]) -> None:
    """boto3 checks the digests of body and attributes; a deleted message is gone."""
    url = queue(VisibilityTimeout="0")
    attributes = {
        "text": {"DataType": "String", "StringValue": "grüß dich"},
        "number": {"DataType": "Number.int", "StringValue": "42"},
        "bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
    }
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}}
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody='{"a": "ü"}',
        MessageAttributes=attributes,
        MessageSystemAttributes=trace,
    )
    (message,) = sqs.receive_message(
        QueueUrl=url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    )["Messages"]
    assert message["MessageId"] == sent["MessageId"]
    assert message["MessageAttributes"] == attributes
    assert message["Attributes"]["AWSTraceHeader"] == "Root=1-2-3"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert bodies(sqs, url) == []


def test_a_batch_fails_in_part(sqs: Any, queue: Callable[..., str]) -> None:
    """What is good is stored, what is not is told with its code."""
    url = queue()
    entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(9)]
    entries.append({"Id": "bad", "MessageBody": "\0"})
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert len(answer["Successful"]) == 9
    assert [(f["Id"], f["Code"]) for f in answer["Failed"]] == [("bad", "InvalidMessageContents")]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    handles = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
    assert len(sqs.delete_message_batch(QueueUrl=url, Entries=handles)["Successful"]) == 9


def test_a_long_poll_ends_when_a_message_comes(
    sqs: Any, queue: Callable[..., str], poll: Callable[..., Any]
) -> None:
    """Long before its time; one that is given nothing lasts as long as it was asked to."""
    url = queue()
    found: list[str] = []
    waiting = threading.Thread(target=lambda: found.extend(bodies(sqs, url, WaitTimeSeconds=20)))
    waiting.start()
    begun_s = time.monotonic()
    sqs.send_message(QueueUrl=url, MessageBody="at last")
    poll(lambda: found, 5, "the message to be received")
    waiting.join()
    assert found == ["at last"]
    assert time.monotonic() - begun_s < 5
    begun_s = time.monotonic()
    assert bodies(sqs, url, WaitTimeSeconds=1) == []
    assert 0.9 < time.monotonic() - begun_s < 5


def test_fifo_order_and_duplicates(sqs: Any, queue: Callable[..., str]) -> None:
    """Groups are in order; what is sent twice is there once."""
    url = queue(".fifo", ContentBasedDeduplication="true")
    for body in ("1", "2", "1", "3"):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
    assert bodies(sqs, url) == ["1", "2", "3"]
    sqs.send_message(QueueUrl=url, MessageBody="4", MessageGroupId="g")
    assert bodies(sqs, url) == []


def test_dead_letters_and_their_way_back(
    sqs: Any, queue: Callable[..., str], poll: Callable[..., Any]
) -> None:
    """Received too often a message is moved; a task brings it back as a new one."""
    dead = queue("-dead")
    policy = {"deadLetterTargetArn": ARN + name_of(dead), "maxReceiveCount": 1}
    url = queue(VisibilityTimeout="0", RedrivePolicy=json.dumps(policy))
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    assert bodies(sqs, url) == ["poison"]
    assert bodies(sqs, url) == []
    counts = {"AttributeNames": ["ApproximateNumberOfMessages"]}
    shown = sqs.get_queue_attributes(QueueUrl=dead, **counts)["Attributes"]
    assert shown == {"ApproximateNumberOfMessages": "1"}
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    source = {"SourceArn": ARN + name_of(dead)}
    sqs.start_message_move_task(**source)

    def done() -> bool:
        status = sqs.list_message_move_tasks(**source)["Results"][0]["Status"]
        return bool(status == "COMPLETED")

    poll(done, 5, "the dead letters to be moved")
    assert bodies(sqs, url) == ["poison"]


@pytest.mark.parametrize(
    ("operation", "parameters", "code", "status"),
    [
        ("receive_message", {"QueueUrl": "http://x/000000000000/none"},
         "AWS.SimpleQueueService.NonExistentQueue", 400),
        ("get_queue_url", {"QueueName": "none"}, "AWS.SimpleQueueService.NonExistentQueue", 400),
        ("receive_message", {"QueueUrl": "nonsense"}, "InvalidAddress", 404),
        ("receive_message", {}, "MissingParameter", 400),
        ("send_message", {"QueueUrl": "x", "MessageBody": 1}, "SerializationException", 400),
        ("create_queue", {"QueueName": "a b"}, "InvalidParameterValue", 400),
        ("create_queue", {"QueueName": "q", "Attributes": {"X": "1"}}, "InvalidAttributeName", 400),
        ("create_queue", {"QueueName": "q", "Attributes": {"KmsMasterKeyId": "k"}},
         "NotImplementedException", 501),
    ],
)  # fmt: skip
def test_errors_are_awss(
    sqs: Any, operation: str, parameters: dict[str, Any], code: str, status: int
) -> None:
    """The codes boto3 shows are those of AWS's answers, query days' included."""
    with pytest.raises(ClientError) as raised:
        getattr(sqs, operation)(**parameters)
    response = raised.value.response
    assert response["Error"]["Code"] == code
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_errors_have_their_classes(sqs: Any, queue: Callable[..., str]) -> None:
    """boto3's modeled exceptions are raised."""
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="none")
    name = name_of(queue(DelaySeconds="1"))
    with pytest.raises(sqs.exceptions.QueueNameExists):
        sqs.create_queue(QueueName=name, Attributes={"DelaySeconds": "2"})
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=f"http://x/000000000000/{name}", ReceiptHandle="x")


def post(url: str, **fields: str) -> tuple[int, str]:
    """A form, unsigned, as anything may post it: status and body."""
    data = urllib.parse.urlencode({"Version": "2012-11-05", **fields}).encode()
    try:
        with urllib.request.urlopen(url, data, timeout=10) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_forms_are_answered_in_xml(platform: Any, queue: Callable[..., str]) -> None:
    """Posted to the queue's own URL, or naming it."""
    url = queue()
    status, body = post(url, Action="SendMessage", MessageBody="<x>")
    assert (status, "<MD5OfMessageBody>" in body) == (200, True)
    status, body = post(platform.url, Action="ReceiveMessage", QueueUrl=url)
    assert (status, "<Body>&lt;x&gt;</Body>" in body) == (200, True)
    status, body = post(f"{url}x", Action="ReceiveMessage")
    assert status == 400
    assert "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in body


def test_the_endpoint_of_a_url_is_the_one_used(platform: Any, sqs: Any) -> None:
    """So that whoever is given it can use it."""
    name = f"e2e-{uuid.uuid4().hex[:12]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    assert url == f"{platform.url}/000000000000/{name}"
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    assert url in sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]
    sqs.delete_queue(QueueUrl=url)


def test_a_function_sends_with_its_trace(
    sqs: Any, queue: Callable[..., str], deploy: Callable[..., Any]
) -> None:
    """boto3 inside a function finds the queue, and its messages carry the invocation's trace."""
    url = queue()
    function = deploy(
        """
        import boto3
        sqs = boto3.client("sqs")
        def handler(event, context):
            return sqs.send_message(QueueUrl=event, MessageBody="from inside")["MessageId"]
        """,
        Timeout=30,
    )
    sent = function(f"http://anything/000000000000/{name_of(url)}")
    (message,) = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])["Messages"]
    assert message["MessageId"] == sent.payload
    assert message["Attributes"]["AWSTraceHeader"].startswith("Root=")
    assert message["Attributes"]["SenderId"].startswith("AROA")


def test_a_killed_platform_loses_no_message(start_platform: Callable[..., Any]) -> None:
    """What was acknowledged is there; what was in flight still is; handles are good."""
    running = start_platform()
    client = running.client("sqs")
    url = client.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    for number in range(20):
        client.send_message(QueueUrl=url, MessageBody=str(number))
    held = client.receive_message(QueueUrl=url, MaxNumberOfMessages=5)["Messages"]
    running.stop(signal.SIGKILL)
    client = start_platform().client("sqs")
    url = client.get_queue_url(QueueName="q")["QueueUrl"]
    rest = [body for _ in range(3) for body in bodies(client, url)]
    assert sorted([*rest, *(m["Body"] for m in held)], key=int) == [str(n) for n in range(20)]
    for message in held:
        client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    shown = client.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]
    assert list(shown.values()) == ["0", "15"]


def test_a_client_that_hangs_up_takes_no_message(
    platform: Any, sqs: Any, queue: Callable[..., str]
) -> None:
    """Its waiting ends with its connection: what comes later is others'."""
    url = queue()
    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20}).encode()
    with socket.create_connection(("127.0.0.1", platform.port)) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        time.sleep(0.2)  # nothing shows from outside that the request waits
    sqs.send_message(QueueUrl=url, MessageBody="mine")
    assert bodies(sqs, url, WaitTimeSeconds=5) == ["mine"]


def test_a_reset_leaves_no_queue(start_platform: Callable[..., Any]) -> None:
    """Names are free at once, and handles given afterwards outlast a restart."""
    running = start_platform()
    client = running.client("sqs")
    client.create_queue(QueueName="q")
    request = urllib.request.Request(f"{running.url}/_lambent/reset", method="POST")
    urllib.request.urlopen(request, timeout=10).close()
    assert "QueueUrls" not in client.list_queues()
    url = client.create_queue(QueueName="q")["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="x")
    (message,) = client.receive_message(QueueUrl=url)["Messages"]
    running.stop()
    client = start_platform().client("sqs")
    client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_a_platform_stops_though_receivers_wait(start_platform: Callable[..., Any]) -> None:
    """They are answered with nothing; nobody waits for twenty seconds."""
    running = start_platform()
    client = running.client("sqs")
    url = client.create_queue(QueueName="q")["QueueUrl"]
    found: list[list[str]] = []
    waiting = threading.Thread(target=lambda: found.append(bodies(client, url, WaitTimeSeconds=20)))
    waiting.start()
    time.sleep(0.2)  # the request is on its way: nothing shows from outside that it waits
    begun_s = time.monotonic()
    assert running.stop() == 0
    waiting.join(10)
    assert found == [[]]
    assert time.monotonic() - begun_s < 10
