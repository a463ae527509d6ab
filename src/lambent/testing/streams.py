"""Streams under exact control: an AWS API of Kinesis and of DynamoDB streams, in memory.

Shards that are split and merged, trimmed, closed; iterators that expire; calls that fail. Its time is the
running loop's, counted from :data:`EPOCH_S`.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lambent.model.errors import AwsError
from lambent.model.invocation import InvocationResult

EPOCH_S = 1_700_000_000.0
_MAX_BYTES = 10_000_000


def unix_s() -> float:
    """The time it is on the running loop."""
    return EPOCH_S + asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class FakeRecord:
    """A record; ``event`` is what DynamoDB shows of it, None of a Kinesis record."""

    number: int
    key: str
    data: bytes
    arrived_s: float
    event: Mapping[str, Any] | None = None


@dataclass(slots=True)
class FakeShard:
    """A shard; records before ``trimmed`` are gone."""

    shard_id: str
    parents: tuple[str, ...] = ()
    records: list[FakeRecord] = field(default_factory=list)
    closed: bool = False
    trimmed: int = 0


class FakeStream:
    """Is a :class:`~lambent.sources.contract.AwsApi` with one stream, whatever its name."""

    def __init__(self, shards: int = 1, *, partition_key: str = "id") -> None:
        self.shards: dict[str, FakeShard] = {}
        self.calls: list[str] = []
        self.failures: dict[str, list[AwsError]] = {}
        """Operation → what its next calls raise."""
        self.iterators: dict[str, tuple[str, int]] = {}
        self.asked: list[Mapping[str, Any]] = []
        self.retention_hours = 24
        self.made_s = EPOCH_S
        self._partition_key = partition_key
        self._numbers = itertools.count(1)
        self._names = itertools.count()
        for _ in range(shards):
            self.add_shard()

    # What tests do to it

    def add_shard(self, *parents: str) -> str:
        """A shard that is open."""
        shard_id = f"shardId-{next(self._names):012d}"
        self.shards[shard_id] = FakeShard(shard_id, parents)
        return shard_id

    def put(self, key: str, data: bytes | str = b"{}", shard: int = 0, age_s: float = 0.0) -> str:
        """A Kinesis record; its sequence number."""
        payload = data.encode() if isinstance(data, str) else data
        return self._append(shard, key, payload, age_s, None)

    def put_item(self, item_id: str, shard: int = 0, **more: Any) -> str:
        """A DynamoDB record of an item that was inserted; its sequence number."""
        key = {self._partition_key: {"S": item_id}}
        return self._append(shard, item_id, b"", 0.0, {"Keys": key, "NewImage": key | more})

    def _append(
        self, shard: int, key: str, data: bytes, age_s: float, event: Mapping[str, Any] | None
    ) -> str:
        number = next(self._numbers)
        record = FakeRecord(number, key, data, unix_s() - age_s, event)
        there = list(self.shards.values())[shard]
        if there.closed:
            raise ValueError("the shard is closed")
        there.records.append(record)
        return _sequence(number)

    def close(self, shard: int) -> str:
        """Nothing more is written to it."""
        closed = list(self.shards.values())[shard]
        closed.closed = True
        return closed.shard_id

    def split(self, shard: int) -> tuple[str, str]:
        """Closes it; two children follow."""
        parent = self.close(shard)
        return self.add_shard(parent), self.add_shard(parent)

    def expire_iterators(self) -> None:
        """All that were given out."""
        self.iterators.clear()

    def make_again(self) -> None:
        """Deletes it and makes it anew under its name: sequence numbers begin again."""
        self.shards.clear()
        self.iterators.clear()
        self._numbers, self._names = itertools.count(1), itertools.count()
        self.made_s = unix_s()
        self.add_shard()

    def fail(self, operation: str, error: AwsError, times: int = 1) -> None:
        """The next calls of an operation raise."""
        self.failures.setdefault(operation, []).extend([error] * times)

    # The API

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
        del account_id, region
        self.calls.append(operation)
        await asyncio.sleep(0)
        failing = self.failures.get(operation)
        if failing:
            raise failing.pop(0)
        self.asked.append(parameters)
        dynamodb = service == "dynamodbstreams"
        if operation == "GetRecords":
            return self._get_records(parameters, dynamodb=dynamodb)
        if operation == "GetShardIterator":
            return {"ShardIterator": self._iterator(parameters)}
        if operation == "ListShards":
            return {"Shards": [_shown(shard) for shard in self.shards.values()]}
        return {"StreamDescription": self._described()}

    def _described(self) -> Mapping[str, Any]:
        return {
            "Shards": [_shown(shard) for shard in self.shards.values()],
            "RetentionPeriodHours": self.retention_hours,
            "StreamCreationTimestamp": datetime.fromtimestamp(self.made_s, UTC),
            "KeySchema": [{"AttributeName": self._partition_key, "KeyType": "HASH"}],
        }

    def _iterator(self, parameters: Mapping[str, Any]) -> str:
        shard = self.shards.get(parameters["ShardId"])
        if shard is None:
            raise AwsError("ResourceNotFoundException", "no such shard", 400)
        kind = parameters["ShardIteratorType"]
        number = parameters.get("StartingSequenceNumber") or parameters.get("SequenceNumber") or "0"
        place = shard.trimmed
        if kind == "LATEST":
            place = len(shard.records)
        elif kind == "AT_TIMESTAMP":
            since_s = parameters["Timestamp"].timestamp()
            place = sum(record.arrived_s < since_s for record in shard.records)
        elif kind != "TRIM_HORIZON":
            behind = kind == "AFTER_SEQUENCE_NUMBER"
            place = sum(record.number < int(number) + behind for record in shard.records)
        iterator = f"iterator-{len(self.calls)}"
        self.iterators[iterator] = (shard.shard_id, max(place, shard.trimmed))
        return iterator

    def _get_records(self, parameters: Mapping[str, Any], *, dynamodb: bool) -> Mapping[str, Any]:
        place = self.iterators.pop(parameters["ShardIterator"], None)
        if place is None:
            raise AwsError("ExpiredIteratorException", "Iterator expired.", 400)
        shard, start = self.shards[place[0]], place[1]
        found = shard.records[start : start + parameters["Limit"]]
        end = start + len(found)
        answer: dict[str, Any] = {
            "Records": [_dynamodb(each) if dynamodb else _kinesis(each) for each in found],
        }
        if not (shard.closed and end == len(shard.records)):
            answer["NextShardIterator"] = f"iterator-{len(self.calls)}-{shard.shard_id}"
            self.iterators[answer["NextShardIterator"]] = (shard.shard_id, end)
        if not dynamodb:
            left = shard.records[end:]
            behind_s = max(0.001, unix_s() - left[0].arrived_s) if left else 0.0
            answer["MillisBehindLatest"] = round(behind_s * 1000)
        return answer


def _sequence(number: int) -> str:
    return f"{number:021d}"


def _shown(shard: FakeShard) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "ShardId": shard.shard_id,
        "SequenceNumberRange": {"StartingSequenceNumber": "0"},
    }
    if shard.closed:
        shown["SequenceNumberRange"]["EndingSequenceNumber"] = "9"
    names = ("ParentShardId", "AdjacentParentShardId")
    return shown | dict(zip(names, shard.parents, strict=False))


def _kinesis(record: FakeRecord) -> dict[str, Any]:
    return {
        "SequenceNumber": _sequence(record.number),
        "ApproximateArrivalTimestamp": datetime.fromtimestamp(record.arrived_s, UTC),
        "Data": record.data,
        "PartitionKey": record.key,
    }


def _dynamodb(record: FakeRecord) -> dict[str, Any]:
    return {
        "eventID": f"{record.number:032x}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": datetime.fromtimestamp(int(record.arrived_s), UTC),
            "SequenceNumber": _sequence(record.number),
            "SizeBytes": 10,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **(record.event or {}),
        },
    }


Handler = Callable[[dict[str, Any]], Any]
"""An event's answer, or an awaitable of it."""


@dataclass(frozen=True, slots=True)
class Invoked:
    """One invocation: when it began (the loop's seconds), with which event."""

    at_s: float
    event: dict[str, Any]

    @property
    def data(self) -> list[str]:
        """What its records carry, by key: ``partitionKey``s, or items' ids."""
        return [_name(record) for record in self.event["Records"]]


class FakeFunctions:
    """Is a :class:`~lambent.sources.contract.Functions`. ``handler`` answers an event, or raises an AwsError.

    An answer that is no :class:`InvocationResult` is the function's, as JSON; :data:`FAILED` is its failing.
    """

    def __init__(self, handler: Handler = lambda _: None) -> None:
        self.handler = handler
        self.invoked: list[Invoked] = []
        self.running = 0

    async def invoke(
        self, function_arn: str, payload: bytes, *, trace_id: str | None = None
    ) -> InvocationResult:
        """See the protocol."""
        del function_arn, trace_id
        event = json.loads(payload)
        self.invoked.append(Invoked(asyncio.get_running_loop().time(), event))
        self.running += 1
        try:
            answer = self.handler(event)
            if isinstance(answer, Awaitable):
                answer = await answer
            else:
                await asyncio.sleep(0)
        finally:
            self.running -= 1
        if isinstance(answer, AwsError):
            raise answer
        if isinstance(answer, InvocationResult):
            return answer
        return InvocationResult(json.dumps(answer).encode(), "$LATEST")

    def room(self, function_arn: str) -> int:
        """See the protocol."""
        del function_arn
        return 1_000

    @property
    def batches(self) -> list[list[str]]:
        """What every invocation got, by key."""
        return [each.data for each in self.invoked]


FAILED = InvocationResult(b'{"errorMessage":"poison"}', "$LATEST", "Unhandled")


def _name(record: Mapping[str, Any]) -> str:
    if "kinesis" in record:
        name: str = record["kinesis"]["partitionKey"]
        return name
    (value,) = record["dynamodb"]["Keys"].values()
    text: str = value["S"]
    return text
