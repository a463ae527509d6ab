"""Kafka's messages as functions, filters and destinations get them. Pure.

Source of the event: "Using Lambda with self-managed Apache Kafka" and "… Amazon MSK"; of reports: "Configuring
error handling controls for Kafka event sources"; of destinations: "Capturing discarded batches".
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from lambent.patterns.records import RecordFilter, read_payload
from lambent.sources.failures import reported_failures
from lambent.sources.kafka.contract import KafkaMessage
from lambent.sources.stream_failures import Piece
from lambent.sources.stream_form import timestamp
from lambent.sources.stream_settings import StreamSettings
from lambent.sources.stream_source import StreamRecord

_TIMESTAMP_TYPES: Final = {0: "CREATE_TIME", 1: "LOG_APPEND_TIME"}
_encode = msgspec.json.Encoder().encode


def make_record(message: KafkaMessage, topic: str) -> dict[str, Any]:
    """A message as it stands in the event.

    Header bytes are signed, as Java's are. Best known: a key or value that is null is left out.
    """
    record: dict[str, Any] = {
        "topic": topic,
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": message.timestamp_ms,
        "timestampType": _timestamp_type(message),
    }
    if message.key is not None:
        record["key"] = base64.b64encode(message.key).decode()
    if message.value is not None:
        record["value"] = base64.b64encode(message.value).decode()
    record["headers"] = [
        {name: [byte - 256 if byte > 127 else byte for byte in value]}
        for name, value in message.headers
    ]
    return record


def stream_record(
    message: KafkaMessage, topic: str, keeps: RecordFilter, now_s: float
) -> StreamRecord:
    """A message for the worker. One without a time has just arrived: ``now_s``."""
    record = make_record(message, topic)
    wanted = True
    if keeps.filters:
        fields = {name: value for name, value in record.items() if name != "value"}
        if message.key is not None:  # best known: AWS's page shows filters on the value only
            fields["key"] = read_payload(message.key)[0]
        wanted = keeps.keeps(fields, message.value or b"")
    return StreamRecord(
        message.offset,
        str(message.offset),
        "",
        message.timestamp_ms / 1000 if message.timestamp_ms >= 0 else now_s,
        _encode(record) if wanted else b"",
        wanted,
    )


class KafkaForm:
    """Is a :class:`~lambent.sources.stream_form.StreamForm`. Its shards' names are ``topic-partition``.

    ``arn`` is the cluster's, "" for a self-managed one.
    """

    retries_apart = True
    drops_too_large = True
    has_iterator_age = False

    def __init__(self, topic: str, bootstrap_servers: Sequence[str], arn: str = "") -> None:
        self._topic = topic
        self._servers = ",".join(bootstrap_servers)
        self._arn = arn
        head = {"eventSource": "aws:kafka" if arn else "SelfManagedKafka"}
        if arn:
            head["eventSourceArn"] = arn
        self._head = _encode({**head, "bootstrapServers": self._servers})[:-1] + b',"records":{"'
        self.frame_bytes = len(self._head) + len(f'{topic}-2147483647":[]}}}}')

    def event(self, shard_id: str, records: Sequence[StreamRecord]) -> bytes:
        """See the protocol: ``{…, "records": {"topic-0": […]}}``."""
        body = b",".join(record.record for record in records)
        return self._head + shard_id.encode() + b'":[' + body + b"]}}"

    def reported(
        self, shard_id: str, answer: bytes, known: Collection[str]
    ) -> frozenset[str] | None:
        """See the protocol. AWS: the whole batch failed with anything that is not of it."""
        return reported_failures(answer, known, lambda failure: _offset(failure, shard_id))

    def batch_info(
        self, piece: Piece, settings: StreamSettings, shard_id: str
    ) -> tuple[str, dict[str, Any]]:
        """See the protocol."""
        info: dict[str, Any] = {"batchSize": len(piece.records)}
        if settings.stream_arn:
            info["eventSourceArn"] = settings.stream_arn
        info["bootstrapServers"] = self._servers
        info["payloadSize"] = len(self.event(shard_id, piece.records))
        first, last = piece.records[0], piece.records[-1]
        info["recordsInfo"] = {
            shard_id: {
                "firstRecordOffset": first.sequence_number,
                "lastRecordOffset": last.sequence_number,
                "firstRecordTimestamp": timestamp(first.arrived_s),
                "lastRecordTimestamp": timestamp(last.arrived_s),
            }
        }
        return "KafkaBatchInfo", info


def _offset(failure: Any, shard_id: str) -> str:
    """The offset in ``{"itemIdentifier": {"partition": "topic-0", "offset": 100}}``; "" for anything else."""
    identifier = failure.get("itemIdentifier") if isinstance(failure, Mapping) else None
    if not isinstance(identifier, Mapping) or identifier.get("partition") != shard_id:
        return ""
    offset = identifier.get("offset")
    return str(offset) if isinstance(offset, int) and not isinstance(offset, bool) else ""


def _timestamp_type(message: KafkaMessage) -> str:
    """Best known: the third name is the Java client's."""
    if message.timestamp_type is None or message.timestamp_ms < 0:
        return "NO_TIMESTAMP_TYPE"
    return _TIMESTAMP_TYPES.get(message.timestamp_type, "NO_TIMESTAMP_TYPE")
