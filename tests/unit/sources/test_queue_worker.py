"""The worker of queues on the SQS service in memory: which invocations, in which order, and what is left."""

import json
from typing import Any

import pytest
from tests.unit.sources.conftest import Bench, answered, throttle

from lambent.model.errors import ClientFault
from lambent.model.invocation import InvocationResult
from lambent.sources.contract import CALL_FAILED, OK
from lambent.testing.loop import on_loop, turns, until

NOBODY = ClientFault("ResourceNotFoundException", "Function not found: f", 404)
REPORTING = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}


async def made(name: str = "q", *bodies: str, answers: Any = None, **attributes: str) -> Bench:
    """A bench with a queue that has these messages."""
    bench = Bench()
    bench.functions.answers = answers
    await bench.queue(name, **attributes)
    await bench.send(*bodies)
    return bench


@on_loop
async def test_what_went_well_is_deleted() -> None:
    """A backlog comes in batches of at most BatchSize, and is gone when the function has had it."""
    bench = await made("q", *map(str, range(25)), answers=answered())
    bench.start(BatchSize=4)
    await until(lambda: sum(map(len, bench.functions.bodies)) == 25)
    await until(lambda: bench.results.said[-1:] == [OK])
    await bench.stop()
    assert max(map(len, bench.functions.bodies)) == 4
    assert await bench.left() == (0, 0)
    assert len({body for batch in bench.functions.bodies for body in batch}) == 25


@on_loop
async def test_what_failed_is_left_to_its_visibility_timeout() -> None:
    """A function error leaves the whole batch in flight; it comes again when its time is over."""
    bench = await made("q", "x", "y", answers=answered(b"{}", "Unhandled"), VisibilityTimeout="9")
    bench.start()
    await until(lambda: bench.results.said == [CALL_FAILED])
    assert await bench.left() == (0, 2)
    bench.functions.answers = answered()
    bench.api.sqs.clock.advance(9)
    await until(lambda: len(bench.functions.bodies) == 2)
    await until(lambda: bench.results.said[-1] == OK)
    assert sorted(bench.functions.bodies[1]) == ["x", "y"]
    assert (await bench.poller.describe())["retried"] == 1  # type: ignore[union-attr]
    await bench.stop()
    assert await bench.left() == (0, 0)


@on_loop
async def test_only_what_was_reported_is_left() -> None:
    """With ReportBatchItemFailures the others are deleted; a malformed report deletes nothing."""

    def half(records: list[dict[str, Any]]) -> InvocationResult:
        failed = [r["messageId"] for r in records if r["body"] == "bad"]
        listed = [{"itemIdentifier": each} for each in failed]
        return InvocationResult(json.dumps({"batchItemFailures": listed}).encode(), "$LATEST")

    bench = await made("q", "good", "bad", "fine", answers=half)
    bench.start(**REPORTING)
    await until(lambda: bench.results.said == [OK])
    await bench.stop()
    assert await bench.left() == (0, 1)
    odd = await made("q", "a", "b", answers=answered(b'{"batchItemFailures": [{"x": 1}]}'))
    odd.start(**REPORTING)
    await until(lambda: odd.results.said == [CALL_FAILED])
    await odd.stop()
    assert await odd.left() == (0, 2)


@on_loop
async def test_answers_are_not_read_unless_asked_for() -> None:
    """Without ReportBatchItemFailures any answer is success."""
    bench = await made("q", "a", answers=answered(b'{"batchItemFailures": [{"x": 1}]}'))
    bench.start()
    await until(lambda: bench.results.said == [OK])
    await bench.stop()
    assert await bench.left() == (0, 0)


@on_loop
async def test_what_no_filter_matches_is_deleted_unseen() -> None:
    """The function gets what matches; the rest is deleted without an invocation."""
    bodies = ['{"n": 1}', '{"n": 2}', "plain"]
    bench = await made("q", *bodies, answers=answered())
    bench.start(FilterCriteria={"Filters": [{"Pattern": '{"body": {"n": [2]}}'}]})
    await until(lambda: bench.results.said == [OK])
    await bench.stop()
    assert bench.functions.bodies == [['{"n": 2}']]
    assert await bench.left() == (0, 0)


@on_loop
async def test_a_window_gathers_across_receives() -> None:
    """Messages that come one by one within the window are one batch; a full one does not wait for it."""
    bench = await made(answers=answered())
    bench.start(BatchSize=3, MaximumBatchingWindowInSeconds=0.2)
    await bench.send("1", "2")
    await turns()
    assert bench.functions.bodies == []
    await until(lambda: bench.functions.bodies == [["1", "2"]])
    await bench.send("3", "4", "5")
    await until(lambda: bench.functions.bodies[1:] == [["3", "4", "5"]], deadline_s=0.19)
    await bench.stop()


@on_loop
async def test_maximum_concurrency_and_room_are_never_exceeded() -> None:
    """No more batches run than MaximumConcurrency or the function's room allow, and no more are received."""
    for settings, room, most in (
        ({"ScalingConfig": {"MaximumConcurrency": 2}}, 1000, 2),
        ({}, 3, 3),
        ({}, 1000, 5),
    ):
        bench = await made("q", *map(str, range(12)))
        bench.functions.room_left = room
        bench.start(BatchSize=1, **settings)
        for _ in range(12):
            await until(lambda bench=bench: bool(bench.functions.waiting))  # type: ignore[misc]
            assert (await bench.left())[1] <= most + 1
            bench.functions.waiting.pop(0).set_result(b"null")
        await until(lambda bench=bench: len(bench.results.said) == 12)  # type: ignore[misc]
        await bench.stop()
        assert bench.functions.most == most
        assert await bench.left() == (0, 0)


@on_loop
async def test_nothing_is_received_for_a_function_that_cannot_run() -> None:
    """Without room, or without the function, its messages are not even received; then they are at once."""
    bench = await made("q", "x", answers=answered())
    bench.functions.room_left = 0
    bench.functions.error = NOBODY
    bench.start()
    await until(lambda: "PROBLEM: Function not found: f" in bench.results.said)
    bench.functions.error = None
    await turns(50)
    assert await bench.left() == (1, 0)
    assert "ReceiveMessage" not in bench.api.calls
    bench.functions.room_left = 10
    await until(lambda: bench.functions.bodies == [["x"]])
    await bench.stop()


@on_loop
async def test_a_throttled_batch_is_held_and_invoked_again() -> None:
    """A throttle in spite of room burns no receive: the same batch is invoked until it runs."""
    refusals = [throttle(), throttle()]

    def answer(_: Any) -> InvocationResult:
        if refusals:
            raise refusals.pop()
        return InvocationResult(b"null", "$LATEST")

    bench = await made("q", "x", answers=answer)
    bench.start()
    await until(lambda: bench.results.said[-1:] == [OK])
    await bench.stop()
    assert bench.functions.bodies == [["x"]] * 3
    assert bench.api.calls.count("DeleteMessageBatch") == 1
    assert await bench.left() == (0, 0)


@on_loop
async def test_a_throttled_batch_is_given_up_with_its_visibility() -> None:
    """When the visibility timeout would be over, the batch is let go and counted."""
    bench = await made("q", "x", answers=_throttled, VisibilityTimeout="1")
    bench.start()
    await until(lambda: bench.poller._invoker.counters.given_up == 1)  # type: ignore[union-attr]
    await bench.stop()
    assert bench.functions.bodies == [["x"]]


def _throttled(_: Any) -> InvocationResult:
    raise throttle()


@on_loop
async def test_a_fifo_group_runs_one_batch_after_the_other() -> None:
    """Batches are of one group, in its order, one at a time; groups side by side."""
    bench = await made("q.fifo", "a1", "a2", "b1", "a3", "b2")
    bench.start(BatchSize=2)
    await until(lambda: len(bench.functions.waiting) == 2)
    await turns(50)
    assert bench.functions.bodies == [["a1", "a2"], ["b1", "b2"]]
    bench.functions.waiting[0].set_result(b"null")
    await until(lambda: len(bench.functions.waiting) == 3)
    assert bench.functions.bodies[2] == ["a3"]
    for future in bench.functions.waiting[1:]:
        future.set_result(b"null")
    await until(lambda: len(bench.results.said) == 3)
    await bench.stop()
    assert await bench.left() == (0, 0)


@on_loop
async def test_fifo_groups_share_batches_where_there_is_no_room_for_one_each() -> None:
    """More groups than may run at once: a batch has several, and none is begun that there is no room for."""
    bodies = [f"{group}{number}" for number in (1, 2) for group in "abcde"]
    for settings, room, most in (({}, 1, 1), ({"ScalingConfig": {"MaximumConcurrency": 2}}, 9, 2)):
        bench = await made("q.fifo", *bodies)
        bench.functions.room_left = room
        bench.start(BatchSize=4, **settings)
        done = 0
        while done < len(bodies):
            await until(lambda bench=bench: bool(bench.functions.waiting))  # type: ignore[misc]
            await turns(20)
            assert bench.functions.running <= most
            assert (await bench.left())[1] <= most * 4
            for future in bench.functions.waiting:
                future.set_result(b"null")
            bench.functions.waiting.clear()
            done = sum(map(len, bench.functions.bodies))
        await until(lambda bench=bench: not bench.functions.running)  # type: ignore[misc]
        await bench.stop()
        assert await bench.left() == (0, 0)
        seen = [body for batch in bench.functions.bodies for body in batch]
        assert sorted(seen) == sorted(bodies)
        assert all(seen.index(f"{group}1") < seen.index(f"{group}2") for group in "abcde")


@on_loop
async def test_groups_in_one_batch_fail_apart() -> None:
    """Of groups that share a batch only what was reported, and what is behind it in its group, comes again."""

    def fails_a1(records: list[dict[str, Any]]) -> InvocationResult:
        failed = [r["messageId"] for r in records if r["body"] == "a1"]
        listed = [{"itemIdentifier": each} for each in failed]
        return InvocationResult(json.dumps({"batchItemFailures": listed}).encode(), "$LATEST")

    bench = await made("q.fifo", "a1", "b1", "a2", "b2", answers=fails_a1)
    bench.functions.room_left = 1
    bench.start(**REPORTING)
    await until(lambda: bench.results.said == [OK])
    await bench.stop()
    assert bench.functions.bodies == [["a1", "a2", "b1", "b2"]]
    assert await bench.left() == (0, 2)


@on_loop
async def test_a_failed_fifo_batch_stops_its_group() -> None:
    """Behind a failed message nothing of its group runs or is deleted until it has come again."""

    def fails_a2(records: list[dict[str, Any]]) -> InvocationResult:
        failed = [r["messageId"] for r in records if r["body"] == "a2"]
        listed = [{"itemIdentifier": each} for each in failed]
        return InvocationResult(json.dumps({"batchItemFailures": listed}).encode(), "$LATEST")

    bodies = ("a1", "a2", "a3", "a4", "b1")
    bench = await made("q.fifo", *bodies, answers=fails_a2, VisibilityTimeout="9")
    bench.start(BatchSize=3, **REPORTING)
    await until(lambda: len(bench.results.said) == 2)
    await turns(50)
    assert bench.functions.bodies == [["a1", "a2", "a3"], ["b1"]]
    assert await bench.left() == (1, 2)
    bench.functions.answers = answered()
    bench.api.sqs.clock.advance(9)
    await until(lambda: len(bench.results.said) == 3)
    await bench.stop()
    assert bench.functions.bodies[2:] == [["a2", "a3", "a4"]]
    assert await bench.left() == (0, 0)


@on_loop
async def test_behind_a_failed_fifo_message_no_receive_is_used_up() -> None:
    """In batches of one, what waits in a group behind a message that fails is not even received meanwhile."""
    bench = await made("q.fifo", "a1", "a2", "a3", answers=answered(b"{}", "Unhandled"))
    bench.start(BatchSize=1)
    await until(lambda: bench.results.said == [CALL_FAILED])
    await bench.stop()
    assert bench.functions.bodies == [["a1"]]
    assert await bench.left() == (2, 1)


@on_loop
async def test_a_queue_that_is_gone_is_not_asked_again_at_once() -> None:
    """An error of ReceiveMessage is reported, and waited for."""
    bench = await made()
    bench.api.failing["ReceiveMessage"] = ClientFault("QueueDoesNotExist", "No such queue.")
    bench.start()
    await until(lambda: bench.results.said == ["PROBLEM: No such queue."])
    await turns(100)
    assert bench.api.calls.count("ReceiveMessage") == 1
    await bench.stop()


@on_loop
async def test_an_idle_worker_has_one_long_poll() -> None:
    """With nothing to do there is one ReceiveMessage waiting, and nothing else."""
    bench = await made(answers=answered())
    bench.start()
    await turns(100)
    assert bench.api.calls == ["ReceiveMessage"]
    await bench.stop()


@on_loop
async def test_stopping_gives_back_what_was_not_begun() -> None:
    """What waits in an open batch is visible at once; what runs may end."""
    bench = await made("q", "x")
    bench.start(BatchSize=10, MaximumBatchingWindowInSeconds=60)
    await until(lambda: bench.poller._packer.waiting == 1)  # type: ignore[union-attr]
    await bench.stop()
    assert await bench.left() == (1, 0)
    assert bench.functions.bodies == []


@on_loop
async def test_a_failing_delete_is_tried_again() -> None:
    """A delete that fails once is repeated; the function does not get the message twice."""
    bench = await made("q", "x")
    bench.api.failing["DeleteMessageBatch"] = ClientFault("InternalError", "later", 500)
    bench.start()
    await until(lambda: bool(bench.functions.waiting))
    bench.functions.waiting[0].set_result(b"null")
    await until(lambda: "DeleteMessageBatch" in bench.api.calls)
    del bench.api.failing["DeleteMessageBatch"]
    await until(lambda: bench.results.said == [OK])
    await bench.stop()
    assert await bench.left() == (0, 0)
    assert bench.functions.bodies == [["x"]]


@on_loop
async def test_the_trace_of_a_message_goes_along() -> None:
    """AWSTraceHeader is what the function is invoked with."""
    bench = await made(answers=answered())
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=2:01bc76f7:1"
    header = {"AWSTraceHeader": {"StringValue": trace, "DataType": "String"}}
    await bench.send("x", MessageSystemAttributes=header)
    bench.start()
    await until(lambda: bench.functions.traces == [trace])
    await bench.stop()


@on_loop
async def test_a_bug_does_not_spin(caplog: pytest.LogCaptureFixture) -> None:
    """What no endpoint should answer is logged, and not asked again at once."""
    bench = await made()
    bench.api.failing["ReceiveMessage"] = KeyError("a bug")  # type: ignore[assignment]
    bench.start()
    await until(lambda: "an event source's task failed" in caplog.text)
    await turns(100)
    assert bench.api.calls.count("ReceiveMessage") == 1
    await bench.stop()


@on_loop
async def test_an_endpoint_that_does_not_wait_is_not_asked_in_a_loop() -> None:
    """A long poll that comes back empty at once is followed by a pause."""
    bench = await made()
    call = bench.api.call

    async def hasty(service: str, operation: str, parameters: Any, **more: Any) -> Any:
        return await call(service, operation, parameters | {"WaitTimeSeconds": 0}, **more)

    bench.api.call = hasty  # type: ignore[method-assign]
    bench.start()
    await until(lambda: "ReceiveMessage" in bench.api.calls)
    await turns(100)
    assert bench.api.calls.count("ReceiveMessage") == 1
    await bench.stop()


@on_loop
async def test_an_event_never_exceeds_six_megabytes() -> None:
    """Large messages make more batches than BatchSize would: none is larger than an invocation may be."""
    bench = await made(answers=answered())
    await bench.send(*(str(number) * 1_000_000 for number in range(8)))
    bench.start()
    await until(lambda: sum(map(len, bench.functions.bodies)) == 8)
    await bench.stop()
    assert sorted(map(len, bench.functions.bodies)) == [2, 6]
    assert await bench.left() == (0, 0)
