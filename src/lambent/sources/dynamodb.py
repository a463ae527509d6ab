"""DynamoDB streams as an event source: the stream through the AWS API, its records as functions get them.

Source: "Using AWS Lambda with Amazon DynamoDB" for the event.
"""

import base64
from collections.abc import Mapping
from datetime import datetime
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

MAX_FETCH: Final = 1_000
"""AWS: records of one GetRecords."""
RETENTION_S: Final = 24 * 3600.0
"""AWS: DynamoDB streams keep records for 24 hours."""
_MAX_PAGES: Final = 100
_SERVICE: Final = "dynamodbstreams"
_encode = msgspec.json.Encoder().encode


async def describe_stream(api: AwsApi, arn: str, account_id: str, region: str) -> Mapping[str, Any]:
    """Raises AwsError as DescribeStream does, 503 when the endpoint answers something else.

    There is nothing of it that validation needs.
    """
    parameters = {"StreamArn": arn, "Limit": 1}
    answer = await api.call(
        _SERVICE, "DescribeStream", parameters, account_id=account_id, region=region
    )
    if not answer.get("StreamDescription"):
        raise PlatformFault(f"{arn} is not described by what serves it.", status=503)
    return {}


class DynamoDbStream:
    """Is a :class:`~lambent.sources.stream_source.StreamSource`."""

    max_fetch = MAX_FETCH
    from_time = False

    def __init__(self, mapping: EventSourceMapping, api: AwsApi) -> None:
        self._api = api
        self._account_id = mapping.account_id
        self._region = mapping.region
        self._arn = mapping.event_source_arn or ""
        self._partition_key: str | None = None
        self._filter = filter_of(mapping.document, records.DYNAMODB)

    async def shards(self) -> list[ShardInfo]:
        """See the protocol."""
        found: list[ShardInfo] = []
        parameters: dict[str, Any] = {"StreamArn": self._arn}
        for _ in range(_MAX_PAGES):
            answer = await self._call("DescribeStream", parameters)
            described: Mapping[str, Any] = answer["StreamDescription"]
            for key in described.get("KeySchema") or ():
                if key.get("KeyType") == "HASH":
                    self._partition_key = key["AttributeName"]
            found += [_shard_info(shown) for shown in described.get("Shards") or ()]
            last = described.get("LastEvaluatedShardId")
            if not last:
                return found
            parameters = {"StreamArn": self._arn, "ExclusiveStartShardId": last}
        raise PlatformFault(f"{self._arn} lists more shards than can be read.", status=503)

    async def facts(self) -> StreamFacts:
        """See the protocol. Another stream of the table has another ARN."""
        return StreamFacts(RETENTION_S, "")

    async def iterator(self, shard_id: str, position: Position) -> str:
        """See the protocol. There are no iterators at a time: it begins at the horizon."""
        kind = position.kind
        if kind is PositionKind.AT_TIMESTAMP:
            kind = PositionKind.TRIM_HORIZON
        parameters: dict[str, Any] = {
            "StreamArn": self._arn,
            "ShardId": shard_id,
            "ShardIteratorType": kind.value,
        }
        if kind in {PositionKind.AT_SEQUENCE_NUMBER, PositionKind.AFTER_SEQUENCE_NUMBER}:
            parameters["SequenceNumber"] = position.value
        answer = await self._call("GetShardIterator", parameters)
        iterator: str = answer["ShardIterator"]
        return iterator

    async def fetch(self, _shard_id: str, iterator: str, limit: int) -> Fetched:
        """See the protocol. DynamoDB does not say how far behind a reader is."""
        answer = await self._call("GetRecords", {"ShardIterator": iterator, "Limit": limit})
        found = tuple(self._record(shown) for shown in answer["Records"])
        return Fetched(found, answer.get("NextShardIterator") or None)

    def _record(self, shown: Mapping[str, Any]) -> StreamRecord:
        document = make_record(shown, self._arn)
        payload: Mapping[str, Any] = document["dynamodb"]
        wanted = True
        if self._filter.filters:
            fields = {name: value for name, value in document.items() if name != "dynamodb"}
            wanted = self._filter.keeps(fields, payload)
        number: str = payload["SequenceNumber"]
        return StreamRecord(
            int(number),
            number,
            self._key(payload.get("Keys") or {}),
            float(payload.get("ApproximateCreationDateTime") or 0),
            _encode(document) if wanted else b"",
            wanted,
        )

    def _key(self, keys: Mapping[str, Any]) -> str:
        """What order is promised for: the item's partition key; all of its key where that is not told."""
        name = self._partition_key or ""
        value = keys[name] if name in keys else dict(sorted(keys.items()))
        return _encode(value).decode()

    async def _call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._api.call(
            _SERVICE, operation, parameters, account_id=self._account_id, region=self._region
        )


def make_record(shown: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """A record as it stands in the event's ``Records``: times as whole seconds, bytes in base64."""
    record: dict[str, Any] = {
        "eventID": shown["eventID"],
        "eventName": shown["eventName"],
        "eventVersion": shown.get("eventVersion") or "1.1",
        "eventSource": shown.get("eventSource") or "aws:dynamodb",
        "awsRegion": shown.get("awsRegion") or arn.split(":")[3],
        "dynamodb": _plain(shown["dynamodb"]),
        "eventSourceARN": arn,
    }
    identity = shown.get("userIdentity")
    if identity:
        # AWS: expired items; botocore's names begin with capitals, the event's do not.
        record["userIdentity"] = {
            "principalId": identity.get("PrincipalId"),
            "type": identity.get("Type"),
        }
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items() if member is not None}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(member) for member in value]
    return value


def _shard_info(shown: Mapping[str, Any]) -> ShardInfo:
    parent = shown.get("ParentShardId")
    closed = bool((shown.get("SequenceNumberRange") or {}).get("EndingSequenceNumber"))
    return ShardInfo(shown["ShardId"], (parent,) if parent else (), closed)
