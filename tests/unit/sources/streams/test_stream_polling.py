"""How often shards are polled: at AWS's rate while records come, less often when none do, at once when told."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lambent.model.http import HttpRequest
from lambent.neighbours.write_signal import Watch, WriteSignal, may_write
from lambent.sources.contract import Parts
from lambent.sources.stream_polling import (
    DYNAMODB_S,
    IDLE_LONGEST_S,
    KINESIS_S,
    LONGEST_S,
    READ_ON_S,
    TOLD_LONGEST_S,
    PollPace,
)
from lambent.sources.streams import stream_kinds
from lambent.testing.stream_bench import DYNAMODB_ARN, KINESIS_ARN, StreamBench
from lambent.testing.streams import FakeFunctions, FakeStream
from lambent.testing.virtual_time import in_virtual_time

STEPS = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.floats(0, 400)), max_size=40
)


@given(STEPS, st.sampled_from([KINESIS_S, DYNAMODB_S]), st.booleans(), st.booleans())
def test_waits_are_bounded(
    steps: list[tuple[bool, bool, bool, float]], base_s: float, told: bool, steady: bool
) -> None:
    """Never longer than the longest, at the base after anything that came, and never less than AWS allows."""
    pace = PollPace(base_s, 0.0, told=told, steady=steady)
    longest_s = base_s if steady else TOLD_LONGEST_S if told else IDLE_LONGEST_S
    now_s, before_s = 0.0, base_s
    for found, more, woken, passed_s in steps:
        now_s += passed_s
        if woken:
            pace.woken(now_s)
        wait_s = pace.next_s(now_s, found=found, more=more)
        assert READ_ON_S <= wait_s <= max(longest_s, base_s)
        if more:
            assert wait_s == READ_ON_S
        elif found or woken or steady:
            assert wait_s == base_s
        else:
            assert wait_s in {base_s, min(longest_s, before_s * 2), LONGEST_S, longest_s}
        before_s = base_s if more else wait_s


def started(bench: StreamBench, watch: Watch) -> None:
    """Starts the bench's poller, told by the watch."""
    parts = Parts(bench.stream, bench.functions, bench, writes=lambda *_: watch)
    kind = stream_kinds(bench.streams)[bench.arn.split(":")[2]]
    bench.poller = kind.make_poller(bench.mapping(), parts)
    bench.poller.start()


async def reads(bench: StreamBench, seconds: float) -> int:
    """How many reads there are in that time."""
    before = bench.stream.calls.count("GetRecords")
    await asyncio.sleep(seconds)
    return bench.stream.calls.count("GetRecords") - before


@in_virtual_time
async def test_busy_shards_are_read_at_awss_rates() -> None:
    """Once a second of Kinesis, four times of DynamoDB, while records come."""
    for arn, each_s in ((KINESIS_ARN, 1), (DYNAMODB_ARN, 4)):
        stream = FakeStream()
        bench = StreamBench(stream, FakeFunctions(), arn=arn)
        bench.start()
        await asyncio.sleep(1)
        assert each_s * 60 - 4 <= await reads(bench, 60) <= each_s * 60 + 1
        await bench.stop()


@in_virtual_time
async def test_quiet_shards_are_read_less_often() -> None:
    """After five quiet minutes every five seconds, after an hour every fifteen; a record brings the rate back."""
    stream = FakeStream()
    bench = StreamBench(stream, FakeFunctions())
    bench.start()
    await asyncio.sleep(400)
    assert await reads(bench, 100) == 20
    await asyncio.sleep(3600)
    assert await reads(bench, 300) == 20
    stream.put("a")
    await asyncio.sleep(16)
    assert bench.functions.batches == [["a"]]
    assert await reads(bench, 100) >= 99
    await bench.stop()


@in_virtual_time
async def test_a_told_write_is_read_at_once() -> None:
    """A quiet shard sleeps for 30 s, but for what is told: then it is read in that moment."""
    stream = FakeStream()
    bench = StreamBench(stream, FakeFunctions())
    signal = Watch("kinesis", "s")
    started(bench, signal)
    await asyncio.sleep(100)
    assert await reads(bench, 300) == 10
    await asyncio.sleep(5)
    stream.put("a")
    signal.touch()
    await asyncio.sleep(0.01)
    assert bench.functions.batches == [["a"]]
    assert await reads(bench, 9) >= 8
    await asyncio.sleep(60)
    stream.put("b")
    await asyncio.sleep(31)
    assert bench.functions.batches == [["a"], ["b"]]
    await bench.stop()


@in_virtual_time
async def test_a_sleeping_shard_stops_at_once() -> None:
    """A poller that waits for a write does not hold up a stop."""
    bench = StreamBench(FakeStream(), FakeFunctions())
    started(bench, Watch("kinesis", "s"))
    await asyncio.sleep(65)
    began_s = asyncio.get_running_loop().time()
    await bench.stop(10)
    assert asyncio.get_running_loop().time() - began_s < 0.1


@in_virtual_time
async def test_windows_end_in_time_on_quiet_shards() -> None:
    """A mapping with tumbling windows is polled at its rate: a window ends when it was read to its end."""
    stream = FakeStream()
    bench = StreamBench(stream, FakeFunctions(lambda _: {"state": {}}), TumblingWindowInSeconds=60)
    started(bench, Watch("kinesis", "s"))
    await asyncio.sleep(100)
    assert await reads(bench, 50) >= 49
    await bench.stop()


def test_a_waiter_is_called_once() -> None:
    """At the next write, and not when it was called off; each write counts."""
    signal = Watch("kinesis", "s")
    calls: list[str] = []

    def add(name: str) -> Callable[[], None]:
        return lambda: calls.append(name)

    signal.once(add("kept"))
    forget = signal.once(add("gone"))
    forget()
    forget()
    signal.touch()
    signal.touch()
    assert (calls, signal.count) == (["kept"], 2)


def test_watches_are_told_of_what_names_them() -> None:
    """Of their own service, in any protocol; a table's watch of writes to the table; of a large body all."""
    signal = WriteSignal()
    clicks, views = signal.watch("kinesis", "clicks"), signal.watch("kinesis", "views")
    table = signal.watch("dynamodbstreams", "orders")
    put = HttpRequest(
        "POST",
        "/",
        "",
        {"x-amz-target": "Kinesis_20131202.PutRecord"},
        b'{"StreamName":"clicks","Data":""}',
    )

    def counts() -> tuple[int, int, int]:
        return clicks.count, views.count, table.count

    signal.sent("kinesis", put)
    assert counts() == (1, 0, 0)
    signal.sent("kinesis", replace(put, body=b" " * 70_000))
    assert counts() == (2, 1, 0)
    item = replace(put, headers={"x-amz-target": "DynamoDB_20120810.PutItem"}, body=b'"orders"')
    signal.sent("dynamodb", item)
    signal.sent("s3", replace(put, body=b'"clicks" "orders"'))
    signal.sent("dynamodb", replace(item, headers={"x-amz-target": "DynamoDB_20120810.GetItem"}))
    assert counts() == (2, 1, 1)


def test_a_watch_ends_with_those_who_hold_it() -> None:
    """Pollers that were stopped leave nothing behind."""
    signal = WriteSignal()
    held = signal.watch("kinesis", "s")
    signal.watch("kinesis", "s")
    assert list(signal._watches) == [held]


def test_reads_are_no_writes() -> None:
    """By the operation where it is named, else by the method."""
    put = HttpRequest("POST", "/", "", {"x-amz-target": "Kinesis_20131202.PutRecords"}, b"")
    assert may_write(put)
    for operation in ("GetRecords", "ListShards", "DescribeStream", "GetShardIterator"):
        target = {"x-amz-target": f"Kinesis_20131202.{operation}"}
        assert not may_write(replace(put, headers=target))
    assert may_write(HttpRequest("PUT", "/b/k", "", {}, b""))
    assert not may_write(HttpRequest("GET", "/b/k", "", {}, b""))
