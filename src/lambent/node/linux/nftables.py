"""Packet filter and NAT, as nf_tables messages: a table, its chains, and rules made of expressions.

A table here has an owner: the netlink socket that made it. When that is closed, or its process dies in whatever
way, the kernel removes the table with everything in it (Linux 5.12).

Source: ``linux/netfilter/nf_tables.h``. Unlike rtnetlink's, these numbers are big-endian; what rules compare is
as it is in the packet, or in the kernel.
"""

import socket
import struct
from collections.abc import Sequence

from lambent.node.linux.netlink import (
    NLM_F_ACK,
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_REQUEST,
    Message,
    attribute,
    attributes,
    nested,
)

PREROUTING, INPUT, FORWARD, POSTROUTING = 0, 1, 2, 4
BEFORE_NAT, FILTER, SOURCE_NAT = -150, 0, 100
"""Priorities: earlier than destination NAT, the filter's own, source NAT's."""
ESTABLISHED_OR_RELATED, NEW = 2 | 4, 8
_STATUS_DNAT = 1 << 5

_SUBSYSTEM = 10 << 8
_NEWTABLE, _NEWCHAIN, _GETCHAIN, _NEWRULE = 0, 3, 4, 6
_DROP, _ACCEPT = 0, 1
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_FAMILY_INET = 1
_OWNER = 2
_REGISTER, _VERDICT_REGISTER = 1, 0
_EQUAL, _NOT_EQUAL = 0, 1
_META_IIF, _META_IIFNAME, _META_OIFNAME, _META_NFPROTO, _META_L4PROTO = 4, 6, 7, 15, 16
_CT_STATE, _CT_STATUS = 0, 2
_FIB_BY_DESTINATION, _FIB_ADDRESS_TYPE, _UNICAST = 2, 3, 1
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_REJECT_ICMPX, _ADMIN_PROHIBITED = 2, 3


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def _message(kind: int, payload: bytes, flags: int = 0) -> Message:
    head = struct.pack(">BBH", _FAMILY_INET, 0, 0)
    flags |= NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE
    return Message(_SUBSYSTEM | kind, flags, head + payload)


def batch(messages: "Sequence[Message]") -> "list[Message]":
    """One transaction: all of it or nothing."""
    mark = struct.pack(">BBH", 0, 0, _SUBSYSTEM >> 8)
    begin = Message(_BATCH_BEGIN, NLM_F_REQUEST, mark)
    return [begin, *messages, Message(_BATCH_END, NLM_F_REQUEST, mark)]


def owned_table(name: str) -> Message:
    """A table for IPv4 and IPv6 that lives as long as the socket it is made over."""
    return _message(_NEWTABLE, attribute(1, name) + _number(2, _OWNER))


def chain(table: str, name: str, kind: str, hook: int, priority: int) -> Message:
    """A chain at a hook; what no rule decides goes on its way. ``kind``: ``filter`` or ``nat``."""
    place = nested(4, _number(1, hook), _number(2, priority))
    names = attribute(1, table) + attribute(3, name)
    return _message(_NEWCHAIN, names + place + _number(5, 1) + attribute(7, kind))


def list_chains() -> Message:
    """Asks for every chain of every table; see :func:`drops_forwarded`."""
    return Message(_SUBSYSTEM | _GETCHAIN, 0, bytes(4))


def drops_forwarded(message: Message) -> "str | None":
    """``table chain`` when a chain of the list drops forwarded IPv4 packets that its rules do not know."""
    family, found = message.payload[0], dict(attributes(message.payload[4:]))
    hook = dict(attributes(found.get(4, b"")))
    policy = found.get(5, struct.pack(">I", _ACCEPT))
    if family not in (_FAMILY_INET, socket.AF_INET) or hook.get(1) != struct.pack(">I", FORWARD):
        return None
    if struct.unpack(">I", policy)[0] != _DROP:
        return None
    return " ".join(found.get(k, b"").rstrip(b"\0").decode(errors="replace") for k in (1, 3))


def rule(table: str, chain_name: str, *expressions: bytes) -> Message:
    """A rule: tests, then a verdict."""
    listed = nested(4, *expressions)
    names = attribute(1, table) + attribute(2, chain_name)
    return _message(_NEWRULE, names + listed, NLM_F_APPEND)


def _expression(name: str, *attributes: bytes) -> bytes:
    return nested(1, attribute(1, name), nested(2, *attributes))


def _compare(value: bytes, how: int = _EQUAL) -> bytes:
    data = nested(3, attribute(1, value))
    return _expression("cmp", _number(1, _REGISTER), _number(2, how), data)


def _meta(key: int) -> bytes:
    return _expression("meta", _number(1, _REGISTER), _number(2, key))


def _masked(mask: bytes) -> bytes:
    return _expression(
        "bitwise",
        _number(1, _REGISTER),
        _number(2, _REGISTER),
        _number(3, len(mask)),
        nested(4, attribute(1, mask)),
        nested(5, attribute(1, bytes(len(mask)))),
    )


def _payload(header: int, offset: int, length: int) -> bytes:
    where = (_number(2, header), _number(3, offset), _number(4, length))
    return _expression("payload", _number(1, _REGISTER), *where)


def comes_in_by(index: int) -> bytes:
    """The packet came in by the interface of that index."""
    return _meta(_META_IIF) + _compare(struct.pack("=I", index))


def comes_in_by_name(name: str) -> bytes:
    """The packet came in by the interface of that name."""
    return _meta(_META_IIFNAME) + _compare(name.encode().ljust(16, b"\0"))


def goes_out_by(name_start: str, *, unless: bool = False) -> bytes:
    """The packet leaves by an interface whose name begins so (``unless``: by any other)."""
    how = _NOT_EQUAL if unless else _EQUAL
    return _meta(_META_OIFNAME) + _compare(name_start.encode(), how)


def is_not_ipv4() -> bytes:
    """The packet is of another family."""
    return _meta(_META_NFPROTO) + _compare(bytes([socket.AF_INET]), _NOT_EQUAL)


def is_ipv4() -> bytes:
    """The packet is IPv4: to be said before its addresses are looked at."""
    return _meta(_META_NFPROTO) + _compare(bytes([socket.AF_INET]))


def _address_in(offset: int, network: str) -> bytes:
    address, _, length = network.partition("/")
    bits = int(length or 32)
    mask = ((1 << 32) - (1 << (32 - bits))).to_bytes(4, "big")
    value = bytes(a & b for a, b in zip(socket.inet_aton(address), mask, strict=True))
    return _payload(_NETWORK_HEADER, offset, 4) + _masked(mask) + _compare(value)


def source_in(network: str) -> bytes:
    """The IPv4 source address is in that network."""
    return _address_in(12, network)


def destination_in(network: str) -> bytes:
    """The IPv4 destination address is in that network."""
    return _address_in(16, network)


def to_port(protocol: int, port: int) -> bytes:
    """TCP (6) or UDP (17) to that port."""
    transport = _meta(_META_L4PROTO) + _compare(bytes([protocol]))
    return transport + _payload(_TRANSPORT_HEADER, 2, 2) + _compare(struct.pack(">H", port))


def destination_is_not_elsewhere() -> bytes:
    """The destination is this host's own address, or a broadcast or multicast one."""
    kind = _expression(
        "fib", _number(1, _REGISTER), _number(2, _FIB_ADDRESS_TYPE), _number(3, _FIB_BY_DESTINATION)
    )
    return kind + _compare(struct.pack("=I", _UNICAST), _NOT_EQUAL)


def _connection(key: int, mask: int, how: int) -> bytes:
    load = _expression("ct", _number(1, _REGISTER), _number(2, key))
    return load + _masked(struct.pack("=I", mask)) + _compare(bytes(4), how)


def connection_is(states: int) -> bytes:
    """The packet's connection is in one of these states."""
    return _connection(_CT_STATE, states, _NOT_EQUAL)


def is_not_redirected() -> bytes:
    """Nobody changed the connection's destination."""
    return _connection(_CT_STATUS, _STATUS_DNAT, _EQUAL)


def _verdict(code: int) -> bytes:
    data = nested(2, nested(2, _number(1, code)))
    return _expression("immediate", _number(1, _VERDICT_REGISTER), data)


def accept() -> bytes:
    """It may pass this chain."""
    return _verdict(_ACCEPT)


def drop() -> bytes:
    """It is gone, without a word."""
    return _verdict(_DROP)


def reject() -> bytes:
    """It is gone, and its sender is told: administratively prohibited."""
    return _expression(
        "reject", _number(1, _REJECT_ICMPX), attribute(2, bytes([_ADMIN_PROHIBITED]))
    )


def masquerade() -> bytes:
    """Source NAT to the address of the interface it leaves by."""
    return _expression("masq")
