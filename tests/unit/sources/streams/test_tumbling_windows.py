"""Tumbling windows: which records go together, how state is passed on, when a window ends."""

import asyncio
from collections.abc import Callable
from typing import Any

from lambent.model.errors import ClientFault
from lambent.testing.stream_bench import DESTINATION_ARN, StreamBench
from lambent.testing.streams import FAILED, FakeFunctions, FakeStream
from lambent.testing.virtual_time import in_virtual_time

WINDOW = {"TumblingWindowInSeconds": 60}


def counting(event: dict[str, Any]) -> Any:
    """A handler that counts the records of a window."""
    return {"state": {"count": event["state"].get("count", 0) + len(event["Records"])}}


def calls(bench: StreamBench) -> list[tuple[str, Any, bool]]:
    """(keys, state, whether final) of every invocation."""
    return [
        ("".join(each.data), each.event["state"], each.event["isFinalInvokeForWindow"])
        for each in bench.functions.invoked
    ]


def make(stream: FakeStream, handler: Callable[[dict[str, Any]], Any], **more: Any) -> StreamBench:
    """A mapping with windows of a minute; the test's time begins 40 s before the end of one."""
    return StreamBench(stream, FakeFunctions(handler), **(WINDOW | more))


@in_virtual_time
async def test_state_is_passed_on_and_the_window_ends() -> None:
    """Each invocation gets the state of the one before; the last of a window has no records and ends it."""
    stream = FakeStream()
    bench = make(stream, counting, BatchSize=2)
    bench.start()
    for key in "abc":
        stream.put(key)
    await asyncio.sleep(50)
    stream.put("d")
    await asyncio.sleep(60)
    await bench.stop()
    assert calls(bench) == [
        ("ab", {}, False),
        ("c", {"count": 2}, False),
        ("", {"count": 3}, True),
        ("d", {}, False),
        ("", {"count": 1}, True),
    ]
    event = bench.functions.invoked[0].event
    assert event["window"] == {"start": "2023-11-14T22:13:00Z", "end": "2023-11-14T22:14:00Z"}
    assert event["shardId"] == "shardId-000000000000"
    assert event["eventSourceARN"] == bench.arn
    assert event["isWindowTerminatedEarly"] is False
    final = bench.functions.invoked[2]
    assert final.event["Records"] == []
    assert 40 <= final.at_s <= 42


@in_virtual_time
async def test_a_backlog_is_cut_by_arrival_not_by_the_clock() -> None:
    """Records of two windows that are read at once go in two, each with its final invocation."""
    stream = FakeStream()
    for key, age_s in (("a", 200), ("b", 190), ("c", 130), ("d", 0)):
        stream.put(key, age_s=age_s)
    bench = make(stream, counting)
    bench.start()
    await asyncio.sleep(60)
    await bench.stop()
    assert calls(bench) == [
        ("ab", {}, False),
        ("", {"count": 2}, True),
        ("c", {}, False),
        ("", {"count": 1}, True),
        ("d", {}, False),
        ("", {"count": 1}, True),
    ]


@in_virtual_time
async def test_state_survives_a_restart() -> None:
    """An open window goes on with its state, and ends, under the next poller."""
    stream = FakeStream()
    stream.put("a")
    bench = make(stream, counting)
    bench.start()
    await asyncio.sleep(5)
    await bench.stop()
    stream.put("b")
    bench.start()
    await asyncio.sleep(5)
    await bench.stop()
    await asyncio.sleep(100)
    bench.start()
    await asyncio.sleep(5)
    await bench.stop()
    assert calls(bench) == [
        ("a", {}, False),
        ("b", {"count": 1}, False),
        ("", {"count": 2}, True),
    ]
    bench.start()
    await asyncio.sleep(100)
    await bench.stop()
    assert len(bench.functions.invoked) == 3


@in_virtual_time
async def test_a_failing_final_invocation_is_retried() -> None:
    """The final invocation goes by the retry limit too; then the window is given up with its metadata."""

    def handle(event: dict[str, Any]) -> Any:
        return FAILED if event["isFinalInvokeForWindow"] else counting(event)

    stream = FakeStream()
    stream.put("a")
    bench = make(
        stream,
        handle,
        MaximumRetryAttempts=2,
        DestinationConfig={"OnFailure": {"Destination": DESTINATION_ARN}},
    )
    bench.start()
    await asyncio.sleep(100)
    await bench.stop()
    assert calls(bench) == [("a", {}, False)] + [("", {"count": 1}, True)] * 3
    assert len(bench.outlet.sent) == 1


@in_virtual_time
async def test_a_failed_batch_keeps_the_state_as_it_was() -> None:
    """A batch that fails changes no state; its retry gets the same."""
    failed = False

    def handle(event: dict[str, Any]) -> Any:
        nonlocal failed
        if "b" in str(event["Records"]) and event["state"] and not failed:
            failed = True
            return FAILED
        return counting(event)

    stream = FakeStream()
    for key in "ab":
        stream.put(key)
    bench = make(stream, handle, BatchSize=1)
    bench.start()
    await asyncio.sleep(20)
    await bench.stop()
    assert calls(bench) == [
        ("a", {}, False),
        ("b", {"count": 1}, False),
        ("b", {"count": 1}, False),
    ]


@in_virtual_time
async def test_a_state_that_is_too_large_ends_the_window_early() -> None:
    """Over 1 MB of state: a final invocation at once, said to be early; what follows begins anew."""

    def handle(event: dict[str, Any]) -> Any:
        first = event["Records"] and event["Records"][0]["kinesis"]["partitionKey"]
        return {"state": {"fat": "x" * (1024 * 1024 if first == "a" else 1)}}

    stream = FakeStream()
    for key in "ab":
        stream.put(key)
    bench = make(stream, handle, BatchSize=1)
    bench.start()
    await asyncio.sleep(20)
    await bench.stop()
    shown = [
        (
            "".join(each.data),
            len(str(each.event["state"])) > 1000,
            each.event["isFinalInvokeForWindow"],
            each.event["isWindowTerminatedEarly"],
        )
        for each in bench.functions.invoked
    ]
    assert shown == [
        ("a", False, False, False),
        ("", True, True, True),
        ("b", False, False, False),
    ]


@in_virtual_time
async def test_a_window_ends_with_its_shard() -> None:
    """When a shard has ended its window is over, and its children begin with windows of their own."""
    stream = FakeStream()
    bench = make(stream, counting)
    bench.start()
    stream.put("a")
    stream.split(0)
    stream.put("b", shard=1)
    await asyncio.sleep(10)
    await bench.stop()
    assert calls(bench) == [("a", {}, False), ("", {"count": 1}, True), ("b", {}, False)]


@in_virtual_time
async def test_a_throttled_window_waits() -> None:
    """A throttled invocation of a window comes again with the same state."""
    answers = [ClientFault("TooManyRequestsException", "Rate Exceeded.", 429)] * 3
    stream = FakeStream()
    stream.put("a")
    bench = make(stream, lambda event: answers.pop() if answers else counting(event))
    bench.start()
    await asyncio.sleep(20)
    await bench.stop()
    assert calls(bench) == [("a", {}, False)] * 4
