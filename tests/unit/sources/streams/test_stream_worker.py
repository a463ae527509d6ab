"""Pollers of streams: where they begin, what they invoke with, in which order, and what they remember."""

import asyncio
import base64
import json
from typing import Any

import pytest

from lambent.model.errors import AwsError, ClientFault
from lambent.testing.stream_bench import DYNAMODB_ARN, ROLE, StreamBench
from lambent.testing.streams import EPOCH_S, FAILED, FakeFunctions, FakeStream
from lambent.testing.virtual_time import in_virtual_time

THROTTLED = ClientFault("TooManyRequestsException", "Rate Exceeded.", 429)


@in_virtual_time
async def test_trim_horizon_reads_what_is_there_in_batches() -> None:
    """From the horizon everything comes in order, BatchSize records at a time, and then what is new."""
    stream = FakeStream()
    for key in "abcde":
        stream.put(key)
    bench = StreamBench(stream, FakeFunctions(), BatchSize=2)
    bench.start()
    await asyncio.sleep(0.5)
    assert bench.functions.batches == [["a", "b"], ["c", "d"], ["e"]]
    stream.put("f")
    await asyncio.sleep(1)
    assert bench.functions.batches[3:] == [["f"]]
    await bench.stop()
    assert bench.results == ["OK"]


@in_virtual_time
async def test_latest_is_the_moment_of_the_start() -> None:
    """LATEST passes over what was there, and closed shards, and takes what comes after."""
    stream = FakeStream(2)
    stream.put("old")
    stream.put("old", shard=1)
    stream.close(1)
    await asyncio.sleep(10)
    bench = StreamBench(stream, FakeFunctions(), StartingPosition="LATEST")
    bench.start()
    await asyncio.sleep(5)
    stream.put("new")
    await asyncio.sleep(2)
    await bench.stop()
    assert bench.functions.batches == [["new"]]


@pytest.mark.parametrize("arn", ["kinesis", "dynamodb"])
def test_latest_outlasts_a_restart_before_the_first_record(arn: str) -> None:
    """What is written while the platform is down is not lost, even when nothing was ever read."""

    @in_virtual_time
    async def run() -> None:
        stream = FakeStream()
        more: dict[str, Any] = {"arn": DYNAMODB_ARN} if arn == "dynamodb" else {}
        put = stream.put_item if arn == "dynamodb" else stream.put
        put("old")
        await asyncio.sleep(10)
        bench = StreamBench(stream, FakeFunctions(), StartingPosition="LATEST", **more)
        bench.start()
        await asyncio.sleep(5)
        await bench.stop()
        put("between")
        bench.start()
        await asyncio.sleep(2)
        await bench.stop()
        assert bench.functions.batches == [["between"]]

    run()


@in_virtual_time
async def test_at_timestamp_begins_there() -> None:
    """AT_TIMESTAMP passes over what arrived earlier."""
    stream = FakeStream()
    stream.put("a", age_s=100)
    stream.put("b", age_s=50)
    bench = StreamBench(
        stream,
        FakeFunctions(),
        StartingPosition="AT_TIMESTAMP",
        StartingPositionTimestamp=EPOCH_S - 60,
    )
    bench.start()
    await asyncio.sleep(2)
    await bench.stop()
    assert bench.functions.batches == [["b"]]


@in_virtual_time
async def test_a_window_gathers_and_a_full_batch_does_not_wait() -> None:
    """MaximumBatchingWindowInSeconds: a batch is taken when it is full, or when the window is over."""
    stream = FakeStream()
    bench = StreamBench(stream, FakeFunctions(), BatchSize=3, MaximumBatchingWindowInSeconds=10)
    bench.start()
    await asyncio.sleep(0.5)
    stream.put("a")
    await asyncio.sleep(5)
    stream.put("b")
    await asyncio.sleep(4)
    assert bench.functions.batches == []
    await asyncio.sleep(2)
    assert bench.functions.batches == [["a", "b"]]
    assert bench.functions.invoked[0].at_s == pytest.approx(11)
    for key in "cdef":
        stream.put(key)
    await asyncio.sleep(1)
    assert bench.functions.batches[1:] == [["c", "d", "e"]]
    await asyncio.sleep(10)
    assert bench.functions.batches[2:] == [["f"]]
    await bench.stop()


@in_virtual_time
async def test_a_batch_is_no_larger_than_six_megabytes() -> None:
    """Records that together exceed the payload limit go in several events, in order."""
    stream = FakeStream()
    for key in "abcdefg":
        stream.put(key, b"x" * 1_000_000)
    bench = StreamBench(stream, FakeFunctions(), BatchSize=100)
    bench.start()
    await asyncio.sleep(10)
    await bench.stop()
    assert bench.functions.batches == [["a", "b", "c", "d"], ["e", "f", "g"]]


@in_virtual_time
async def test_one_batch_of_a_shard_at_a_time() -> None:
    """The next batch begins when the one before it has ended; shards do not wait for each other."""
    stream = FakeStream(2)
    running: list[int] = []

    async def slow(event: dict[str, object]) -> None:
        del event
        running.append(functions.running)
        await asyncio.sleep(3)

    functions = FakeFunctions(slow)
    for shard in (0, 1):
        for key in "ab":
            stream.put(f"{key}{shard}", shard=shard)
    bench = StreamBench(stream, functions, BatchSize=1)
    bench.start()
    await asyncio.sleep(10)
    await bench.stop()
    assert sorted(functions.batches[:2]) == [["a0"], ["a1"]]
    assert sorted(functions.batches[2:]) == [["b0"], ["b1"]]
    assert max(running) == 2


@in_virtual_time
async def test_lanes_run_side_by_side_and_keys_stay_in_order() -> None:
    """With a ParallelizationFactor batches of a shard run at once, those of a key one after the other."""
    stream = FakeStream()
    active: set[str] = set()
    most = 0

    async def handle(event: dict[str, list[dict[str, dict[str, str]]]]) -> None:
        nonlocal most
        keys = {record["kinesis"]["partitionKey"] for record in event["Records"]}
        assert not keys & active
        active.update(keys)
        most = max(most, functions.running)
        await asyncio.sleep(1)
        active.difference_update(keys)

    functions = FakeFunctions(handle)
    for number in range(60):
        stream.put(f"k{number % 12}", str(number))
    bench = StreamBench(stream, functions, BatchSize=3, ParallelizationFactor=4)
    bench.start()
    await asyncio.sleep(60)
    await bench.stop()
    seen: dict[str, list[int]] = {}
    for invoked in functions.invoked:
        for record in invoked.event["Records"]:
            value = int(base64.b64decode(record["kinesis"]["data"]))
            seen.setdefault(record["kinesis"]["partitionKey"], []).append(value)
    assert most == 4
    assert sum(map(len, seen.values())) == 60
    assert all(values == sorted(values) for values in seen.values())


@in_virtual_time
async def test_filtered_records_are_passed_over_and_the_checkpoint_moves() -> None:
    """What no filter keeps never reaches the function, and is not read again after a restart."""
    stream = FakeStream()
    for number in range(4):
        stream.put(str(number), json.dumps({"kind": "good" if number % 2 else "bad"}))
    stream.put("x", "no json")
    pattern = json.dumps({"data": {"kind": ["good"]}})
    bench = StreamBench(stream, FakeFunctions(), FilterCriteria={"Filters": [{"Pattern": pattern}]})
    bench.start()
    await asyncio.sleep(10)
    await bench.stop()
    assert bench.functions.batches == [["1", "3"]]
    assert (await bench.describe())["filtered"] == 3
    bench.start()
    await asyncio.sleep(2)
    assert stream.asked[-2].get("StartingSequenceNumber") or any(
        each.get("StartingSequenceNumber") == f"{5:021d}" for each in stream.asked
    )
    await bench.stop()


@in_virtual_time
async def test_a_restart_repeats_at_most_what_was_in_hand() -> None:
    """Batches whose checkpoint is written are not handled again; the one cut off is."""
    stream = FakeStream()
    hang = asyncio.Event()

    async def handle(event: dict[str, object]) -> None:
        del event
        if len(functions.invoked) == 3:
            await hang.wait()

    functions = FakeFunctions(handle)
    for key in "abcdefgh":
        stream.put(key)
    bench = StreamBench(stream, functions, BatchSize=2)
    bench.start()
    await asyncio.sleep(5)
    await bench.stop(deadline_s=1)
    assert functions.batches == [["a", "b"], ["c", "d"], ["e", "f"]]
    bench.start()
    await asyncio.sleep(5)
    await bench.stop()
    assert functions.batches[3:] == [["e", "f"], ["g", "h"]]


@in_virtual_time
async def test_lanes_ahead_of_a_blocked_one_do_not_repeat_after_a_restart() -> None:
    """The checkpoint is the lowest unfinished record, and what lanes beyond it finished is remembered."""
    stream = FakeStream()

    def handle(event: dict[str, list[dict[str, dict[str, str]]]]) -> object:
        keys = {record["kinesis"]["partitionKey"] for record in event["Records"]}
        return FAILED if "k0" in keys else None

    functions = FakeFunctions(handle)
    for number in range(20):
        stream.put(f"k{number % 10}")
    bench = StreamBench(stream, functions, BatchSize=1, ParallelizationFactor=10)
    bench.start()
    await asyncio.sleep(20)
    await bench.stop()
    handled = [batch[0] for batch in functions.batches]
    before = len(handled)
    assert handled.count("k0") > 3
    bench.start()
    await asyncio.sleep(20)
    await bench.stop()
    done = {key for key in handled if key != "k0" and handled.count(key) == 2}
    assert len(done) >= 5
    assert not done & {batch[0] for batch in functions.batches[before:]}


@in_virtual_time
async def test_children_begin_when_their_parents_are_finished() -> None:
    """After a split the parent's records are all handled before any of the children's."""
    stream = FakeStream()

    async def slow(event: dict[str, object]) -> None:
        del event
        await asyncio.sleep(2)

    functions = FakeFunctions(slow)
    bench = StreamBench(stream, functions, BatchSize=1, StartingPosition="LATEST")
    bench.start()
    await asyncio.sleep(2)
    for key in ("p1", "p2", "p3"):
        stream.put(key)
    stream.split(0)
    stream.put("c1", shard=1)
    stream.put("c2", shard=2)
    await asyncio.sleep(30)
    assert [batch[0] for batch in functions.batches] == ["p1", "p2", "p3", "c1", "c2"]
    assert functions.invoked[3].at_s >= functions.invoked[2].at_s + 2
    await bench.stop()
    bench.start()
    await asyncio.sleep(10)
    await bench.stop()
    assert len(functions.invoked) == 5


@in_virtual_time
async def test_a_merge_waits_for_both_parents() -> None:
    """A shard with two parents begins when both are finished."""
    stream = FakeStream(2)
    stream.put("p0")
    stream.put("p1", shard=1)
    first, second = stream.close(0), stream.close(1)
    stream.add_shard(first, second)
    stream.put("child", shard=2)
    blocked = True

    def handle(event: dict[str, list[dict[str, dict[str, str]]]]) -> object:
        return (
            FAILED if blocked and event["Records"][0]["kinesis"]["partitionKey"] == "p1" else None
        )

    bench = StreamBench(stream, FakeFunctions(handle))
    bench.start()
    await asyncio.sleep(300)
    assert ["child"] not in bench.functions.batches
    blocked = False
    await asyncio.sleep(100)
    await bench.stop()
    assert bench.functions.batches[-2:] == [["p1"], ["child"]]


@in_virtual_time
async def test_an_expired_iterator_is_asked_for_again() -> None:
    """Nothing is lost nor repeated when iterators expire."""
    stream = FakeStream()
    bench = StreamBench(stream, FakeFunctions())
    bench.start()
    for key in "abc":
        stream.put(key)
        await asyncio.sleep(2)
        stream.expire_iterators()
    stream.put("d")
    await asyncio.sleep(3)
    await bench.stop()
    assert bench.functions.batches == [["a"], ["b"], ["c"], ["d"]]
    assert all(not result.startswith("PROBLEM") for result in bench.results)


@in_virtual_time
async def test_what_was_trimmed_is_passed_over() -> None:
    """A checkpoint that the stream no longer has goes on at the horizon."""
    stream = FakeStream()
    bench = StreamBench(stream, FakeFunctions(), arn=DYNAMODB_ARN)
    stream.put_item("a")
    bench.start()
    await asyncio.sleep(2)
    await bench.stop()
    for name in "bc":
        stream.put_item(name)
    stream.shards["shardId-000000000000"].trimmed = 2
    trimmed = AwsError("TrimmedDataAccessException", "trimmed", 400)
    stream.fail("GetShardIterator", trimmed)
    bench.start()
    await asyncio.sleep(2)
    await bench.stop()
    assert bench.functions.batches == [["a"], ["c"]]


@in_virtual_time
async def test_a_source_that_refuses_is_told_and_asked_less_and_less() -> None:
    """LastProcessingResult says why, the waits grow to a minute, and it goes on when it can."""
    stream = FakeStream()
    stream.put("a")
    gone = AwsError("ResourceNotFoundException", "Stream s not found.", 400)
    stream.fail("ListShards", gone, times=10)
    bench = StreamBench(stream, FakeFunctions())
    bench.start()
    await asyncio.sleep(60)
    assert bench.results == ["PROBLEM: Stream s not found."]
    assert len(stream.calls) == 7
    await asyncio.sleep(400)
    await bench.stop()
    assert bench.functions.batches == [["a"]]
    assert bench.results[-1] == "OK"


@in_virtual_time
async def test_a_throttled_read_is_no_problem() -> None:
    """Limits of the stream are waited out without a word."""
    stream = FakeStream()
    stream.put("a")
    limit = AwsError("ProvisionedThroughputExceededException", "Rate exceeded", 400)
    stream.fail("GetRecords", limit, times=3)
    bench = StreamBench(stream, FakeFunctions())
    bench.start()
    await asyncio.sleep(10)
    await bench.stop()
    assert bench.functions.batches == [["a"]]
    assert bench.results == ["OK"]


@in_virtual_time
async def test_an_answer_that_is_none_is_asked_for_again_with_growing_waits() -> None:
    """A source that answers nonsense is told of, and the shard goes on at its checkpoint when it does not."""

    class Nonsense(FakeStream):
        times = 6

        async def call(self, service: str, operation: str, *args: Any, **more: Any) -> Any:
            answer = await super().call(service, operation, *args, **more)
            if operation == "GetRecords" and self.times:
                self.times -= 1
                return {"Records": [{"SequenceNumber": "x"}]}
            return answer

    stream = Nonsense()
    stream.put("a")
    bench = StreamBench(stream, FakeFunctions())
    bench.start()
    await asyncio.sleep(10)
    assert bench.results == ["PROBLEM: The stream could not be read: see the platform's log."]
    assert stream.calls.count("GetRecords") == 5
    await asyncio.sleep(60)
    await bench.stop()
    assert bench.functions.batches == [["a"]]


@in_virtual_time
async def test_a_description_that_is_none_does_not_end_the_poller() -> None:
    """An endpoint that answers something else for a while is told of, and read when it does not."""

    class Nonsense(FakeStream):
        times = 6

        async def call(self, service: str, operation: str, *args: Any, **more: Any) -> Any:
            answer = await super().call(service, operation, *args, **more)
            if operation == "DescribeStream" and self.times:
                self.times -= 1
                return {}
            return answer

    stream = Nonsense()
    stream.put("a")
    bench = StreamBench(stream, FakeFunctions())
    bench.start()
    await asyncio.sleep(10)
    assert bench.results == ["PROBLEM: The stream could not be read: see the platform's log."]
    assert stream.calls.count("DescribeStream") == 5
    await asyncio.sleep(60)
    await bench.stop()
    assert bench.functions.batches == [["a"]]


@in_virtual_time
async def test_a_shard_is_polled_once_a_second() -> None:
    """An idle shard costs one GetRecords a second."""
    stream = FakeStream()
    bench = StreamBench(stream, FakeFunctions())
    bench.start()
    await asyncio.sleep(100.5)
    await bench.stop()
    assert stream.calls.count("GetRecords") == pytest.approx(101, abs=1)
    assert bench.results == ["No records processed"]


@in_virtual_time
async def test_memory_is_bounded_behind_a_blocked_shard() -> None:
    """While a batch is retried no more is read than lanes may hold."""
    stream = FakeStream()
    for number in range(20_000):
        stream.put(str(number))
    bench = StreamBench(stream, FakeFunctions(lambda _: FAILED), BatchSize=10)
    bench.start()
    await asyncio.sleep(600)
    assert (await bench.describe())["shards"][0]["waiting"] <= 1_020
    await bench.stop()


@in_virtual_time
async def test_describe_tells_lag_and_what_is_in_flight() -> None:
    """Lag is the age of the lowest unfinished record, by shard; retried and given up are batches."""
    stream = FakeStream(2)
    stream.put("a")

    async def slow(event: dict[str, object]) -> None:
        del event
        await asyncio.sleep(30)

    bench = StreamBench(stream, FakeFunctions(slow))
    bench.start()
    await asyncio.sleep(10)
    shown = await bench.describe()
    assert (shown["in_flight"], shown["lag_ms"]) == (1, 10_000)
    by_shard = [(each["lag_ms"], each["in_flight"], each["waiting"]) for each in shown["shards"]]
    assert by_shard == [(10_000, 1, 1), (0, 0, 0)]
    await bench.stop()
    shown = await bench.describe()
    assert (shown["invoked"], shown["records"]) == (1, 1)


@in_virtual_time
async def test_iterator_age_is_counted() -> None:
    """IteratorAge is the age of a batch's last record when the function gets it."""
    stream = FakeStream()
    stream.put("a", age_s=500)
    stream.put("b", age_s=100)
    bench = StreamBench(stream, FakeFunctions())
    bench.start()
    await asyncio.sleep(1)
    await bench.stop()
    assert bench.counts.iterator_age.total_s == pytest.approx(100, abs=1)


@in_virtual_time
async def test_records_have_the_shape_of_kinesis() -> None:
    """A Kinesis record is in the event as AWS's is."""
    stream = FakeStream()
    stream.put("s1", "Hello World", age_s=0.523)
    bench = StreamBench(stream, FakeFunctions())
    bench.start()
    await asyncio.sleep(1)
    await bench.stop()
    assert bench.functions.invoked[0].event == {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "s1",
                    "sequenceNumber": f"{1:021d}",
                    "data": "SGVsbG8gV29ybGQ=",
                    "approximateArrivalTimestamp": EPOCH_S - 0.523,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000000:{1:021d}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": ROLE,
                "awsRegion": "us-east-1",
                "eventSourceARN": bench.arn,
            }
        ]
    }


@in_virtual_time
async def test_records_have_the_shape_of_dynamodb() -> None:
    """A DynamoDB record is in the event as AWS's is: seconds, base64, no members beyond AWS's."""
    stream = FakeStream()
    stream.put_item("a", picture={"B": b"\x00\x01"}, parts={"BS": [b"\x00"]}, n={"N": "1"})
    bench = StreamBench(stream, FakeFunctions(), arn=DYNAMODB_ARN)
    bench.start()
    await asyncio.sleep(1)
    await bench.stop()
    (record,) = bench.functions.invoked[0].event["Records"]
    image = {
        "id": {"S": "a"},
        "picture": {"B": "AAE="},
        "parts": {"BS": ["AA=="]},
        "n": {"N": "1"},
    }
    assert record == {
        "eventID": f"{1:032x}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": int(EPOCH_S),
            "Keys": {"id": {"S": "a"}},
            "NewImage": image,
            "SequenceNumber": f"{1:021d}",
            "SizeBytes": 10,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": DYNAMODB_ARN,
    }
