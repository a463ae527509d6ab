"""Netlink: the codec of its messages (pure), and a socket that sends some and waits for each answer.

Source: ``linux/netlink.h``; RFC 3549. Numbers are the host's byte order unless a protocol says otherwise.
"""

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
NLA_F_NESTED = 0x8000
_NLA_TYPE_MASK = 0x3FFF
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_RECEIVE_BYTES = 1 << 18
_DEADLINE_S = 5.0


class Message(NamedTuple):
    """One message: ``kind`` is nlmsg_type; ``payload`` all that follows the header."""

    kind: int
    flags: int
    payload: bytes
    sequence: int = 0


def _padding(length: int) -> bytes:
    return bytes(-length % 4)


def attribute(kind: int, value: "bytes | int | str") -> bytes:
    """One attribute: an int is 32 bits wide, a text ends with a zero byte."""
    if isinstance(value, int):
        value = struct.pack("=I", value)
    elif isinstance(value, str):
        value = value.encode() + b"\0"
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + _padding(len(value))


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def encode(message: Message) -> bytes:
    """The message as it goes over the socket, padded."""
    header = _HEADER.pack(
        16 + len(message.payload), message.kind, message.flags, message.sequence, 0
    )
    return header + message.payload + _padding(len(message.payload))


def decode(data: bytes) -> "Iterator[Message]":
    """The messages in one datagram. Raises ValueError where a length leads outside of it."""
    at = 0
    while at + 16 <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
        if length < 16 or at + length > len(data):
            raise ValueError(f"a netlink message of {length} bytes at {at} of {len(data)}")
        yield Message(kind, flags, data[at + 16 : at + length], sequence)
        at += length + -length % 4


def attributes(data: bytes) -> "Iterator[tuple[int, bytes]]":
    """Kind and value of each attribute. Raises ValueError where a length leads outside."""
    at = 0
    while at + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 4 or at + length > len(data):
            raise ValueError(f"a netlink attribute of {length} bytes at {at} of {len(data)}")
        yield kind & _NLA_TYPE_MASK, data[at + 4 : at + length]
        at += length + -length % 4


class Netlink:
    """A netlink socket of the network namespace it was opened in, wherever its user goes afterwards.

    ``opened``: one that another process has opened there, to be owned.
    """

    def __init__(self, protocol: int, opened: "socket.socket | None" = None) -> None:
        self._socket = opened or socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._socket.bind((0, 0))
        self._socket.settimeout(_DEADLINE_S)
        self._sequence = 0

    def request(self, what: str, messages: "Sequence[Message]") -> None:
        """Sends them in one datagram and waits for an acknowledgement of each that asks for one.

        Raises OSError with ``what`` and the kernel's errno for the first that failed.
        """
        waiting = self._send(messages)
        while waiting:
            for answer in decode(self._socket.recv(_RECEIVE_BYTES)):
                if answer.kind != _NLMSG_ERROR:
                    continue
                number = -struct.unpack_from("=i", answer.payload)[0]
                if number:
                    raise OSError(number, f"{what}: {os.strerror(number)}")
                waiting.discard(answer.sequence)

    def dump(self, what: str, message: Message) -> "list[Message]":
        """Everything the kernel lists in answer. Raises OSError."""
        self._send([message._replace(flags=NLM_F_REQUEST | NLM_F_DUMP)])
        found: list[Message] = []
        while True:
            for answer in decode(self._socket.recv(_RECEIVE_BYTES)):
                if answer.sequence != self._sequence:
                    continue
                if answer.kind == _NLMSG_ERROR:
                    number = -struct.unpack_from("=i", answer.payload)[0]
                    raise OSError(number, f"{what}: {os.strerror(number)}")
                if answer.kind == _NLMSG_DONE:
                    return found
                found.append(answer)

    def _send(self, messages: "Sequence[Message]") -> "set[int]":
        parts, waiting = [], set()
        for message in messages:
            self._sequence += 1
            if message.flags & NLM_F_ACK:
                waiting.add(self._sequence)
            parts.append(encode(message._replace(sequence=self._sequence)))
        self._socket.send(b"".join(parts))
        return waiting

    def close(self) -> None:
        """Closes the socket; what it owns in the kernel (tables of nf_tables) goes with it."""
        self._socket.close()
