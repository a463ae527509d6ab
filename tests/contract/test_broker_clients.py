"""The clients of Kafka and RabbitMQ against servers that speak their protocols: what pollers rely on."""

import asyncio
import ssl
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.model.errors import AwsError
from lambent.sources.kafka.client import AiokafkaTopic
from lambent.sources.kafka.contract import KafkaAccess, KafkaMessage
from lambent.sources.rabbitmq.client import AiormqQueue
from lambent.sources.rabbitmq.contract import RabbitAccess, RabbitMessage
from lambent.testing.certificates import make_certificate
from lambent.testing.kafka import PARTITIONS, MockKafka
from lambent.testing.loop import on_loop, until
from lambent.testing.rabbitmq import PASSWORD, USER, RabbitServer, find_server


class Assignee:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.mine: set[int] = set()

    async def revoked(self, partitions: Collection[int]) -> None:
        """See the protocol."""
        self.mine -= set(partitions)

    async def assigned(self, partitions: Collection[int]) -> None:
        """See the protocol."""
        self.mine |= set(partitions)


@pytest.fixture(scope="module")
def kafka() -> Iterator[MockKafka]:
    """A mock cluster."""
    cluster = MockKafka()
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for localhost, and its key."""
    made = make_certificate()
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_text(made["privateKey"] + made["certificate"])
    return path


@pytest.fixture(scope="module")
def rabbit(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """A server with a port for TLS."""
    script = find_server()
    if script is None:
        pytest.skip("RabbitMQ's server is not installed (apt-get install rabbitmq-server)")
    server = RabbitServer(script, tmp_path_factory.mktemp("rabbitmq"), certificate)
    yield server
    server.close()


@on_loop
async def test_a_kafka_topic_is_read_and_committed(kafka: MockKafka) -> None:
    """Offsets, messages from any of them on, commits that another client sees; a time nobody knows is the end."""
    name = "contract"
    kafka.make_topic(name)
    for number in range(5):
        kafka.put(name, f"v{number}", key=f"k{number}", headers=[("h", b"\x80")])
    topic, assignee = AiokafkaTopic(KafkaAccess((kafka.address,)), name, "g"), Assignee()
    try:
        await topic.start(assignee)
        await until(lambda: assignee.mine == set(range(PARTITIONS)), 10)
        await topic.check()
        assert await topic.committed() == dict.fromkeys(range(PARTITIONS))
        assert await topic.first_offsets([0, 1]) == {0: 0, 1: 0}
        assert await topic.end_offsets([0, 1]) == {0: 5, 1: 0}
        assert await topic.offsets_at(0, [1]) == {1: 0}
        messages: list[KafkaMessage] = []
        while len(messages) < 2:  # a read gives what the broker had at hand
            messages += await topic.fetch(0, 1 + len(messages), 2 - len(messages))
        assert [(each.offset, each.key, each.value) for each in messages] == [
            (1, b"k1", b"v1"),
            (2, b"k2", b"v2"),
        ]
        assert messages[0].headers == (("h", b"\x80"),)
        assert (await topic.fetch(0, 3, 10))[0].offset == 3
        assert [each.offset for each in await topic.fetch(0, 0, 1)] == [0]
        await topic.commit(0, 4)
        assert (await topic.committed())[0] == 4
        assert topic.end_of(0) == 5
    finally:
        await topic.stop()
    committed = await asyncio.to_thread(kafka.committed, "g", name)
    assert committed == {0: 4}


@on_loop
async def test_brokers_that_do_not_answer_are_a_connection_error() -> None:
    """Nothing listens: an AwsError with AWS's words."""
    topic = AiokafkaTopic(KafkaAccess(("127.0.0.1:1",)), "t", "g")
    with pytest.raises(AwsError, match=r"^Connection error\."):
        await topic.start(Assignee())
    await topic.stop()


@pytest.mark.parametrize("mechanism", ["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("trusted", [True, False])
def test_kafka_over_tls_is_verified(certificate: Path, mechanism: str, trusted: bool) -> None:
    """A broker whose certificate is trusted gets a request; of another one nothing is asked."""
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(1024))
        writer.close()

    @on_loop
    async def run() -> None:
        side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        side.load_cert_chain(certificate)
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=side)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        tls = ssl.create_default_context(cafile=str(certificate) if trusted else None)
        access = KafkaAccess((address,), mechanism, "u", "p", tls)
        topic = AiokafkaTopic(access, "t", "g")
        with pytest.raises(AwsError, match=r"^Connection error\."):
            await topic.start(Assignee())
        await topic.stop()
        server.close()
        await server.wait_closed()

    run()
    assert any(received) is trusted
    assert all(b"lambent" in each for each in received if each)


def access_to(rabbit: RabbitServer, **more: Any) -> RabbitAccess:
    """How the server is reached."""
    given: dict[str, Any] = {
        "host": "localhost",
        "port": rabbit.port,
        "tls": False,
        "username": USER,
    }
    return RabbitAccess(**(given | {"password": PASSWORD} | more))


@pytest.mark.parametrize("tls", [True, False])
def test_a_rabbitmq_queue_is_consumed(
    rabbit: RabbitServer, certificate: Path, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    """Deliveries up to the bound; acknowledged, sent back in order, rejected; over TLS where it is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    name = f"contract-{tls}"
    rabbit.declare(name)
    rabbit.publish(name, *"abcd", headers={"word": "x"})
    got: list[RabbitMessage] = []

    @on_loop
    async def run() -> None:
        port = rabbit.tls_port if tls else rabbit.port
        queue = AiormqQueue(access_to(rabbit, tls=tls, port=port), name, 2)
        try:
            await queue.open(got.append, lambda: None)
            await until(lambda: len(got) == 2, 10)
            await queue.requeue(got[-1].tag)
            await until(lambda: len(got) == 4, 10)
            assert [(each.body, each.redelivered) for each in got] == [
                *[(b"a", False), (b"b", False)],
                *[(b"a", True), (b"b", True)],
            ]
            assert got[0].properties.headers == {"word": "x"}
            await queue.flow(on=False)
            await queue.ack(got[-1].tag, up_to=True)
            assert await queue.waiting() == 2
            await queue.flow(on=True)
            await until(lambda: len(got) == 6, 10)
            await queue.reject(got[-1].tag)
        finally:
            await queue.close()

    run()
    assert rabbit.drain(name) == [b"c"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"password": "wrong"}, "authenticate"),
        ({"virtual_host": "/none"}, "authorize|Connection error"),
        ({"port": 1}, "Connection error"),
        ({"tls": True}, "Connection error"),
    ],
)
def test_a_rabbitmq_that_refuses_is_told(
    rabbit: RabbitServer, more: dict[str, Any], text: str
) -> None:
    """A wrong password, host or port, a certificate nobody trusts: an AwsError that says which."""

    @on_loop
    async def run() -> None:
        port = {"port": rabbit.tls_port} if more.get("tls") else {}
        queue = AiormqQueue(access_to(rabbit, **(more | port)), "q", 1)
        with pytest.raises(AwsError, match=text):
            await queue.open(lambda _: None, lambda: None)
        await queue.close()

    run()


def test_the_end_of_a_queue_is_told(rabbit: RabbitServer) -> None:
    """A queue that is not there is refused; one that is deleted breaks its consumer off."""
    rabbit.declare("short-lived")
    ended: list[str] = []

    @on_loop
    async def run() -> None:
        missing = AiormqQueue(access_to(rabbit), "missing", 1)
        with pytest.raises(AwsError, match="The queue is not there"):
            await missing.open(lambda _: None, lambda: None)
        await missing.close()
        queue = AiormqQueue(access_to(rabbit), "short-lived", 1)
        await queue.open(lambda _: None, lambda: ended.append("broken"))
        await asyncio.to_thread(rabbit.delete, "short-lived")
        await until(lambda: bool(ended), 10)
        await queue.close()

    run()
