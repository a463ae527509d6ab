"""What is counted of a mapping's events: polled, filtered, invoked, failed, dropped, delivered."""

import asyncio
from typing import Any

from tests.unit.sources.conftest import Bench, answered
from tests.unit.sources.streams.test_stream_retries import TO_DEAD, poisoned, run

from lambent.model.errors import ClientFault
from lambent.observe.mapping_metrics import MappingCounts
from lambent.testing.loop import on_loop, until
from lambent.testing.stream_bench import StreamBench
from lambent.testing.streams import FakeFunctions, FakeStream
from lambent.testing.virtual_time import in_virtual_time

FILTER = {"Filters": [{"Pattern": '{"partitionKey": [{"anything-but": "x"}]}'}]}


def counts(bench: StreamBench) -> MappingCounts:
    """Of the bench's mapping."""
    return bench.metrics.mappings.of(bench.mapping().uuid)


@in_virtual_time
async def test_events_of_a_stream_are_counted() -> None:
    """Each attempt counts as invoked; what is given up is dropped, or delivered where there is a destination."""
    settings: dict[str, Any] = {
        "BatchSize": 2,
        "MaximumRetryAttempts": 1,
        "FilterCriteria": FILTER,
    }
    dropped = counts(await run("abcdxx", poisoned("a"), **settings))
    assert dropped == MappingCounts(
        polled_event_count=6,
        filtered_out_event_count=2,
        invoked_event_count=6,
        failed_invoke_event_count=4,
        dropped_event_count=2,
    )
    sent = counts(await run("abcdxx", poisoned("a"), DestinationConfig=TO_DEAD, **settings))
    assert sent.dropped_event_count == 0
    assert sent.on_failure_destination_delivered_event_count == 2


@in_virtual_time
async def test_what_no_destination_takes_is_dropped() -> None:
    """AWS: "If delivery to the destination fails" the events count as dropped."""
    stream = FakeStream()
    stream.put("a")
    functions = FakeFunctions(poisoned("a"))
    bench = StreamBench(stream, functions, MaximumRetryAttempts=0, DestinationConfig=TO_DEAD)
    bench.outlet.refusal = ClientFault("AccessDenied", "no")
    bench.start()
    await asyncio.sleep(10)
    await bench.stop()
    found = counts(bench)
    assert found.dropped_event_count == 1
    assert found.on_failure_destination_delivered_event_count == 0


@on_loop
async def test_messages_of_a_queue_are_counted() -> None:
    """Polled, filtered out, invoked, failed and deleted; what is filtered out is deleted too."""
    bench = Bench()
    await bench.queue("q")
    await bench.send('{"n": 1}', '{"n": 2}', '{"n": 3}')
    bench.functions.answers = answered()
    bench.start(FilterCriteria={"Filters": [{"Pattern": '{"body": {"n": [1, 2]}}'}]})
    found = bench.counts
    await until(lambda: found.deleted_event_count == 3)
    bench.functions.answers = answered(b"{}", "Unhandled")
    await bench.send('{"n": 1}')
    await until(lambda: found.failed_invoke_event_count == 1)
    await bench.stop()
    assert found == MappingCounts(
        polled_event_count=4,
        filtered_out_event_count=1,
        invoked_event_count=3,
        failed_invoke_event_count=1,
        deleted_event_count=3,
    )
