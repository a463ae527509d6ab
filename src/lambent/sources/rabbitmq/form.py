"""RabbitMQ's messages as functions and filters get them. Pure.

Source: the example event of "Using Lambda with Amazon MQ", "RabbitMQ record example". Its forms are those of
Java's client put into JSON: strings of headers are objects with their bytes, bytes are signed, times are in words.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from lambent.patterns.records import RecordFilter
from lambent.sources.rabbitmq.contract import RabbitMessage

_MAX_DEPTH: Final = 32
"""POLICY: of tables within tables in headers."""
_encode = msgspec.json.Encoder().encode


def make_record(message: RabbitMessage) -> dict[str, Any]:
    """A message as it stands in the event."""
    properties = message.properties
    return {
        "basicProperties": {
            "contentType": properties.content_type,
            "contentEncoding": properties.content_encoding,
            "headers": {name: header(value) for name, value in properties.headers.items()},
            "deliveryMode": properties.delivery_mode,
            "priority": properties.priority,
            "correlationId": properties.correlation_id,
            "replyTo": properties.reply_to,
            "expiration": properties.expiration,
            "messageId": properties.message_id,
            "timestamp": None if properties.timestamp is None else in_words(properties.timestamp),
            "type": properties.message_type,
            "userId": properties.user_id,
            "appId": properties.app_id,
            "clusterId": properties.cluster_id,
            "bodySize": len(message.body),
        },
        "redelivered": message.redelivered,
        "data": base64.b64encode(message.body).decode(),
    }


def encoded(message: RabbitMessage, keeps: RecordFilter) -> bytes | None:
    """A message's JSON; None for one that no filter keeps."""
    record = make_record(message)
    if keeps.filters:
        fields = {name: value for name, value in record.items() if name != "data"}
        if not keeps.keeps(fields, message.body):
            return None
    return _encode(record)


def header(value: Any, depth: int = 0) -> Any:
    """A header's value. Best known, but for strings and numbers: AWS's example has only those."""
    shown: Any = None
    match value:
        case str():
            shown = {"bytes": _signed(value.encode(errors="surrogateescape"))}
        case bytes():
            shown = {"bytes": _signed(value)}
        case bytearray():
            shown = _signed(bytes(value))
        case bool() | int() | float():
            shown = value
        case Decimal() if value.is_finite():
            shown = float(value)
        case datetime():
            shown = in_words(value)
        case _ if depth < _MAX_DEPTH:
            shown = _nested(value, depth + 1)
    return shown


def _nested(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {str(name): header(each, depth) for name, each in value.items()}
    return [header(each, depth) for each in value] if isinstance(value, list | tuple) else None


def in_words(when: datetime) -> str:
    """``Jan 1, 1970, 12:33:41 AM``, in UTC."""
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    month = _MONTHS[when.month - 1]
    half = "AM" if when.hour < 12 else "PM"
    return f"{month} {when.day}, {when.year}, {when.hour % 12 or 12}:{when:%M:%S} {half}"


class RabbitForm:
    """The event of a queue's batches: ``{…, "rmqMessagesByQueue": {"queue::/": […]}}``."""

    def __init__(self, arn: str, queue: str, virtual_host: str) -> None:
        place = _encode(f"{queue}::{virtual_host}")
        head = _encode({"eventSource": "aws:rmq", "eventSourceArn": arn})[:-1]
        self._head = head + b',"rmqMessagesByQueue":{' + place + b":["
        self.frame_bytes = len(self._head) + len(b"]}}")

    def event(self, records: Sequence[bytes]) -> bytes:
        """Of encoded records."""
        return self._head + b",".join(records) + b"]}}"


_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def _signed(data: bytes) -> list[int]:
    return [byte - 256 if byte > 127 else byte for byte in data]
