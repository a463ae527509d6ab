"""Replaying: what a request may say, and where shards begin after it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.errors import AwsError, ClientFault
from lambent.model.event_source_mapping import EventSourceMapping, MappingEvent, MappingState
from lambent.sources.registry import Registry
from lambent.sources.replay import parse_request
from lambent.sources.stream_source import Position, PositionKind
from lambent.sources.streams import stream_kinds
from lambent.testing.loop import until
from lambent.testing.stream_bench import DYNAMODB_ARN, KINESIS_ARN, StreamBench
from lambent.testing.streams import EPOCH_S, FakeFunctions, FakeStream, unix_s
from lambent.testing.virtual_time import in_virtual_time

HORIZON = {"from": "TRIM_HORIZON"}
SHARD = "shardId-000000000000"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "from": JSON | st.sampled_from([each.value for each in PositionKind]),
        "timestamp": JSON,
        "sequence_number": JSON | st.text("0123456789", max_size=140),
        "shard_id": JSON,
        "more": JSON,
    },
)


@given(JSON | REQUESTS)
def test_any_request_is_taken_or_refused(document: object) -> None:
    """Whatever is sent is a position, or AWS's error for a bad parameter; nothing else is raised."""
    try:
        request = parse_request(document)
    except ClientFault:
        return
    assert isinstance(document, dict)
    assert request.position.kind.value == document["from"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (HORIZON, Position(PositionKind.TRIM_HORIZON)),
        ({"from": "AT_TIMESTAMP", "timestamp": 5}, Position(PositionKind.AT_TIMESTAMP, "5.0")),
        (
            {"from": "AFTER_SEQUENCE_NUMBER", "sequence_number": "07", "shard_id": "s"},
            Position(PositionKind.AFTER_SEQUENCE_NUMBER, "07"),
        ),
    ],
)
def test_positions(document: dict[str, Any], expected: Position) -> None:
    """The horizon, a time, a sequence number of one shard."""
    request = parse_request(document)
    assert (request.position, request.shard_id) == (expected, document.get("shard_id"))


@pytest.mark.parametrize(
    "document",
    [
        {"from": "LATEST"},
        HORIZON | {"timestamp": 5},
        {"from": "AT_SEQUENCE_NUMBER", "sequence_number": "7"},
        {"from": "AT_SEQUENCE_NUMBER", "sequence_number": "x", "shard_id": "s"},
        {"from": "AT_TIMESTAMP", "timestamp": 1_700_000_000_000},
        {"from": "AT_TIMESTAMP", "timestamp": True},
        HORIZON | {"speed": 2},
    ],
)
def test_what_means_nothing_is_refused(document: dict[str, Any]) -> None:
    """No member is ignored."""
    with pytest.raises(ClientFault):
        parse_request(document)


async def replayed(bench: StreamBench, request: dict[str, Any]) -> list[str]:
    """The shards that were set back."""
    registry, states = registry_of(bench)
    registry.changed(replace(bench.mapping(), state=MappingState.DISABLED, enabled=False))
    await until(lambda: states == [MappingEvent.POLLER_STOPPED])
    await asyncio.sleep(0)
    shards = await registry.replay(bench.mapping().uuid, request)
    await registry.close(1)
    return shards


def registry_of(bench: StreamBench) -> tuple[Registry, list[MappingEvent]]:
    """A registry of the bench's kind of stream, and what it settles."""
    states: list[MappingEvent] = []

    async def settle(mapping: EventSourceMapping, event: MappingEvent) -> None:
        del mapping
        states.append(event)

    async def record_result(uuid: str, result: str) -> None:
        del uuid, result

    kinds = stream_kinds(bench.streams)
    return Registry(kinds, bench.stream, bench.functions, settle, record_result), states


async def handled(bench: StreamBench, seconds: float = 20) -> str:
    """What is handled while it is polled."""
    before = len(bench.functions.batches)
    bench.start()
    await asyncio.sleep(seconds)
    await bench.stop()
    return "".join(key for batch in bench.functions.batches[before:] for key in batch)


@in_virtual_time
async def test_the_whole_stream_comes_again() -> None:
    """From the horizon: every record of every shard, and after that nothing twice."""
    stream = FakeStream(2)
    for number, key in enumerate("abcdef"):
        stream.put(key, shard=number % 2)
    bench = StreamBench(stream, FakeFunctions(), ParallelizationFactor=2)
    assert sorted(await handled(bench)) == list("abcdef")
    assert await handled(bench) == ""
    assert len(await replayed(bench, HORIZON)) == 2
    assert sorted(await handled(bench)) == list("abcdef")
    assert await handled(bench) == ""


@in_virtual_time
async def test_one_shard_comes_again_from_a_sequence_number() -> None:
    """The other shards stay where they are."""
    stream = FakeStream(2)
    numbers = {key: stream.put(key, shard=at % 2) for at, key in enumerate("abcdef")}
    bench = StreamBench(stream, FakeFunctions())
    await handled(bench)
    asked = {"from": "AT_SEQUENCE_NUMBER", "sequence_number": numbers["c"], "shard_id": SHARD}
    assert await replayed(bench, asked) == [SHARD]
    assert await handled(bench) == "ce"
    await replayed(bench, asked | {"from": "AFTER_SEQUENCE_NUMBER"})
    assert await handled(bench) == "e"


@pytest.mark.parametrize("arn", [KINESIS_ARN, DYNAMODB_ARN])
def test_records_come_again_from_a_time(arn: str) -> None:
    """Also of a stream that has no iterators by time: what is older is passed over."""

    @in_virtual_time
    async def check() -> None:
        stream = FakeStream()
        put = stream.put if arn == KINESIS_ARN else stream.put_item
        bench = StreamBench(stream, FakeFunctions(), arn=arn)
        put("a")
        await asyncio.sleep(10)
        middle_s = unix_s()
        put("b")
        await handled(bench)
        assert middle_s > EPOCH_S
        await replayed(bench, {"from": "AT_TIMESTAMP", "timestamp": middle_s})
        assert await handled(bench) == "b"

    check()


@in_virtual_time
async def test_parents_come_before_children_again() -> None:
    """A stream that was split is replayed in its order."""
    stream = FakeStream()
    stream.put("a")
    stream.split(0)
    stream.put("b", shard=1)
    bench = StreamBench(stream, FakeFunctions())
    assert await handled(bench) == "ab"
    await replayed(bench, HORIZON)
    assert await handled(bench) == "ab"


@in_virtual_time
async def test_a_mapping_that_was_never_polled_can_be_set() -> None:
    """All of it, not one shard: the others would have no beginning."""
    stream = FakeStream(2)
    stream.put("a")
    bench = StreamBench(stream, FakeFunctions(), StartingPosition="LATEST")
    with pytest.raises(AwsError, match="never polled"):
        await replayed(bench, HORIZON | {"shard_id": SHARD})
    await replayed(bench, HORIZON)
    assert await handled(bench) == "a"


@in_virtual_time
async def test_nothing_is_changed_where_it_cannot_be() -> None:
    """Unknown mappings and shards, positions that the stream refuses, mappings that are polled."""
    stream = FakeStream()
    stream.put("a")
    bench = StreamBench(stream, FakeFunctions())
    await handled(bench)
    with pytest.raises(AwsError, match="no shard"):
        await replayed(bench, HORIZON | {"shard_id": "shardId-9"})
    stream.fail("GetShardIterator", ClientFault("InvalidArgumentException", "not of this shard"))
    asked = {"from": "AT_SEQUENCE_NUMBER", "sequence_number": "1", "shard_id": SHARD}
    with pytest.raises(AwsError, match="not of this shard"):
        await replayed(bench, asked)
    assert await handled(bench) == ""
    registry, states = registry_of(bench)
    with pytest.raises(AwsError, match="does not exist"):
        await registry.replay(bench.mapping().uuid, HORIZON)
    registry.changed(bench.mapping())
    with pytest.raises(AwsError, match="has to be Disabled"):
        await registry.replay(bench.mapping().uuid, HORIZON)
    await until(lambda: states == [MappingEvent.POLLER_STARTED])
    with pytest.raises(AwsError, match="has to be Disabled"):
        await registry.replay(bench.mapping().uuid, HORIZON)
    await registry.close(1)
