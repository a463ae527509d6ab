"""Destinations behind an API: kept until they are handed on, tried again, given up and counted."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke.deliveries import Deliveries
from lambent.invoke.delivery_requests import (
    MAX_AGE_MS,
    Stored,
    object_key,
    request_of,
    sent_again_at_ms,
    stored_of,
)
from lambent.model.errors import AwsError, PlatformFault
from lambent.model.outgoing import Delivery, Outgoing
from lambent.observe.metrics import Metrics
from lambent.testing.queue_store import FakeQueueStore
from lambent.testing.virtual_time import in_virtual_time

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
BUCKET = "arn:aws:s3:::failures"
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/default"
DELIVERY = Delivery("a/key", "Lambda Function Invocation Result - Failure", FUNCTION + ":live")


def outgoing(body: bytes = b'{"a":1}', delivery: Delivery = DELIVERY) -> Outgoing:
    """A record of the function."""
    return Outgoing(
        body, "role", FUNCTION, "123456789012", trace_header="Root=1-2", delivery=delivery
    )


@dataclass
class FakeApi:
    """Is an Api: remembers what it took, raises what is next in ``refusals``."""

    taken: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    refusals: list[AwsError] = field(default_factory=list)
    answer: Mapping[str, Any] = field(default_factory=dict)
    calls: list[float] = field(default_factory=list)

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
        self.calls.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.pop(0)
        self.taken.append((f"{service}:{operation} {account_id} {region}", parameters))
        return self.answer


@dataclass
class Place:
    """Deliveries over a store in memory; the clock is the loop's."""

    api: FakeApi = field(default_factory=FakeApi)
    store: FakeQueueStore = field(default_factory=FakeQueueStore)
    metrics: Metrics = field(default_factory=Metrics)

    async def started(self) -> Deliveries:
        """As after a start of the platform."""
        self.deliveries = Deliveries(self.store, self.api, self.metrics, now_ms)
        await self.deliveries.open(("s3", "events"))
        return self.deliveries

    async def put(self, target_arn: str, record: Outgoing) -> None:
        """As a sender that lets go of it."""
        outlet = self.deliveries.outlet(target_arn.split(":")[2])
        await self.store.run(lambda tx: outlet.put(tx, target_arn, record, now_ms()))

    def waiting(self) -> int:
        """Messages that are not handed on."""
        return sum(len(content.messages) for content in self.store._state.queues.values())

    @property
    def failures(self) -> int:
        """The function's metric."""
        return self.metrics.of("123456789012", "eu-west-1", "f").destination_delivery_failures


def now_ms() -> int:
    """The loop's time."""
    return 1_700_000_000_000 + round(asyncio.get_running_loop().time() * 1000)


@in_virtual_time
async def test_a_bucket_gets_an_object() -> None:
    """Under the key that was chosen when it was put, in the function's account and region."""
    place = Place()
    deliveries = await place.started()
    await place.put(BUCKET, outgoing())
    await asyncio.sleep(1)
    await deliveries.close()
    ((call, parameters),) = place.api.taken
    assert call == "s3:PutObject 123456789012 eu-west-1"
    assert parameters == {
        "Bucket": "failures",
        "Key": "a/key",
        "Body": b'{"a":1}',
        "ContentType": "application/json",
    }
    assert (place.waiting(), place.failures) == (0, 0)


@in_virtual_time
async def test_a_bus_gets_an_event() -> None:
    """AWS's source and detail type; the bus and the function are its resources; the chain goes along."""
    place = Place()
    deliveries = await place.started()
    await place.put(BUS, outgoing())
    await asyncio.sleep(1)
    await deliveries.close()
    ((call, parameters),) = place.api.taken
    assert call == "events:PutEvents 000000000000 us-east-1"
    assert parameters["Entries"] == [
        {
            "Source": "lambda",
            "DetailType": "Lambda Function Invocation Result - Failure",
            "Detail": '{"a":1}',
            "EventBusName": BUS,
            "Resources": [BUS, FUNCTION + ":live"],
            "TraceHeader": "Root=1-2",
        }
    ]


@in_virtual_time
async def test_a_service_that_is_away_is_asked_again() -> None:
    """After 1, 2, 4, … seconds, until it takes it; meanwhile another service's deliveries go on."""
    place = Place()
    deliveries = await place.started()
    place.api.refusals = [PlatformFault("away", status=503) for _ in range(5)]
    await place.put(BUCKET, outgoing())
    await asyncio.sleep(20)
    await place.put(BUS, outgoing())
    await asyncio.sleep(1)
    assert [call.split()[0] for call, _ in place.api.taken] == ["events:PutEvents"]
    await asyncio.sleep(20)
    await deliveries.close()
    assert place.api.taken[-1][0].startswith("s3:PutObject")
    times = [round(each) for each in place.api.calls]
    assert times == [0, 1, 3, 7, 15, 20, 31]
    assert (place.waiting(), place.failures) == (0, 0)


@in_virtual_time
async def test_what_a_service_refuses_is_counted_and_gone() -> None:
    """No such bucket: not asked again; the function's metric, and the mapping's where it was a batch."""
    place = Place()
    deliveries = await place.started()
    batch = Delivery("k", mapping_uuid="u", events=7)
    place.api.refusals = [AwsError("NoSuchBucket", "no", 404)]
    await place.put(BUCKET, outgoing(delivery=batch))
    await asyncio.sleep(1)
    await place.put(BUCKET, outgoing(delivery=batch))
    await asyncio.sleep(100)
    place.api.answer = {
        "FailedEntryCount": 1,
        "Entries": [{"ErrorCode": "NotAuthorizedForDetailTypeByCaller", "ErrorMessage": "no"}],
    }
    await place.put(BUS, outgoing())
    await asyncio.sleep(100)
    await deliveries.close()
    counts = place.metrics.mappings.of("u")
    assert (counts.dropped_event_count, counts.on_failure_destination_delivered_event_count) == (
        7,
        7,
    )
    assert (len(place.api.calls), place.waiting(), place.failures) == (3, 0, 2)


@in_virtual_time
async def test_an_entry_that_failed_for_now_is_sent_again() -> None:
    """PutEvents answers 200 and says ThrottlingException of its entry."""
    place = Place()
    deliveries = await place.started()
    place.api.answer = {"Entries": [{"ErrorCode": "ThrottlingException"}]}
    await place.put(BUS, outgoing())
    await asyncio.sleep(0.5)
    place.api.answer = {"Entries": [{"EventId": "1"}]}
    await asyncio.sleep(2)
    await deliveries.close()
    assert (len(place.api.taken), place.waiting(), place.failures) == (2, 0, 0)


@in_virtual_time
async def test_what_was_under_way_is_sent_after_a_restart() -> None:
    """Nothing is lost with the platform, and what waits for its retry keeps being delivered."""
    place = Place()
    deliveries = await place.started()
    hang = asyncio.Event()
    usual = place.api.call

    async def never(*_: Any, **__: Any) -> Mapping[str, Any]:
        await hang.wait()
        return {}

    place.api.call = never  # type: ignore[method-assign]
    for _ in range(20):
        await place.put(BUCKET, outgoing())
    await asyncio.sleep(1)
    await deliveries.close()
    assert place.waiting() == 20
    place.api.call = usual  # type: ignore[method-assign]
    deliveries = await place.started()
    await asyncio.sleep(1)
    await deliveries.close()
    assert (len(place.api.taken), place.waiting()) == (20, 0)


@in_virtual_time
async def test_idle_deliveries_ask_nobody() -> None:
    """Nothing to deliver: no transactions, no calls."""
    place = Place()
    deliveries = await place.started()
    works = 0
    run = place.store.run

    async def counted(work: Any) -> Any:
        nonlocal works
        works += 1
        return await run(work)

    place.store.run = counted  # type: ignore[method-assign]
    await asyncio.sleep(0.1)
    began = works
    await asyncio.sleep(10_000)
    await deliveries.close()
    assert works == began <= 2


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (PlatformFault("x", status=503), True),
        (PlatformFault("x", status=501), False),
        (AwsError("SlowDown", "", 503), True),
        (AwsError("AccessDenied", "", 403), False),
        (AwsError("ExpiredToken", "", 400), True),
        (AwsError("TooManyRequestsException", "", 429), True),
        (AwsError("ValidationException", "", 400), False),
    ],
)
def test_what_may_go_well_later(error: AwsError, passing: bool) -> None:
    """Throttles, faults and expired credentials are waited out, up to six hours; nothing else is."""
    again_ms = sent_again_at_ms(error, tries=1, sent_at_ms=0, now_ms=5)
    assert again_ms == (1005 if passing else None)
    assert sent_again_at_ms(error, tries=1, sent_at_ms=0, now_ms=MAX_AGE_MS) is None


@given(st.integers(1, 10**9), st.integers(0, MAX_AGE_MS - 1), st.integers(1, 1000))
def test_waits_grow_and_end(tries: int, now: int, scale: int) -> None:
    """Between a moment and five minutes, whatever the count; a faster clock shortens the age too."""
    error = PlatformFault("away", status=503)
    again_ms = sent_again_at_ms(error, tries=tries, sent_at_ms=0, now_ms=now, time_scale=scale)
    if now >= MAX_AGE_MS / scale:
        assert again_ms is None
    else:
        assert again_ms is not None
        assert now < again_ms <= now + 300_000


@given(
    st.sampled_from([BUCKET, BUS]),
    st.text(max_size=20),
    st.builds(Delivery, st.text(), st.text(), st.text(), st.text(), st.integers(0)),
)
def test_what_is_kept_comes_back(target: str, trace: str, delivery: Delivery) -> None:
    """Through the queue's attributes."""
    record = Outgoing(b"{}", "", FUNCTION, "1", trace_header=trace, delivery=delivery)
    stored = stored_of(target, record)
    assert Stored.decode(stored.encode()) == stored
    assert json.dumps(request_of(stored, b"{}")[2], default=bytes.decode)


def test_keys_are_awss() -> None:
    """``PREFIX/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<Random UUID>``, in UTC."""
    key = object_key("aws/lambda/async/f", 1_700_000_000_000)
    assert re.fullmatch(
        r"aws/lambda/async/f/2023/11/14/2023-11-14T22\.13\.20-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        key,
    )
