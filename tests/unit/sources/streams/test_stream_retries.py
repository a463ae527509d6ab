"""Batches of streams that functions fail on: exact sequences of invocations, and what is given up."""

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from lambent.model.errors import AwsError, ClientFault, PlatformFault
from lambent.testing.stream_bench import (
    DESTINATION_ARN,
    DYNAMODB_ARN,
    FUNCTION_ARN,
    ROLE,
    StreamBench,
)
from lambent.testing.streams import EPOCH_S, FAILED, FakeFunctions, FakeStream
from lambent.testing.virtual_time import in_virtual_time

THROTTLED = ClientFault("TooManyRequestsException", "Rate Exceeded.", 429)
TO_DEAD = {"OnFailure": {"Destination": DESTINATION_ARN}}
REPORTS = ["ReportBatchItemFailures"]


def poisoned(*keys: str) -> Callable[[dict[str, Any]], object]:
    """A handler that fails on batches with one of these keys."""

    def handle(event: dict[str, Any]) -> object:
        there = {record["kinesis"]["partitionKey"] for record in event["Records"]}
        return FAILED if there & set(keys) else None

    return handle


def reporting(*keys: str) -> Callable[[dict[str, Any]], object]:
    """A handler that handles a batch until one of these keys and reports that record."""

    def handle(event: dict[str, Any]) -> object:
        failed = [
            {"itemIdentifier": record["kinesis"]["sequenceNumber"]}
            for record in event["Records"]
            if record["kinesis"]["partitionKey"] in keys
        ]
        return {"batchItemFailures": failed}

    return handle


async def run(
    keys: str, handler: Callable[[dict[str, Any]], Any], seconds: float = 200, **settings: Any
) -> StreamBench:
    """A bench on which these records were handled."""
    stream = FakeStream()
    for key in keys:
        stream.put(key)
    bench = StreamBench(stream, FakeFunctions(handler), **settings)
    bench.start()
    await asyncio.sleep(seconds)
    await bench.stop()
    return bench


def batches(bench: StreamBench) -> list[str]:
    """What was invoked with, a string each."""
    return ["".join(batch) for batch in bench.functions.batches]


def given_up(bench: StreamBench) -> list[dict[str, Any]]:
    """What went to the destination."""
    return [json.loads(outgoing.body) for _, outgoing in bench.outlet.sent]


@in_virtual_time
async def test_the_retry_limit() -> None:
    """MaximumRetryAttempts 2: three attempts of the batch, then it is given up and the next one begins."""
    bench = await run("abcd", poisoned("a"), BatchSize=2, MaximumRetryAttempts=2)
    assert batches(bench) == ["ab", "ab", "ab", "cd"]
    assert bench.results == ["PROBLEM: Function call failed", "OK"]
    shown = await bench.describe()
    assert (shown["invoked"], shown["retried"], shown["given_up"]) == (4, 2, 1)


@in_virtual_time
async def test_no_retries_at_all() -> None:
    """MaximumRetryAttempts 0: one attempt."""
    bench = await run("abcd", poisoned("a"), BatchSize=2, MaximumRetryAttempts=0)
    assert batches(bench) == ["ab", "cd"]


@in_virtual_time
async def test_without_a_limit_a_batch_blocks_its_shard() -> None:
    """-1: retried with growing waits, up to a minute, until it succeeds; nothing overtakes it."""
    healed = False

    def handle(event: dict[str, Any]) -> object:
        return None if healed else FAILED

    stream = FakeStream()
    for key in "abc":
        stream.put(key)
    bench = StreamBench(stream, FakeFunctions(handle), BatchSize=2)
    bench.start()
    await asyncio.sleep(400)
    assert set(batches(bench)) == {"ab"}
    times = [each.at_s for each in bench.functions.invoked]
    gaps = [round(b - a, 3) for a, b in itertools.pairwise(times)]
    assert gaps[:8] == [0.5, 1, 2, 4, 8, 16, 32, 60]
    assert set(gaps[8:]) == {60}
    healed = True
    await asyncio.sleep(61)
    await bench.stop()
    assert batches(bench)[-2:] == ["ab", "c"]


@in_virtual_time
async def test_the_age_limit_gives_up_what_is_too_old() -> None:
    """MaximumRecordAgeInSeconds: retried while it is younger, then given up, and only what is older."""
    stream = FakeStream()
    stream.put("a", age_s=40)
    stream.put("b")
    bench = StreamBench(
        stream,
        FakeFunctions(poisoned("a")),
        MaximumRecordAgeInSeconds=60,
        DestinationConfig=TO_DEAD,
    )
    bench.start()
    await asyncio.sleep(100)
    await bench.stop()
    assert batches(bench)[0] == "ab"
    assert batches(bench)[-1] == "b"
    assert set(batches(bench)[:-1]) == {"ab"}
    (record,) = given_up(bench)
    assert record["requestContext"]["condition"] == "MaximumRecordAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == len(batches(bench)) - 1
    assert record["KinesisBatchInfo"]["batchSize"] == 1


@in_virtual_time
async def test_records_too_old_at_first_sight_are_never_invoked_with() -> None:
    """What was too old when it was read is given up without an invocation."""
    stream = FakeStream()
    for key in "ab":
        stream.put(key, age_s=1000)
    stream.put("c")
    bench = StreamBench(
        stream, FakeFunctions(), MaximumRecordAgeInSeconds=60, DestinationConfig=TO_DEAD
    )
    bench.start()
    await asyncio.sleep(5)
    await bench.stop()
    assert batches(bench) == ["c"]
    (record,) = given_up(bench)
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in record
    assert record["KinesisBatchInfo"]["batchSize"] == 2


@in_virtual_time
async def test_a_batch_without_limits_ends_with_the_retention_of_the_stream() -> None:
    """-1 and -1: given up when the stream would not have it any more."""
    stream = FakeStream()
    stream.retention_hours = 2
    stream.put("a")
    bench = StreamBench(stream, FakeFunctions(poisoned("a")), BatchSize=1)
    bench.start()
    await asyncio.sleep(3600)
    stream.put("b")
    await asyncio.sleep(3700)
    await bench.stop()
    assert batches(bench)[-1] == "b"
    assert bench.functions.invoked[-1].at_s == pytest.approx(7_200, abs=60)


@in_virtual_time
async def test_bisect_isolates_the_poison() -> None:
    """BisectBatchOnFunctionError: halves, in order; splitting takes no retry, the single record has them all."""
    bench = await run(
        "abcdefgh",
        poisoned("f"),
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=2,
        DestinationConfig=TO_DEAD,
    )
    assert batches(bench) == ["abcdefgh", "abcd", "efgh", "ef", "e", "f", "f", "f", "gh"]
    (record,) = given_up(bench)
    assert record["KinesisBatchInfo"]["batchSize"] == 1
    assert record["KinesisBatchInfo"]["startSequenceNumber"] == f"{6:021d}"
    assert record["requestContext"]["approximateInvokeCount"] == 6


@in_virtual_time
async def test_bisect_without_retries() -> None:
    """MaximumRetryAttempts 0 still bisects: splitting is no retry."""
    bench = await run(
        "abcd", poisoned("b"), BisectBatchOnFunctionError=True, MaximumRetryAttempts=0
    )
    assert batches(bench) == ["abcd", "ab", "a", "b", "cd"]


@in_virtual_time
async def test_a_report_moves_the_checkpoint_to_the_lowest_failed_record() -> None:
    """ReportBatchItemFailures: what is before the lowest failed one is done, the rest is tried again."""
    bench = await run(
        "abcdef",
        reporting("c", "e"),
        FunctionResponseTypes=REPORTS,
        MaximumRetryAttempts=2,
        DestinationConfig=TO_DEAD,
    )
    assert batches(bench) == ["abcdef", "cdef", "cdef"]
    (record,) = given_up(bench)
    assert record["KinesisBatchInfo"]["startSequenceNumber"] == f"{3:021d}"
    assert record["KinesisBatchInfo"]["endSequenceNumber"] == f"{6:021d}"


@in_virtual_time
async def test_a_report_outlasts_a_restart() -> None:
    """Records before the reported one are not handled again by the next poller."""
    stream = FakeStream()
    for key in "abcd":
        stream.put(key)
    bench = StreamBench(stream, FakeFunctions(reporting("c")), FunctionResponseTypes=REPORTS)
    bench.start()
    await asyncio.sleep(0.2)
    await bench.stop()
    bench.start()
    await asyncio.sleep(0.2)
    await bench.stop()
    assert batches(bench) == ["abcd", "cd"]


@in_virtual_time
async def test_bisect_at_the_reported_record() -> None:
    """With both settings a batch is split where the function says, and a poison at its start is isolated."""
    bench = await run(
        "abcdef",
        reporting("c"),
        FunctionResponseTypes=REPORTS,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig=TO_DEAD,
    )
    assert batches(bench) == ["abcdef", "cdef", "cd", "c", "c", "d", "ef"]
    (record,) = given_up(bench)
    assert record["KinesisBatchInfo"]["batchSize"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"wrong": "1"}]},
        {"batchItemFailures": [{"itemIdentifier": "999"}]},
        ["no object"],
    ],
)
def test_a_report_that_is_none_fails_the_whole_batch(answer: object) -> None:
    """An identifier that is empty, null, misnamed or unknown: everything is tried again."""

    @in_virtual_time
    async def go() -> None:
        bench = await run(
            "ab", lambda _: answer, FunctionResponseTypes=REPORTS, MaximumRetryAttempts=1
        )
        assert batches(bench) == ["ab", "ab"]

    go()


@pytest.mark.parametrize(
    "answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}]
)
def test_a_report_of_nothing_is_success(answer: object) -> None:
    """Null, an empty answer, an empty or null list."""

    @in_virtual_time
    async def go() -> None:
        bench = await run("ab", lambda _: answer, FunctionResponseTypes=REPORTS)
        assert batches(bench) == ["ab"]

    go()


@in_virtual_time
async def test_reports_mean_nothing_unless_they_are_asked_for() -> None:
    """Without ReportBatchItemFailures the same answer is success."""
    bench = await run("ab", reporting("a"))
    assert batches(bench) == ["ab"]


@in_virtual_time
async def test_throttles_are_no_attempts() -> None:
    """A throttled batch waits and keeps its retries; so does one whose function is missing, or our fault."""
    faults = [
        THROTTLED,
        ClientFault("ResourceNotFoundException", "Function not found", 404),
        PlatformFault("no node"),
        THROTTLED,
    ]
    answers: list[object] = [*faults, FAILED, *faults, FAILED]
    bench = await run("ab", lambda _: answers.pop(0), MaximumRetryAttempts=1)
    assert batches(bench) == ["ab"] * 10
    shown = await bench.describe()
    assert (shown["invoked"], shown["throttled"], shown["given_up"]) == (2, 4, 1)
    assert "PROBLEM: Function not found" in bench.results


@in_virtual_time
async def test_a_batch_the_platform_cannot_take_goes_by_its_retries() -> None:
    """An invocation refused for what the batch is, is an attempt: the shard is not blocked for ever."""
    large = ClientFault("RequestEntityTooLargeException", "Request must be smaller", 413)
    bench = await run("ab", lambda _: large, MaximumRetryAttempts=1, DestinationConfig=TO_DEAD)
    assert batches(bench) == ["ab", "ab"]
    (record,) = given_up(bench)
    assert "responseContext" not in record


@in_virtual_time
async def test_the_destination_gets_the_batch_as_aws_tells_it() -> None:
    """The record of a batch given up: context, response, where it is in the stream; sent in the role's name."""
    stream = FakeStream()
    await asyncio.sleep(1)
    stream.put("a", age_s=0.5)
    stream.put("b")
    bench = StreamBench(
        stream,
        FakeFunctions(poisoned("a")),
        MaximumRetryAttempts=0,
        DestinationConfig=TO_DEAD,
    )
    bench.start()
    await asyncio.sleep(1)
    await bench.stop()
    ((target, outgoing),) = bench.outlet.sent
    record = json.loads(outgoing.body)
    assert (target, outgoing.principal) == (DESTINATION_ARN, ROLE)
    assert len(record["requestContext"].pop("requestId")) == 36
    assert record == {
        "requestContext": {
            "functionArn": FUNCTION_ARN,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2023-11-14T22:13:21.000Z",
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": f"{1:021d}",
            "endSequenceNumber": f"{2:021d}",
            "approximateArrivalOfFirstRecord": "2023-11-14T22:13:20.500Z",
            "approximateArrivalOfLastRecord": "2023-11-14T22:13:21.000Z",
            "batchSize": 2,
            "streamArn": bench.arn,
        },
    }


@in_virtual_time
async def test_dynamodbs_batch_has_its_own_name() -> None:
    """What a DynamoDB mapping gives up is told in DDBStreamBatchInfo."""
    stream = FakeStream()
    stream.put_item("a")
    bench = StreamBench(
        stream,
        FakeFunctions(lambda _: FAILED),
        arn=DYNAMODB_ARN,
        MaximumRetryAttempts=0,
        DestinationConfig=TO_DEAD,
    )
    bench.start()
    await asyncio.sleep(1)
    await bench.stop()
    (record,) = given_up(bench)
    assert record["DDBStreamBatchInfo"]["streamArn"] == DYNAMODB_ARN
    assert record["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"].startswith("2023-11-14")
    assert int(EPOCH_S) == 1_700_000_000


@in_virtual_time
async def test_a_destination_that_refuses_is_counted_and_the_shard_goes_on() -> None:
    """DestinationDeliveryFailures: the batch is gone, the next one is handled."""
    stream = FakeStream()
    for key in "ab":
        stream.put(key)
    bench = StreamBench(
        stream,
        FakeFunctions(poisoned("a")),
        BatchSize=1,
        MaximumRetryAttempts=0,
        DestinationConfig=TO_DEAD,
    )
    bench.outlet.refusal = AwsError("QueueDoesNotExist", "The queue does not exist.", 400)
    bench.start()
    await asyncio.sleep(5)
    await bench.stop()
    assert batches(bench) == ["a", "b"]
    assert bench.counts.destination_delivery_failures == 1
    assert "PROBLEM: The queue does not exist." in bench.results


@in_virtual_time
async def test_stop_does_not_wait_for_a_back_off() -> None:
    """A poller between two attempts stops at once, and begins nothing."""
    stream = FakeStream()
    stream.put("a")
    bench = StreamBench(stream, FakeFunctions(lambda _: FAILED))
    bench.start()
    await asyncio.sleep(200)
    count, now = len(bench.functions.invoked), asyncio.get_running_loop().time()
    await bench.stop()
    assert asyncio.get_running_loop().time() - now < 0.01
    await asyncio.sleep(200)
    assert len(bench.functions.invoked) == count
    assert len(asyncio.all_tasks()) == 1
