"""Pollers of RabbitMQ: batches, acknowledgements, what failures send back, what a broken connection leaves."""

import asyncio
import base64
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from lambent.model.errors import AwsError, ClientFault, PlatformFault, not_found
from lambent.model.event_source_mapping import EventSourceMapping, MappingState
from lambent.sources.contract import Parts, Poller
from lambent.sources.rabbitmq.kind import find_broker, rabbitmq_kind
from lambent.testing.brokers import FakeRabbit, ScriptedFunctions
from lambent.testing.stream_bench import FUNCTION_ARN
from lambent.testing.virtual_time import in_virtual_time

ARN = "arn:aws:mq:us-east-1:1:broker:test:b-1"
SECRET = "arn:aws:secretsmanager:us-east-1:111111111111:secret:s"
THROTTLED = ClientFault("TooManyRequestsException", "Rate Exceeded.", 429)
BROKEN = PlatformFault("Connection error. gone", "ConnectionError", 503)


class FakeApi:
    """Is an AwsApi of Secrets Manager and of Amazon MQ; ``broker`` is what DescribeBroker says, or raises."""

    def __init__(self, broker: Mapping[str, Any] | AwsError | None = None) -> None:
        self.broker = broker or {}
        self.secret = '{"username": "u", "password": "p"}'

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        account_id: str,
        region: str,
    ) -> Mapping[str, Any]:
        """See the protocol."""
        del parameters, account_id, region
        if (service, operation) == ("secretsmanager", "GetSecretValue"):
            return {"SecretString": self.secret}
        assert (service, operation) == ("mq", "DescribeBroker")
        if isinstance(self.broker, AwsError):
            raise self.broker
        return self.broker


def bodies(event: Any) -> list[str]:
    """What an event's messages say."""
    [messages] = event["rmqMessagesByQueue"].values()
    return [base64.b64decode(each["data"]).decode() for each in messages]


class Bench:
    """One mapping of a fake broker, with its poller."""

    def __init__(
        self, rabbit: FakeRabbit, functions: ScriptedFunctions | None = None, **settings: Any
    ) -> None:
        self.rabbit = rabbit
        self.functions = functions or ScriptedFunctions()
        self.api = FakeApi()
        self.results: list[str] = []
        self.document: dict[str, Any] = {
            "Queues": ["q"],
            "BatchSize": 10,
            "SourceAccessConfigurations": [
                {"Type": "BASIC_AUTH", "URI": SECRET},
                {"Type": "VIRTUAL_HOST", "URI": "/orders"},
            ],
        } | settings
        self.poller: Poller

    async def start(self, url: str = "amqps://rabbit") -> None:
        """A poller that has had a moment."""
        mapping = EventSourceMapping(
            uuid="u", account_id="1", region="us-east-1", function_arn=FUNCTION_ARN,
            event_source_arn=ARN, enabled=True, state=MappingState.ENABLED,
            state_transition_reason="", last_modified_s=0.0, last_processing_result="",
            document=self.document,
        )  # fmt: skip
        kind = rabbitmq_kind(url, self.rabbit.open)
        self.poller = kind.make_poller(mapping, Parts(self.api, self.functions, self))
        self.poller.start()
        await asyncio.sleep(0.1)

    async def stop(self, deadline_s: float = 900.0) -> None:
        """Stops the poller."""
        await self.poller.stop(deadline_s)

    def processed(self, mapping: EventSourceMapping, last_processing_result: str) -> None:
        """Is a Reports."""
        del mapping
        if self.results[-1:] != [last_processing_result]:
            self.results.append(last_processing_result)

    @property
    def batches(self) -> list[list[str]]:
        """What the function was invoked with."""
        return [bodies(event) for event in self.functions.events]


@in_virtual_time
async def test_batches_are_acknowledged_one_after_the_other() -> None:
    """A batch has BatchSize messages or what the window brought; the next begins when it is acknowledged."""
    rabbit = FakeRabbit()
    rabbit.put(*"abcde")
    functions = ScriptedFunctions()
    functions.seconds = 1.0
    bench = Bench(rabbit, functions, BatchSize=2)
    await bench.start()
    assert (bench.batches, rabbit.acked) == ([["a", "b"]], [])
    await asyncio.sleep(10)
    assert bench.batches == [["a", "b"], ["c", "d"], ["e"]]
    assert rabbit.acked == [b"a", b"b", b"c", b"d", b"e"]
    assert next(iter(bench.functions.events[0]["rmqMessagesByQueue"])) == "q::/orders"
    [access] = rabbit.accesses
    assert (access.host, access.port, access.tls, access.virtual_host) == (
        *("rabbit", 5671, True),
        "/orders",
    )
    assert (access.username, access.password, "p'" in repr(access)) == ("u", "p", False)
    await bench.stop()
    assert bench.results[-1] == "OK"


@in_virtual_time
async def test_a_failed_batch_goes_back_whole_and_in_order() -> None:
    """All that is unacknowledged goes back after a growing while, and comes again before what follows it."""
    rabbit = FakeRabbit()
    rabbit.put(*"abc")
    times: list[float] = []

    def answer(event: Any) -> None:
        if "a" in bodies(event):
            times.append(asyncio.get_running_loop().time())
            if len(times) < 4:
                raise ValueError("not yet")

    bench = Bench(rabbit, ScriptedFunctions(answer), BatchSize=2, MaximumBatchingWindowInSeconds=0)
    await bench.start()
    await asyncio.sleep(30)
    await bench.stop()
    assert bench.batches == [["a", "b"]] * 4 + [["c"]]
    assert [round(b - a, 1) for a, b in pairwise(times)] == [0.5, 1.0, 2.0]
    flags = [
        [each["redelivered"] for each in next(iter(event["rmqMessagesByQueue"].values()))]
        for event in bench.functions.events
    ]
    assert flags == [[False, False], [True, True], [True, True], [True, True], [False]]


@in_virtual_time
async def test_a_throttled_batch_is_held_and_not_sent_back() -> None:
    """A throttle uses up none of a message's deliveries; but brokers let none wait for ever."""
    rabbit = FakeRabbit()
    rabbit.put("a")
    left = [THROTTLED] * 5

    def answer(_: Any) -> None:
        if left:
            raise left.pop()

    bench = Bench(rabbit, ScriptedFunctions(answer), MaximumBatchingWindowInSeconds=0)
    await bench.start()
    await asyncio.sleep(30)
    assert rabbit.acked == [b"a"]
    messages = [next(iter(e["rmqMessagesByQueue"].values()))[0] for e in bench.functions.events]
    assert not any(message["redelivered"] for message in messages)
    left.extend([THROTTLED] * 1000)
    rabbit.put("b")
    await asyncio.sleep(25 * 60)
    last = next(iter(bench.functions.events[-1]["rmqMessagesByQueue"].values()))[0]
    assert last["redelivered"]
    await bench.stop(0)


@in_virtual_time
async def test_filters_acknowledge_what_they_do_not_keep() -> None:
    """It is gone from the queue without the function, and leaves room for what is kept."""
    rabbit = FakeRabbit()
    rabbit.put(*["words"] * 5, '{"n": 1}')
    pattern = {"Filters": [{"Pattern": '{"data": {"n": [1]}}'}]}
    bench = Bench(rabbit, BatchSize=2, FilterCriteria=pattern)
    await bench.start()
    await asyncio.sleep(1)
    told = await bench.poller.describe()
    await bench.stop()
    assert bench.batches == [['{"n": 1}']]
    assert (len(rabbit.acked), told["filtered"], told["lag"]) == (6, 5, 0)


@in_virtual_time
async def test_a_message_too_large_for_lambda_is_rejected() -> None:
    """It goes to the queue's dead-letter exchange; what follows it is handled."""
    rabbit = FakeRabbit()
    rabbit.put("huge", "next")

    def answer(event: Any) -> None:
        if bodies(event) == ["huge"]:
            raise ClientFault("RequestEntityTooLargeException", "Too large.", 413)

    bench = Bench(rabbit, ScriptedFunctions(answer), BatchSize=1, MaximumBatchingWindowInSeconds=0)
    await bench.start()
    await bench.stop()
    assert (rabbit.dead, rabbit.acked) == ([b"huge"], [b"next"])


@in_virtual_time
async def test_no_more_than_some_size_is_held() -> None:
    """Deliveries stop above a bound, and go on when what was held has been handled: nothing is lost.

    What matches no filter and is acknowledged with a batch is not acknowledged again.
    """
    rabbit = FakeRabbit()
    for number in range(10):
        rabbit.put(*[f"{number}" * 2_000_000] * 3, "unwanted")
    functions = ScriptedFunctions()
    functions.seconds = 1.0
    wanted = {"Filters": [{"Pattern": '{"data": [{"anything-but": "unwanted"}]}'}]}
    bench = Bench(rabbit, functions, BatchSize=10_000, FilterCriteria=wanted)
    await bench.start()
    await asyncio.sleep(60)
    await bench.stop()
    assert len(rabbit.acked) == 40
    assert bench.results[-1] == "OK"
    assert len(rabbit.accesses) == 1
    assert [batch[0][0] for batch in bench.batches] == sorted(b[0][0] for b in bench.batches)


@in_virtual_time
async def test_nothing_is_acknowledged_twice() -> None:
    """What matches no filter and is acknowledged along with a batch is not acknowledged again."""
    rabbit = FakeRabbit()
    # The large ones stop deliveries; when these go on, what is unwanted comes just before what is wanted.
    rabbit.put("a" * 13_000_000, "b" * 13_000_000, "unwanted", "c")
    wanted = {"Filters": [{"Pattern": '{"data": [{"anything-but": "unwanted"}]}'}]}
    bench = Bench(rabbit, BatchSize=2, MaximumBatchingWindowInSeconds=0, FilterCriteria=wanted)
    await bench.start()
    await asyncio.sleep(60)
    await bench.stop()
    assert [body[:1] for body in rabbit.acked] == [b"a", b"b", b"u", b"c"]
    assert len(rabbit.accesses) == 1


@in_virtual_time
async def test_a_connection_that_breaks_is_made_anew() -> None:
    """What was held comes again; a batch whose acknowledgement was lost is handled again, not lost."""
    rabbit = FakeRabbit()
    rabbit.failures = [BROKEN, BROKEN]
    rabbit.put("a", "b")
    bench = Bench(rabbit, BatchSize=1)
    await bench.start()
    assert bench.results == ["PROBLEM: Connection error. gone"]
    await asyncio.sleep(5)
    assert rabbit.acked == [b"a", b"b"]
    rabbit.cut()
    rabbit.put("c")
    await asyncio.sleep(10)
    assert rabbit.acked == [b"a", b"b", b"c"]
    await bench.stop()
    assert rabbit.consumer is None


@in_virtual_time
async def test_a_secret_that_is_none_is_told() -> None:
    """The poller says what is wrong with the secret, and tries again when it may be right."""
    rabbit = FakeRabbit()
    bench = Bench(rabbit)
    bench.api.secret = '{"username": "u"}'
    await bench.start()
    assert bench.results == [
        f"PROBLEM: The secret {SECRET} is no JSON object with the strings username, password."
    ]
    bench.api.secret = '{"username": "u", "password": "p"}'
    await asyncio.sleep(5)
    rabbit.put("a")
    await asyncio.sleep(5)
    await bench.stop()
    assert rabbit.acked == [b"a"]


@pytest.mark.parametrize(
    ("broker", "error"),
    [
        ({"EngineType": "ACTIVEMQ"}, "ActiveMQ"),
        ({"EngineType": "RABBITMQ", "BrokerInstances": [{"Endpoints": []}]}, "--neighbour mq="),
        (not_found("no such broker"), "no such broker"),
    ],
)
def test_a_broker_that_cannot_be_used_is_refused(broker: Any, error: str) -> None:
    """ActiveMQ by its name; a broker without an endpoint with what to do."""

    @in_virtual_time
    async def run() -> None:
        with pytest.raises(AwsError, match=error):
            await find_broker(FakeApi(broker), ARN, "1", "us-east-1")

    run()


@in_virtual_time
async def test_the_api_says_where_a_broker_is() -> None:
    """Where the operator named none, DescribeBroker's AMQP endpoint is used."""
    rabbit = FakeRabbit()
    bench = Bench(rabbit)
    bench.api.broker = {
        "EngineType": "RabbitMQ",
        "BrokerInstances": [{"Endpoints": ["https://console", "amqps://b-1.mq.example:5671"]}],
    }
    await bench.start("")
    await bench.stop()
    assert [(each.host, each.port) for each in rabbit.accesses] == [("b-1.mq.example", 5671)]
