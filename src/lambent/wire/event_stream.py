"""Messages of ``application/vnd.amazon.eventstream``: framing only, both ways.

A message is its length, the length of its headers, a checksum of both, headers, payload, and a
checksum of all before it; numbers are big endian.
Source: "Event stream encoding" of the Smithy specification.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

CONTENT_TYPE = "application/vnd.amazon.eventstream"
MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
MAX_HEADERS_BYTES = 128 * 1024
"""Source: the same page."""
_STRING = 7
_PRELUDE = struct.Struct(">II")
_CHECKSUM = struct.Struct(">I")
_OVERHEAD_BYTES = 16


class EventStreamError(ValueError):
    """Bytes that are no event stream: cut, damaged, or longer than a message may be."""


class Message(NamedTuple):
    """Headers (only strings are used by AWS here) and payload."""

    headers: Mapping[str, str]
    payload: bytes


def encode_event(event_type: str, content_type: str, payload: bytes) -> bytes:
    """An ``event`` message. Raises ValueError when the payload is over 16 MiB."""
    headers = {":event-type": event_type, ":content-type": content_type, ":message-type": "event"}
    return encode_message(Message(headers, payload))


def encode_message(message: Message) -> bytes:
    """One message. Raises ValueError when it is larger than a message may be."""
    headers = b"".join(_header(name, value) for name, value in message.headers.items())
    if len(message.payload) > MAX_PAYLOAD_BYTES or len(headers) > MAX_HEADERS_BYTES:
        raise ValueError("too large for one event stream message")
    total = _OVERHEAD_BYTES + len(headers) + len(message.payload)
    prelude = _PRELUDE.pack(total, len(headers))
    start = b"%b%b%b" % (prelude, _CHECKSUM.pack(zlib.crc32(prelude)), headers)
    checksum = zlib.crc32(message.payload, zlib.crc32(start))
    return b"%b%b%b" % (start, message.payload, _CHECKSUM.pack(checksum))


def decode_messages(data: bytes) -> Iterator[Message]:
    """The messages in ``data``, which ends with the last one's end. Raises EventStreamError."""
    at = 0
    while at < len(data):
        message, at = _decode_one(data, at)
        yield message


def _decode_one(data: bytes, at: int) -> tuple[Message, int]:
    if len(data) - at < _OVERHEAD_BYTES:
        raise EventStreamError("a message is cut")
    total, header_bytes = _PRELUDE.unpack_from(data, at)
    _check(data, at, at + 8)
    payload_bytes = total - _OVERHEAD_BYTES - header_bytes
    if payload_bytes < 0 or payload_bytes > MAX_PAYLOAD_BYTES or header_bytes > MAX_HEADERS_BYTES:
        raise EventStreamError("a message has impossible lengths")
    if len(data) - at < total:
        raise EventStreamError("a message is cut")
    _check(data, at, at + total - 4)
    start = at + 12
    headers = dict(_headers(data[start : start + header_bytes]))
    payload = data[start + header_bytes : at + total - 4]
    return Message(headers, payload), at + total


def _check(data: bytes, start: int, end: int) -> None:
    (given,) = _CHECKSUM.unpack_from(data, end)
    if zlib.crc32(data[start:end]) != given:
        raise EventStreamError("a message is damaged")


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return b"%c%b%c%b%b" % (len(key), key, _STRING, struct.pack(">H", len(text)), text)


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        value_at = name_end + 3
        if value_at > len(data) or data[name_end] != _STRING:
            raise EventStreamError("a header is no string")
        value_end = value_at + int.from_bytes(data[value_at - 2 : value_at], "big")
        if value_end > len(data):
            raise EventStreamError("a header is cut")
        try:
            yield data[at + 1 : name_end].decode(), data[value_at:value_end].decode()
        except UnicodeDecodeError as error:
            raise EventStreamError("a header is not UTF-8") from error
        at = value_end
