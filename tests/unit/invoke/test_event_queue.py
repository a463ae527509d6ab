"""The pump: every accepted event ends exactly one way, on time, and none delays another function's."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambent.invoke import lineage
from lambent.invoke.event_window import BATCH, FIRST_SIZE
from lambent.model.errors import AwsError, ClientFault, PlatformFault
from lambent.model.outgoing import Outgoing
from lambent.testing.loop import on_loop, turns

FAILED = "arn:aws:sqs:us-east-1:000000000000:failed"
DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"
DONE = "arn:aws:sqs:us-east-1:000000000000:done"
MINUTE_MS = 60_000
SIX_HOURS_MS = 6 * 60 * MINUTE_MS


@on_loop
async def test_an_event_starts_with_the_transaction_that_stores_it(event_place: Any) -> None:
    """It is taken in the same commit, runs with its request id, and leaves nothing behind."""
    place = event_place("f")
    await place.accept("f", "r1", b'{"a":1}')
    assert place.invoked == [("f", "r1")]
    (trace,) = place.traces
    assert trace.startswith("Root=1-a-b;Parent=")
    assert trace.endswith(";Sampled=0")
    assert await place.waiting("f") == []
    assert place.counts("f").async_events_received == 1
    assert place.clock.next_at() is None


@on_loop
async def test_a_function_that_fails_is_asked_three_times(event_place: Any) -> None:
    """After one minute and after two more, with the same request id; then it goes where failures go."""
    place = event_place()
    place.configure("f", on_failure=FAILED, dead_letters=DEAD)
    place.answers["f"] = lambda _: "no"
    await place.accept("f", "r1", b"[1]")
    await place.clock.advance(MINUTE_MS - 1)
    assert len(place.invoked) == 1
    await place.clock.advance(1)
    assert len(place.invoked) == 2
    await place.clock.advance(2 * MINUTE_MS - 1)
    assert len(place.invoked) == 2
    await place.clock.advance(1)
    assert place.invoked == [("f", "r1")] * 3
    await place.clock.advance(SIX_HOURS_MS)
    assert len(place.invoked) == 3
    (to_failed, failed), (to_dead, dead) = place.outlet.sent
    assert (to_failed, to_dead) == (FAILED, DEAD)
    record = place.records()[0]
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestContext"]["functionArn"].endswith(":function:f:$LATEST")
    assert record["responsePayload"]["errorMessage"] == "no"
    assert dead.body == b"[1]"
    assert {name: a.value for name, a in dead.attributes.items()} == {
        "RequestID": "r1",
        "ErrorCode": "200",
        "ErrorMessage": "no",
    }
    assert len(set(place.traces)) == 1
    trace = lineage.extend(place.traces[0], "000000000000", "us-east-1", "f")[0]
    assert failed.trace_header == trace
    assert (await place.waiting("f"), place.counts("f").async_events_dropped) == ([], 1)


@on_loop
async def test_a_success_is_told_to_its_destination(event_place: Any) -> None:
    """Also when an earlier attempt failed: then with two invocations."""
    place = event_place()
    place.configure("f", on_success=DONE, on_failure=FAILED, dead_letters=DEAD)
    answers = iter(["no", None])
    place.answers["f"] = lambda _: next(answers)
    await place.accept("f", "r1")
    await place.clock.advance(MINUTE_MS)
    assert [arn for arn, _ in place.outlet.sent] == [DONE]
    context = place.records()[0]["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("Success", 2)
    assert place.counts("f").async_events_dropped == 0


@on_loop
async def test_a_destination_that_refuses_is_counted_and_the_event_gone(event_place: Any) -> None:
    """As on AWS; the other target is not affected by it."""
    place = event_place()
    place.configure("f", maximum_retry_attempts=0, on_failure=FAILED, dead_letters=DEAD)
    place.answers["f"] = lambda _: "no"
    place.outlet.gone = True
    await place.accept("f", "r1")
    counts = place.counts("f")
    assert (counts.destination_delivery_failures, counts.dead_letter_errors) == (1, 1)
    assert await place.waiting("f") == []


@on_loop
async def test_throttles_use_up_no_attempt(
    event_place: Any, throttle: Callable[[], ClientFault]
) -> None:
    """Back-off from a second, doubling; when there is room the event runs and fails as often as any."""
    place = event_place()
    place.configure("f", on_failure=FAILED)
    throttled = iter([throttle()] * 5)
    place.answers["f"] = lambda _: next(throttled, "no")
    await place.accept("f", "r1")
    for expected, wait_s in enumerate((1, 2, 4, 8, 16), start=2):
        await place.clock.advance(wait_s * 1000 - 1)
        assert len(place.invoked) == expected - 1
        await place.clock.advance(1)
        assert len(place.invoked) == expected
    await place.clock.advance(3 * MINUTE_MS)
    assert len(place.invoked) == 5 + 3
    assert place.records()[0]["requestContext"]["approximateInvokeCount"] == 3


@on_loop
@pytest.mark.parametrize("age_s", [60, 21_600])
async def test_an_event_that_never_finds_room_expires(
    event_place: Any, throttle: Callable[[], ClientFault], age_s: int
) -> None:
    """At its greatest age it is given up, never having been asked."""
    place = event_place()
    place.configure("f", maximum_event_age_s=age_s, on_failure=FAILED)
    place.answers["f"] = lambda _: throttle()
    await place.accept("f", "r1")
    await place.clock.advance(age_s * 1000 - 1)
    assert place.outlet.sent == []
    await place.clock.advance(1)
    (record,) = place.records()
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in record


@on_loop
async def test_a_stopped_functions_events_fail_at_once(event_place: Any) -> None:
    """Reserved concurrency 0: no attempt, straight to the failure destination; later events run again."""
    place = event_place()
    place.configure("f", on_failure=FAILED)
    place.counting.reserve("000000000000", "us-east-1", "f", 0)
    await place.accept("f", "r1")
    assert place.invoked == []
    assert place.records()[0]["requestContext"]["condition"] == "ZeroReservedConcurrency"
    place.counting.reserve("000000000000", "us-east-1", "f", None)
    await place.accept("f", "r2")
    assert place.invoked == [("f", "r2")]


@on_loop
async def test_a_recursive_loop_goes_to_the_failure_destination(event_place: Any) -> None:
    """Without another attempt."""
    place = event_place()
    place.configure("f", on_failure=FAILED)
    place.answers["f"] = lambda _: lineage.stopped()
    await place.accept("f", "r1")
    await place.clock.advance(SIX_HOURS_MS)
    assert (len(place.invoked), len(place.outlet.sent)) == (1, 1)


@on_loop
async def test_a_bug_of_the_platform_is_a_fault_of_the_platform(
    event_place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the event tried again."""
    place = event_place("f")
    answers = iter([RuntimeError("a bug"), None])
    place.answers["f"] = lambda _: next(answers)
    await place.accept("f", "r1")
    assert "failed inside the platform" in caplog.text
    await place.clock.advance(1_000)
    assert (len(place.invoked), await place.waiting("f")) == (2, [])


@on_loop
async def test_the_time_scale_runs_every_clock_faster(event_place: Any) -> None:
    """With a scale of 60 a minute is a second, for retries and for the greatest age."""
    place = event_place(time_scale=60)
    place.configure("f", on_failure=FAILED)
    place.answers["f"] = lambda _: "no"
    await place.accept("f", "r1")
    await place.clock.advance(3_000)
    assert (len(place.invoked), len(place.outlet.sent)) == (3, 1)


# Restart


@on_loop
async def test_what_was_in_flight_runs_again_after_a_restart(event_place: Any) -> None:
    """With the same request id; what waits for its retry goes on waiting."""
    place = event_place("slow", "failing")
    place.answers["slow"] = lambda _: asyncio.get_running_loop().create_future()
    place.answers["failing"] = lambda _: "no"
    await place.accept("slow", "r1")
    await place.accept("failing", "r2")
    await place.events.close()
    await place.clock.advance(30_000)
    place.answers["slow"] = lambda _: None
    place.events = place.make()
    await place.events.open()
    await turns(20)
    assert Counter(place.invoked) == {("slow", "r1"): 2, ("failing", "r2"): 1}
    await place.clock.advance(30_000)
    assert Counter(place.invoked)[("failing", "r2")] == 2
    assert await place.waiting("slow") == []


@on_loop
async def test_every_queue_is_found_at_the_start(event_place: Any) -> None:
    """Many functions' queues, more than are listed at once, each with what it had."""
    names = [f"f{n:04}" for n in range(1_100)]
    place = event_place(*names)
    for name in names[::100]:
        await place.preload(name, 1)
    for name in names[1::2]:
        await place.preload(name, 0)
    await place.events.open()
    await turns(50)
    assert sorted(name for name, _ in place.invoked) == sorted(names[::100])
    assert place.clock.next_at() is None


@on_loop
async def test_nothing_runs_before_every_queue_was_gone_through(event_place: Any) -> None:
    """An event accepted on the way is not mistaken for one of the platform before: it runs once."""
    names = [f"f{n:04}" for n in range(600)]
    place = event_place(*names)
    for name in names:
        await place.preload(name, 1)
    run = place.store.run

    async def run_and_accept(work: Any) -> Any:
        answer = await run(work)
        if place.store.run is not run:
            place.store.run = run
            assert place.invoked == []
            await place.accept(names[-1], "late")
        return answer

    place.store.run = run_and_accept
    await place.events.open()
    await turns(50)
    assert Counter(name for name, _ in place.invoked) == Counter([*names, names[-1]])


# Functions and qualifiers that go


@on_loop
async def test_a_deleted_function_takes_its_events_along(event_place: Any) -> None:
    """Its queue is gone with what waits in it, also where one is being worked on."""
    place = event_place()
    place.configure("f", on_failure=FAILED)
    place.answers["f"] = lambda _: "no"
    await place.accept("f", "r1")
    working: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    place.answers["f"] = lambda _: working
    await place.accept("f", "r2")
    del place.targets["f"]
    place.events.function_changed("000000000000", "us-east-1", "f")
    await turns(20)
    assert await place.waiting("f") is None
    working.set_result("no")
    await place.clock.advance(SIX_HOURS_MS)
    assert (len(place.invoked), place.outlet.sent) == (2, [])
    with pytest.raises(ClientFault) as refused:
        await place.accept("f", "r3")
    assert refused.value.status == 404


@on_loop
async def test_an_event_of_a_deleted_alias_fails(event_place: Any) -> None:
    """It goes where $LATEST's failures go, and is not tried."""
    place = event_place("f:live")
    place.configure("f", on_failure=FAILED)
    place.answers["f"] = lambda _: "no"
    await place.accept("f", "r1", qualifier="live")
    assert len(place.invoked) == 1
    attributes = (await place.waiting("f"))[0].attributes
    del place.targets["f:live"]
    await place.clock.advance(MINUTE_MS)
    assert '"attempts":1' in attributes
    assert len(place.invoked) == 1
    assert place.records()[0]["requestContext"]["condition"] == "RetriesExhausted"


# What is refused


@on_loop
async def test_a_full_disk_refuses_and_serves(event_place: Any) -> None:
    """New events are refused with ServiceException, those accepted before are processed."""
    place = event_place("f")
    place.answers["f"] = lambda _: "no"
    await place.accept("f", "r1")
    place.store.full = True
    with pytest.raises(PlatformFault) as refused:
        await place.accept("f", "r2")
    assert (refused.value.code, refused.value.status) == ("ServiceException", 507)
    await place.clock.advance(MINUTE_MS)
    assert place.invoked == [("f", "r1")] * 2
    assert place.events._backlogs["000000000000", "us-east-1", "f"].window.in_flight == 0


@on_loop
async def test_an_event_is_settled_when_the_store_can_again(
    event_place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Its record and its deletion come together, later; it is not run again."""
    place = event_place()
    place.configure("f", on_success=DONE)
    broken = iter([OSError("disk"), OSError("disk")])
    put = place.outlet.put

    def fail_twice(*message: Any) -> None:
        error = next(broken, None)
        if error is not None:
            raise error
        put(*message)

    place.outlet.put = fail_twice
    await place.accept("f", "r1")
    await turns(50)
    assert caplog.text.count("could not settle an event") == 2
    assert (len(place.invoked), len(place.records()), await place.waiting("f")) == (1, 1, [])


@on_loop
@pytest.mark.parametrize(("service", "has_payloads"), [("sns", False), ("sqs", True)])
async def test_a_large_record_loses_its_payloads_on_the_way_to_a_topic(
    event_place: Any, service: str, has_payloads: bool
) -> None:
    """AWS: a topic takes 256 KB, so the record comes without them; a queue takes more."""
    place = event_place()
    place.configure("f", on_success=f"arn:aws:{service}:us-east-1:000000000000:x")
    place.outlets.register("sns", place.outlet)
    await place.accept("f", "r1", b'"' + b"a" * 200_000 + b'"')
    (record,) = place.records()
    assert ("requestPayload" in record, "responsePayload" in record) == (has_payloads,) * 2
    assert record["responseContext"]["statusCode"] == 200


@on_loop
async def test_bad_events_are_refused(event_place: Any) -> None:
    """Too large, no JSON, or for a function that is not there: nothing is stored."""
    place = event_place("f")
    for name, payload, code in (
        ("f", b'"' + b"a" * 1024 * 1024 + b'"', "RequestEntityTooLargeException"),
        ("f", b"{", "InvalidRequestContentException"),
        ("g", b"{}", "ResourceNotFoundException"),
    ):
        with pytest.raises(AwsError) as refused:
            await place.accept(name, "r", payload)
        assert refused.value.code == code
    assert await place.waiting("f") is None


# Fairness


@on_loop
async def test_a_backlog_delays_nobody_else(event_place: Any) -> None:
    """With a thousand slow events of one function waiting, another's start at once."""
    place = event_place("slow", "quick", limit=20)
    place.answers["slow"] = lambda _: asyncio.get_running_loop().create_future()
    await place.preload("slow", 1_000)
    await place.events.open()
    await turns(50)
    assert place.running["slow"] == FIRST_SIZE
    for number in range(20):
        await place.accept("quick", f"q{number}")
        assert place.invoked[-1] == ("quick", f"q{number}")
    await place.events.close()


@on_loop
async def test_a_backlog_leaves_room_for_synchronous_calls(event_place: Any) -> None:
    """However long it is, and however well it goes, half of what is free stays free."""
    place = event_place("f", limit=100)
    gate: list[asyncio.Future[None]] = []

    def answer(_: str) -> Any:
        gate.append(asyncio.get_running_loop().create_future())
        return gate[-1]

    place.answers["f"] = answer
    await place.preload("f", 2_000)
    await place.events.open()
    for _ in range(60):
        await turns(30)
        now, gate[:] = list(gate), []
        for one in now:
            one.set_result(None)
        await place.clock.advance(500)
    assert 40 <= place.peak["f"] <= 51
    await place.events.close()


@on_loop
async def test_a_reservation_bounds_and_is_used_whole(event_place: Any) -> None:
    """As many at a time as are reserved, no more, and no throttle."""
    place = event_place("f")
    place.counting.reserve("000000000000", "us-east-1", "f", 3)
    futures: list[asyncio.Future[None]] = []

    def answer(_: str) -> Any:
        futures.append(asyncio.get_running_loop().create_future())
        return futures[-1]

    place.answers["f"] = answer
    await place.preload("f", 50)
    await place.events.open()
    await turns(20)
    while futures:
        assert place.running["f"] == 3 or len(place.invoked) >= 48
        futures.pop(0).set_result(None)
        await turns(20)
    assert (place.peak["f"], len(place.invoked)) == (3, 50)
    assert await place.waiting("f") == []


@on_loop
async def test_an_event_put_by_an_outlet_runs(event_place: Any) -> None:
    """A destination's record is the next function's event; its queue is known from the outlet."""
    place = event_place("g")
    place.configure("f", on_success="arn:aws:lambda:us-east-1:000000000000:function:g")
    await place.events.open()
    await place.accept("f", "r1")
    assert [name for name, _ in place.invoked] == ["f", "g"]
    assert place.counts("g").async_events_received == 1
    assert "Lineage=1:" in place.traces[1]


@on_loop
async def test_a_header_cannot_be_smuggled_in_by_a_trace(event_place: Any) -> None:
    """What is no header text does not reach the function as one."""
    place = event_place("f")
    await place.events.open()
    outlet = place.outlets
    for trace in ("Root=1\r\nEvil: 1", "ä", "x" * 4096):
        out = Outgoing(b"{}", "sqs.amazonaws.com", "a", "0", trace_header=trace)
        arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        await place.store.run(
            lambda tx, out=out, arn=arn: outlet.put(tx, arn, out, place.clock.now)
        )
    await turns(20)
    assert place.traces == [None] * 3


KINDS = st.sampled_from(["ok", "error", "throttle", "fault", "recursion"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.lists(KINDS, max_size=6), min_size=1, max_size=BATCH + 8), st.integers(0, 2))
def test_every_event_ends_exactly_one_way(
    event_place: Any,
    throttle: Callable[[], ClientFault],
    scripts: list[list[str]],
    retries: int,
) -> None:
    """Whatever comes of its attempts, an event leaves one record, of success or of failure, and no trace."""
    asyncio.run(_ends_one_way(event_place, throttle, scripts, retries))


async def _ends_one_way(
    event_place: Any, throttle: Callable[[], ClientFault], scripts: list[list[str]], retries: int
) -> None:
    place = event_place(limit=10)
    place.configure("f", maximum_retry_attempts=retries, on_success=DONE, on_failure=FAILED)
    left = {f"r{n}": list(script) for n, script in enumerate(scripts)}
    asked: Counter[str] = Counter()
    ends: dict[str, Any] = {
        "ok": lambda: None,
        "error": lambda: "no",
        "throttle": throttle,
        "fault": lambda: PlatformFault("broken"),
        "recursion": lineage.stopped,
    }

    def answer(request_id: str) -> Any:
        kind = left[request_id].pop(0) if left[request_id] else "ok"
        asked[request_id] += kind in {"ok", "error"}
        return ends[kind]()

    place.answers["f"] = answer
    await place.events.open()
    for request_id in left:
        await place.accept("f", request_id)
    await place.clock.advance(SIX_HOURS_MS + MINUTE_MS)
    assert await place.waiting("f") == []
    ended = Counter(record["requestContext"]["requestId"] for record in place.records())
    assert ended == dict.fromkeys(left, 1)
    for record in place.records():
        context = record["requestContext"]
        assert context["approximateInvokeCount"] == asked[context["requestId"]] <= retries + 1
    assert place.counts("f").async_events_received == len(left)
    assert place.events._backlogs["000000000000", "us-east-1", "f"].window.in_flight == 0
    await place.events.close()
