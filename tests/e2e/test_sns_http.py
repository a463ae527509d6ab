"""HTTP endpoints of topics: confirmed, retried, signed, and served on after the platform was killed."""

import base64
import json
import signal
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

RETRIES = json.dumps(
    {"healthyRetryPolicy": {"numRetries": 5, "minDelayTarget": 1, "maxDelayTarget": 1}}
)


@dataclass
class Endpoint:
    """An HTTP server that takes notes; it answers with ``statuses`` in turn, then with 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    requests: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The messages of a type that came."""
        return [
            body for headers, body in self.requests if headers["x-amz-sns-message-type"] == kind
        ]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """One on loopback."""
    notes = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            notes.requests.append((headers, json.loads(body)))
            self.send_response(notes.statuses.pop(0) if notes.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    notes.url = f"http://127.0.0.1:{server.server_port}/in"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield notes
    server.shutdown()
    server.server_close()
    thread.join()


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        content: bytes = answer.read()
    return content


def _confirmed(
    sns: Any, endpoint: Endpoint, poll: Callable[..., Any], **attributes: str
) -> tuple[str, str]:
    """A topic and the endpoint's subscription to it, confirmed by visiting the link."""
    topic = sns.create_topic(Name=f"e2e-{uuid.uuid4().hex[:12]}")["TopicArn"]
    answer = sns.subscribe(
        TopicArn=topic, Protocol="http", Endpoint=endpoint.url, Attributes=attributes,
        ReturnSubscriptionArn=True,
    )  # fmt: skip
    (message,) = poll(lambda: endpoint.of_type("SubscriptionConfirmation"), 10, "the confirmation")
    assert b"ConfirmSubscriptionResponse" in _fetch(message["SubscribeURL"])
    return topic, answer["SubscriptionArn"]


def _verify(message: dict[str, Any]) -> None:
    """Checks a signature as AWS's documentation tells receivers to."""
    if message["Type"] == "Notification":
        names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    else:
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    key = x509.load_pem_x509_certificate(_fetch(message["SigningCertURL"])).public_key()
    assert isinstance(key, RSAPublicKey)
    digest = {"1": hashes.SHA1(), "2": hashes.SHA256()}[message["SignatureVersion"]]
    key.verify(base64.b64decode(message["Signature"]), text.encode(), padding.PKCS1v15(), digest)


def test_an_endpoint_confirms_and_is_retried(
    platform: Any, endpoint: Endpoint, poll: Callable[..., Any]
) -> None:
    """Confirmed by its link; a message is tried until it is taken; every signature is good."""
    sns = platform.client("sns")
    topic, arn = _confirmed(sns, endpoint, poll, DeliveryPolicy=RETRIES)
    endpoint.statuses = [503, 429]
    sns.publish(TopicArn=topic, Message="é\n", Subject="s")
    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    poll(lambda: len(endpoint.of_type("Notification")) == 3, 10, "three attempts")
    sns.publish(TopicArn=topic, Message="second")
    poll(lambda: len(endpoint.of_type("Notification")) == 4, 10, "the second message")
    messages = [body for _, body in endpoint.requests]
    for message in messages:
        _verify(message)
    assert [one.get("SignatureVersion") for one in messages] == ["1", "1", "1", "1", "2"]
    assert messages[1] == messages[2] == messages[3]
    headers = endpoint.requests[-1][0]
    assert headers["x-amz-sns-subscription-arn"] == arn
    assert headers["content-type"] == "text/plain; charset=UTF-8"
    assert headers["user-agent"] == "Amazon Simple Notification Service Agent"


def test_the_unsubscribe_link_works(
    platform: Any, endpoint: Endpoint, poll: Callable[..., Any]
) -> None:
    """Visiting it ends the subscription, and the endpoint is told; a stranger's certificate is not there."""
    sns = platform.client("sns")
    topic, arn = _confirmed(sns, endpoint, poll)
    sns.publish(TopicArn=topic, Message="m")
    (message,) = poll(lambda: endpoint.of_type("Notification"), 10, "the message")
    assert b"UnsubscribeResponse" in _fetch(message["UnsubscribeURL"])
    (ended,) = poll(lambda: endpoint.of_type("UnsubscribeConfirmation"), 10, "the confirmation")
    _verify(ended)
    assert arn in ended["Message"]
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    with pytest.raises(urllib.error.HTTPError):
        _fetch(f"{platform.url}/SimpleNotificationService-{'0' * 32}.pem")


def test_deliveries_survive_a_kill(
    start_platform: Callable[..., Any], endpoint: Endpoint, poll: Callable[..., Any]
) -> None:
    """What was accepted before a kill -9 is delivered by the next platform, signed with the same key."""
    first = start_platform()
    sns = first.client("sns")
    topic, _ = _confirmed(sns, endpoint, poll, DeliveryPolicy=RETRIES)
    endpoint.statuses = [500] * 2
    sns.publish(TopicArn=topic, Message="m")
    poll(lambda: endpoint.of_type("Notification"), 10, "the first attempt")
    first.stop(signal.SIGKILL)
    count = len(endpoint.requests)
    second = start_platform()
    poll(lambda: len(endpoint.requests) > count, 15, "another attempt")
    sns = second.client("sns")
    assert len(sns.list_subscriptions()["Subscriptions"]) == 1
    sns.publish(TopicArn=topic, Message="after")
    poll(
        lambda: {one["Message"] for one in endpoint.of_type("Notification")} == {"m", "after"},
        10,
        "both",
    )
    _verify(endpoint.of_type("Notification")[-1])
