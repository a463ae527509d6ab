"""Restarts between the attempts of a batch: it is tried as often as configured, as if there had been none."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sources.streams.test_stream_retries import (
    TO_DEAD,
    batches,
    given_up,
    poisoned,
    reporting,
    run,
)
from tests.unit.sources.streams.test_tumbling_windows import calls, counting, make

from lambent.sources.checkpoints import Checkpoint
from lambent.sources.lane_intake import LaneIntake
from lambent.sources.stream_failures import Piece
from lambent.sources.stream_retries import PieceMark, marks_of
from lambent.sources.stream_settings import settings_of
from lambent.sources.stream_source import TRIM_HORIZON, StreamRecord
from lambent.testing.stream_bench import StreamBench
from lambent.testing.streams import FAILED, FakeFunctions, FakeStream
from lambent.testing.virtual_time import in_virtual_time

REPORTS = ["ReportBatchItemFailures"]
BISECT = {"BisectBatchOnFunctionError": True}


async def restarted(bench: StreamBench, every_s: float = 0.3, times: int = 200) -> None:
    """Has it killed after each short while: no more is done than what was on its way."""
    for _ in range(times):
        bench.start()
        await asyncio.sleep(every_s)
        await bench.stop(0)


@pytest.mark.parametrize(
    ("handler", "settings"),
    [
        (poisoned("c"), {"BatchSize": 4, "MaximumRetryAttempts": 3}),
        (poisoned("c"), {"BatchSize": 8, "MaximumRetryAttempts": 2} | BISECT),
        (poisoned("c", "f"), {"BatchSize": 4, "MaximumRetryAttempts": 1} | BISECT),
        (reporting("c"), {"MaximumRetryAttempts": 2, "FunctionResponseTypes": REPORTS}),
        (reporting("c"), {"MaximumRetryAttempts": 1, "FunctionResponseTypes": REPORTS} | BISECT),
    ],
)
def test_a_restart_between_attempts_changes_nothing(handler: Any, settings: dict[str, Any]) -> None:
    """The same batches, as often, in the same order, and the same counts at the destination."""

    @in_virtual_time
    async def compare() -> None:
        settings["DestinationConfig"] = TO_DEAD
        plain = await run("abcdefgh", handler, **settings)
        stream = FakeStream()
        for key in "abcdefgh":
            stream.put(key)
        bench = StreamBench(stream, FakeFunctions(handler), **settings)
        await restarted(bench)
        assert batches(bench) == batches(plain)
        counts = [
            [record["requestContext"]["approximateInvokeCount"] for record in given_up(each)]
            for each in (plain, bench)
        ]
        assert counts[0] == counts[1]
        assert counts[0]

    compare()


@in_virtual_time
async def test_lanes_count_each_for_itself() -> None:
    """With four lanes every poison record has its own attempts, however often all of it restarts."""
    stream = FakeStream()
    keys = [f"k{number}" for number in range(16)]
    for key in keys:
        stream.put(key)
    bad = {"k1", "k6", "k11"}
    bench = StreamBench(
        stream,
        FakeFunctions(poisoned(*bad)),
        BatchSize=1,
        ParallelizationFactor=4,
        MaximumRetryAttempts=3,
    )
    await restarted(bench, times=60)
    seen = [batch[0] for batch in bench.functions.batches]
    assert {key: seen.count(key) for key in keys} == {key: 4 if key in bad else 1 for key in keys}


@in_virtual_time
async def test_the_end_of_a_window_counts_on() -> None:
    """The invocation that ends a tumbling window is retried as often as configured, over restarts too."""
    stream = FakeStream()

    def handle(event: dict[str, Any]) -> Any:
        return FAILED if event["isFinalInvokeForWindow"] else counting(event)

    bench = make(stream, handle, MaximumRetryAttempts=2)
    stream.put("a")
    bench.start()
    await asyncio.sleep(39)
    await bench.stop(0)
    await restarted(bench, times=40)
    finals = [call for call in calls(bench) if call[2]]
    assert finals == [("", {"count": 1}, True)] * 3
    stream.put("b")
    await restarted(bench, times=2)
    assert calls(bench)[-1][0] == "b"


@in_virtual_time
async def test_a_smaller_batch_size_begins_anew() -> None:
    """A piece that no longer fits into a batch is not made again: its records come in batches as set now."""
    stream = FakeStream()
    for key in "abcd":
        stream.put(key)
    bench = StreamBench(stream, FakeFunctions(poisoned("c")), BatchSize=4, MaximumRetryAttempts=1)
    bench.start()
    await asyncio.sleep(0.3)
    await bench.stop(0)
    bench.settings["BatchSize"] = 1
    bench.start()
    await asyncio.sleep(60)
    await bench.stop()
    assert batches(bench) == ["abcd", "a", "b", "c", "c", "d"]


@in_virtual_time
async def test_what_expired_meanwhile_holds_nobody_up() -> None:
    """Records of a piece that the stream dropped are not waited for; what is left of it counts on."""
    for trimmed, expected in ((1, ["abcd", "bcd", "efgh"]), (4, ["abcd", "efgh"])):
        stream = FakeStream()
        for key in "abcdefgh":
            stream.put(key)
        handler = poisoned("c")
        bench = StreamBench(stream, FakeFunctions(handler), BatchSize=4, MaximumRetryAttempts=1)
        bench.start()
        await asyncio.sleep(0.3)
        await bench.stop(0)
        next(iter(stream.shards.values())).trimmed = trimmed
        bench.start()
        await asyncio.sleep(60)
        await bench.stop()
        assert batches(bench) == expected


@in_virtual_time
async def test_a_full_shard_does_not_wait_for_the_rest_of_a_piece() -> None:
    """Where nothing more can be read, what was read of a piece that was tried goes on, with its count."""
    bench = StreamBench(FakeStream(), FakeFunctions(), BatchSize=10)
    intake = LaneIntake(settings_of(bench.mapping()))
    intake.restore([PieceMark(9, 2, 2)])
    intake.add([StreamRecord(n, str(n), "k", 0.0, b"{}") for n in range(4)])
    taking = asyncio.ensure_future(intake.take(None, asyncio.Event()))
    await asyncio.sleep(100)
    assert not taking.done()
    intake.crowded()
    taken = await taking
    assert taken is not None
    assert (len(taken[0].records), taken[0].invoked) == (4, 2)


MARKS = st.builds(
    PieceMark,
    st.none() | st.integers(0, 10**56),
    st.integers(0, 10_001),
    st.integers(0, 10_000),
    st.booleans(),
    st.booleans(),
)


@given(st.dictionaries(st.integers(0, 9), st.lists(MARKS, min_size=1).map(tuple)))
def test_marks_come_back_as_they_were(pieces: dict[int, tuple[PieceMark, ...]]) -> None:
    """Through the checkpoint's text; one written before there were any has none."""
    checkpoint = Checkpoint(TRIM_HORIZON, 10, {}, pieces=pieces)
    assert Checkpoint.decode(checkpoint.encode()) == checkpoint
    old = '{"position": ["TRIM_HORIZON", ""], "factor": 1, "marks": {}, "finished": false}'
    assert Checkpoint.decode(old) == Checkpoint(TRIM_HORIZON)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), max_size=5))
def test_marks_know_pieces_again(shape: list[tuple[int, int]]) -> None:
    """Each piece is its records up to its mark; pieces that nobody was asked for leave none."""
    numbers = iter(range(100))
    pieces = [
        Piece(
            tuple(
                StreamRecord(n, str(n), "k", 0.0, b"") for n in (next(numbers) for _ in range(size))
            ),
            invoked,
            invoked,
        )
        for size, invoked in shape
    ]
    marks = marks_of(pieces)
    if not any(invoked for _, invoked in shape):
        assert marks == ()
        return
    assert [mark.piece(piece.records) for mark, piece in zip(marks, pieces, strict=True)] == pieces
    assert [mark.last for mark in marks] == [piece.records[-1].sequence for piece in pieces]
