"""Kinesis data streams as an event source: the stream through the AWS API, its records as functions get them.

Source: "Using Lambda to process records from Amazon Kinesis Data Streams" for the event.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from lambent.model.errors import PlatformFault
from lambent.model.event_source_mapping import EventSourceMapping
from lambent.patterns import records
from lambent.sources.contract import AwsApi
from lambent.sources.filter import filter_of
from lambent.sources.stream_source import (
    Fetched,
    Position,
    PositionKind,
    ShardInfo,
    StreamFacts,
    StreamRecord,
)

MAX_FETCH: Final = 10_000
"""AWS: records of one GetRecords."""
_MAX_PAGES: Final = 100
_encode = msgspec.json.Encoder().encode


def stream_name(arn: str) -> str:
    """The name in ``arn:aws:kinesis:REGION:ACCOUNT:stream/NAME``."""
    return arn.split(":stream/", 1)[-1]


async def describe_stream(api: AwsApi, arn: str, account_id: str, region: str) -> Mapping[str, Any]:
    """Raises AwsError as DescribeStream does, 503 when the endpoint answers something else.

    There is nothing of it that validation needs.
    """
    answer = await api.call(
        "kinesis",
        "DescribeStream",
        {"StreamName": stream_name(arn), "Limit": 1},
        account_id=account_id,
        region=region,
    )
    if not answer.get("StreamDescription"):
        raise PlatformFault(f"{arn} is not described by what serves it.", status=503)
    return {}


class KinesisStream:
    """Is a :class:`~lambent.sources.stream_source.StreamSource`. ``role`` is shown in the records."""

    max_fetch = MAX_FETCH
    from_time = True

    def __init__(self, mapping: EventSourceMapping, api: AwsApi, role: Callable[[], str]) -> None:
        self._api = api
        self._account_id = mapping.account_id
        self._region = mapping.region
        self._arn = mapping.event_source_arn or ""
        self._name = stream_name(self._arn)
        self._role = role
        self._filter = filter_of(mapping.document, records.KINESIS)

    async def shards(self) -> list[ShardInfo]:
        """See the protocol."""
        found: list[ShardInfo] = []
        parameters: dict[str, Any] = {"StreamName": self._name}
        for _ in range(_MAX_PAGES):
            answer = await self._call("ListShards", parameters)
            found += [_shard_info(shown) for shown in answer.get("Shards") or ()]
            token = answer.get("NextToken")
            if not token:
                return found
            parameters = {"NextToken": token}
        raise PlatformFault(f"{self._arn} lists more shards than can be read.", status=503)

    async def facts(self) -> StreamFacts:
        """See the protocol."""
        answer = await self._call("DescribeStream", {"StreamName": self._name, "Limit": 1})
        described: Mapping[str, Any] = answer["StreamDescription"]
        hours = described.get("RetentionPeriodHours") or 24
        return StreamFacts(hours * 3600.0, str(described.get("StreamCreationTimestamp", "")))

    async def iterator(self, shard_id: str, position: Position) -> str:
        """See the protocol."""
        parameters: dict[str, Any] = {
            "StreamName": self._name,
            "ShardId": shard_id,
            "ShardIteratorType": position.kind.value,
        }
        if position.kind is PositionKind.AT_TIMESTAMP:
            parameters["Timestamp"] = datetime.fromtimestamp(float(position.value), UTC)
        elif position.value:
            parameters["StartingSequenceNumber"] = position.value
        answer = await self._call("GetShardIterator", parameters)
        iterator: str = answer["ShardIterator"]
        return iterator

    async def fetch(self, shard_id: str, iterator: str, limit: int) -> Fetched:
        """See the protocol."""
        answer = await self._call("GetRecords", {"ShardIterator": iterator, "Limit": limit})
        role = self._role() if answer["Records"] else ""
        found = tuple(self._record(shard_id, shown, role) for shown in answer["Records"])
        behind_ms = answer.get("MillisBehindLatest")
        return Fetched(found, answer.get("NextShardIterator") or None, behind_ms)

    def _record(self, shard_id: str, shown: Mapping[str, Any], role: str) -> StreamRecord:
        document = make_record(shown, shard_id, self._arn, role)
        wanted = True
        if self._filter.filters:
            fields = {name: value for name, value in document["kinesis"].items() if name != "data"}
            wanted = self._filter.keeps(fields, shown["Data"])
        number: str = shown["SequenceNumber"]
        return StreamRecord(
            int(number),
            number,
            shown["PartitionKey"],
            document["kinesis"]["approximateArrivalTimestamp"],
            _encode(document) if wanted else b"",
            wanted,
        )

    async def _call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._api.call(
            "kinesis", operation, parameters, account_id=self._account_id, region=self._region
        )


def make_record(shown: Mapping[str, Any], shard_id: str, arn: str, role: str) -> dict[str, Any]:
    """A record as it stands in the event's ``Records``."""
    kinesis: dict[str, Any] = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": shown["PartitionKey"],
        "sequenceNumber": shown["SequenceNumber"],
        "data": base64.b64encode(shown["Data"]).decode(),
        "approximateArrivalTimestamp": round(shown["ApproximateArrivalTimestamp"].timestamp(), 3),
    }
    if shown.get("EncryptionType") not in {None, "NONE"}:
        kinesis["encryptionType"] = shown["EncryptionType"]
    return {
        "kinesis": kinesis,
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{shown['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role,
        "awsRegion": arn.split(":")[3],
        "eventSourceARN": arn,
    }


def _shard_info(shown: Mapping[str, Any]) -> ShardInfo:
    parents = (shown.get("ParentShardId"), shown.get("AdjacentParentShardId"))
    closed = bool((shown.get("SequenceNumberRange") or {}).get("EndingSequenceNumber"))
    return ShardInfo(shown["ShardId"], tuple(each for each in parents if each), closed)
