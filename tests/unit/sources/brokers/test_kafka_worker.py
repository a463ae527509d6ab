"""Pollers of Kafka: where they begin, what they invoke with, what they commit, and what rebalances leave."""

import asyncio
import base64
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from lambent.model.errors import ClientFault, PlatformFault
from lambent.model.event_source_mapping import EventSourceMapping, MappingState
from lambent.observe.metrics import Metrics
from lambent.sources.contract import Parts, Poller
from lambent.sources.kafka.kind import kafka_kinds
from lambent.sources.streams import StreamParts
from lambent.testing.brokers import FakeKafka, ScriptedFunctions
from lambent.testing.loop import on_loop, until
from lambent.testing.queue_store import FakeQueueStore
from lambent.testing.stream_bench import DESTINATION_ARN, FUNCTION_ARN, ROLE, FakeOutlet
from lambent.testing.streams import EPOCH_S, FakeStream, unix_s
from lambent.testing.virtual_time import in_virtual_time

THROTTLED = ClientFault("TooManyRequestsException", "Rate Exceeded.", 429)
TOO_LARGE = ClientFault("RequestEntityTooLargeException", "Too large.", 413)
BROKEN = PlatformFault("Connection error. gone", "ConnectionError", 503)


def values(event: Any) -> list[str]:
    """What an event's messages say."""
    [records] = event["records"].values()
    return [base64.b64decode(each["value"]).decode() for each in records]


class Bench:
    """One mapping of a fake cluster, with its poller."""

    def __init__(
        self, kafka: FakeKafka, functions: ScriptedFunctions | None = None, **settings: Any
    ) -> None:
        self.kafka = kafka
        self.functions = functions or ScriptedFunctions()
        self.outlet = FakeOutlet()
        self.results: list[str] = []
        self.document: dict[str, Any] = {
            "Topics": ["t"],
            "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["h:1"]}},
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "g"},
            "BatchSize": 100,
        } | settings
        self.arn: str | None = None
        self.api: Any = FakeStream()
        self.poller: Poller

    async def start(self) -> None:
        """A poller, as after a restart, that has had a moment."""
        parts = StreamParts(FakeQueueStore(), self.outlet, Metrics(), lambda _: ROLE, unix_s)
        mapping = EventSourceMapping(
            uuid="u", account_id="1", region="us-east-1", function_arn=FUNCTION_ARN,
            event_source_arn=self.arn, enabled=True, state=MappingState.ENABLED,
            state_transition_reason="", last_modified_s=0.0, last_processing_result="",
            document=self.document,
        )  # fmt: skip
        kind = kafka_kinds(parts, self.kafka.open)["kafka" if self.arn else "self-managed-kafka"]
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
        return [values(event) for event in self.functions.events]


@in_virtual_time
async def test_batches_are_of_one_partition_and_committed() -> None:
    """Each event has one partition's messages, in order; the offset follows each success."""
    kafka = FakeKafka(2)
    kafka.put("a", "b", "c")
    kafka.put("x", partition=1)
    bench = Bench(kafka, BatchSize=2, MaximumBatchingWindowInSeconds=0)
    await bench.start()
    assert sorted(bench.batches) == [["a", "b"], ["c"], ["x"]]
    assert bench.batches.index(["a", "b"]) < bench.batches.index(["c"])
    assert kafka.offsets == {0: 3, 1: 1}
    assert [offset for partition, offset in kafka.commits if partition == 0] == [0, 2, 3]
    await bench.stop()
    assert bench.results[-1] == "OK"


@in_virtual_time
async def test_the_default_window_is_half_a_second() -> None:
    """Without a window set, a batch waits 500 ms from its first message."""
    kafka = FakeKafka()
    bench = Bench(kafka)
    await bench.start()
    kafka.put("a")
    await asyncio.sleep(0.4)
    kafka.put("b")
    assert bench.batches == []
    await asyncio.sleep(0.2)
    assert bench.batches == [["a", "b"]]
    await bench.stop()


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({"StartingPosition": "TRIM_HORIZON"}, "old"),
        ({"StartingPosition": "LATEST"}, "new"),
        (
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": EPOCH_S - 50},
            "middle",
        ),
    ],
)
def test_a_new_group_begins_where_the_mapping_says(settings: dict[str, Any], first: str) -> None:
    """And that is committed at once: after a restart before the first message it still holds."""

    @in_virtual_time
    async def run() -> None:
        kafka = FakeKafka()
        kafka.put("old", age_s=100)
        kafka.put("middle", age_s=10)
        bench = Bench(kafka, BatchSize=1, MaximumBatchingWindowInSeconds=0, **settings)
        bench.functions.answer = lambda event: (_ for _ in ()).throw(THROTTLED)
        await bench.start()
        await bench.stop()
        kafka.put("new")
        again = Bench(kafka, BatchSize=1, MaximumBatchingWindowInSeconds=0, **settings)
        await again.start()
        await again.stop()
        assert again.batches[0] == [first]
        assert again.batches[-1] == ["new"]

    run()


@in_virtual_time
async def test_a_group_s_offsets_come_before_the_mapping_s_position() -> None:
    """An existing group goes on where it is; a partition that it does not know begins at its first message."""
    kafka = FakeKafka(2)
    kafka.put("a", "b")
    kafka.put("x", partition=1)
    kafka.offsets[0] = 1
    bench = Bench(kafka, StartingPosition="LATEST", MaximumBatchingWindowInSeconds=0)
    await bench.start()
    await bench.stop()
    assert sorted(bench.batches) == [["b"], ["x"]]


@in_virtual_time
async def test_a_batch_is_tried_until_it_succeeds_and_blocks_its_partition() -> None:
    """Infinite retries: the same batch, after growing whiles, with nothing of its partition in between."""
    kafka = FakeKafka(2)
    kafka.put("bad", "next")
    kafka.put("other", partition=1)
    tries: list[float] = []

    def answer(event: Any) -> None:
        if values(event) == ["bad"]:
            tries.append(asyncio.get_running_loop().time())
            if len(tries) < 5:
                raise ValueError("bad")

    bench = Bench(kafka, ScriptedFunctions(answer), BatchSize=1, MaximumBatchingWindowInSeconds=0)
    await bench.start()
    await asyncio.sleep(60)
    await bench.stop()
    assert [batch for batch in bench.batches if batch != ["other"]] == [["bad"]] * 5 + [["next"]]
    waits = [round(b - a, 1) for a, b in pairwise(tries)]
    assert waits == [0.5, 1.0, 2.0, 4.0]
    assert kafka.offsets == {0: 2, 1: 1}


@in_virtual_time
async def test_what_the_topic_keeps_no_more_is_given_up() -> None:
    """A batch whose messages have expired in the topic is not retried for ever."""
    kafka = FakeKafka()
    kafka.put("bad", "good")

    def answer(event: Any) -> None:
        if "bad" in values(event):
            raise ValueError("bad")

    bench = Bench(kafka, ScriptedFunctions(answer), BatchSize=1, MaximumBatchingWindowInSeconds=0)
    await bench.start()
    await asyncio.sleep(100)
    assert bench.batches[-1] == ["bad"]
    kafka.trim(0, 1)
    await asyncio.sleep(200)
    await bench.stop()
    assert bench.batches[-1] == ["good"]


@in_virtual_time
async def test_with_a_destination_infinite_retries_are_ten() -> None:
    """AWS applies ten retries; what is given up is at its destination before the offset passes it."""
    kafka = FakeKafka()
    kafka.put("bad")
    bench = Bench(kafka, DestinationConfig={"OnFailure": {"Destination": DESTINATION_ARN}})
    bench.functions.answer = lambda event: (_ for _ in ()).throw(ValueError("bad"))
    await bench.start()
    await asyncio.sleep(1000)
    await bench.stop()
    assert len(bench.batches) == 11
    assert [target for target, _ in bench.outlet.sent] == [DESTINATION_ARN]
    assert kafka.offsets == {0: 1}


@in_virtual_time
async def test_a_message_too_large_for_lambda_is_given_up_at_once() -> None:
    """A single message that no event can hold goes to the destination, and is not tried again."""
    kafka = FakeKafka()
    kafka.put("huge", "next")

    def answer(event: Any) -> None:
        if values(event) == ["huge"]:
            raise TOO_LARGE

    more = {"DestinationConfig": {"OnFailure": {"Destination": DESTINATION_ARN}}}
    bench = Bench(
        kafka, ScriptedFunctions(answer), BatchSize=1, MaximumBatchingWindowInSeconds=0, **more
    )
    await bench.start()
    await bench.stop()
    assert bench.batches == [["huge"], ["next"]]
    [(_, outgoing)] = bench.outlet.sent
    assert b'"condition":"MaximumPayloadSizeExceeded"' in outgoing.body


@in_virtual_time
async def test_a_partition_taken_away_ends_its_batch_first() -> None:
    """What runs ends and is committed before the group goes on; what was read ahead is left to the next member."""
    kafka = FakeKafka()
    kafka.put("a", "b")
    functions = ScriptedFunctions()
    functions.seconds = 3.0
    bench = Bench(kafka, functions, BatchSize=1, MaximumBatchingWindowInSeconds=0)
    await bench.start()
    await kafka.take_away(0)
    assert (bench.batches, kafka.offsets) == ([["a"]], {0: 1})
    await asyncio.sleep(30)
    assert bench.batches == [["a"]]
    await kafka.give(0)
    await asyncio.sleep(5)
    await bench.stop()
    assert bench.batches == [["a"], ["b"]]
    assert kafka.offsets == {0: 2}


@in_virtual_time
async def test_a_connection_that_breaks_is_made_anew() -> None:
    """It is told, waited for, and goes on at the committed offset; nothing comes twice."""
    kafka = FakeKafka()
    kafka.put("a")
    bench = Bench(kafka, MaximumBatchingWindowInSeconds=0)
    kafka.fail("start", BROKEN, times=2)
    await bench.start()
    assert bench.results == ["PROBLEM: Connection error. gone"]
    await asyncio.sleep(5)
    assert bench.batches == [["a"]]
    kafka.fail("fetch", BROKEN)
    await asyncio.sleep(40)
    kafka.put("b")
    await asyncio.sleep(10)
    await bench.stop()
    assert bench.batches == [["a"], ["b"]]
    assert len(kafka.accesses) == 4
    assert kafka.member is None


@in_virtual_time
async def test_a_membership_that_ended_by_itself_is_noticed() -> None:
    """A member without partitions reads nothing; it is asked, now and then, whether it still is one."""
    kafka = FakeKafka()
    bench = Bench(kafka)
    await bench.start()
    kafka.fail("check", BROKEN)
    await asyncio.sleep(70)
    assert len(kafka.accesses) == 2
    await bench.stop()


@in_virtual_time
async def test_a_failed_commit_holds_what_follows() -> None:
    """Nothing more of a partition begins before its offset is kept."""
    kafka = FakeKafka()
    kafka.put("a", "b")
    bench = Bench(kafka, BatchSize=1, MaximumBatchingWindowInSeconds=0)
    functions = bench.functions
    functions.answer = lambda event: (
        kafka.fail("commit", BROKEN, times=3) if values(event) == ["a"] else None
    )
    await bench.start()
    assert bench.batches == [["a"]]
    await asyncio.sleep(30)
    await bench.stop()
    assert bench.batches == [["a"], ["b"]]
    assert kafka.offsets == {0: 2}


@in_virtual_time
async def test_lag_is_told_in_messages() -> None:
    """What was not handled counts, of all partitions, whether it was read or not."""
    kafka = FakeKafka(2)
    kafka.put(*"abcd")
    kafka.put("x", partition=1)
    functions = ScriptedFunctions()
    functions.seconds = 100.0
    bench = Bench(kafka, functions, BatchSize=1, MaximumBatchingWindowInSeconds=0)
    await bench.start()
    told = await bench.poller.describe()
    assert (told["lag"], told["in_flight"], told["concurrency"]) == (5, 2, 2)
    assert [each["shard_id"] for each in told["shards"]] == ["t-0", "t-1"]
    await bench.stop()
    assert kafka.offsets == {0: 1, 1: 1}


class FakeMsk:
    """Is an AwsApi of Amazon MSK and of Secrets Manager."""

    def __init__(self, **brokers: str) -> None:
        self.brokers = brokers

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
        if operation == "GetSecretValue":
            return {"SecretString": '{"username": "u", "password": "p"}'}
        assert (service, operation) == ("kafka", "GetBootstrapBrokers")
        return self.brokers


@pytest.mark.parametrize(
    ("types", "brokers", "server", "tls"),
    [
        ((), {"BootstrapBrokerString": "plain:9092"}, "plain:9092", False),
        ((), {"BootstrapBrokerString": "p:1", "BootstrapBrokerStringTls": "t:2"}, "t:2", True),
        (("SASL_SCRAM_512_AUTH",), {"BootstrapBrokerStringSaslScram": "s:3,s:4"}, "s:3", True),
        (("SASL_SCRAM_512_AUTH",), {"BootstrapBrokerStringTls": "t:2"}, None, False),
    ],
)
def test_the_brokers_of_msk_are_those_its_api_names(
    types: tuple[str, ...], brokers: dict[str, str], server: str | None, tls: bool
) -> None:
    """By the mapping's authentication; the event has the cluster's ARN. A cluster without such brokers is told."""

    @on_loop  # TLS contexts are made on a thread
    async def run() -> None:
        kafka = FakeKafka()
        kafka.put("a")
        configurations = [{"Type": each, "URI": "secret"} for each in types]
        bench = Bench(
            kafka,
            SourceAccessConfigurations=configurations,
            AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "g"},
            MaximumBatchingWindowInSeconds=0,
        )
        bench.arn = "arn:aws:kafka:us-east-1:1:cluster/c/u-1"
        bench.api = FakeMsk(**brokers)
        await bench.start()
        await until(lambda: bool(bench.functions.events) or "PROBLEM" in str(bench.results))
        await bench.stop()
        if server is None:
            assert bench.results[0].startswith("PROBLEM: Connection error. The cluster has no")
            return
        assert (kafka.accesses[0].bootstrap_servers[0], kafka.accesses[0].tls is not None) == (
            *(server, tls),
        )
        [event] = bench.functions.events
        assert (event["eventSource"], event["eventSourceArn"]) == ("aws:kafka", bench.arn)

    run()
