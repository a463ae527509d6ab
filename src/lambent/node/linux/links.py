"""Network interfaces, addresses and routes, as rtnetlink messages; and what the kernel lists of them.

Source: ``linux/rtnetlink.h``, ``linux/if_link.h``.
"""

import ipaddress
import socket
import struct
from typing import NamedTuple

from lambent.node.linux.netlink import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    Message,
    attribute,
    attributes,
    nested,
)

_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK = 16, 17, 18
_RTM_NEWADDR, _RTM_NEWROUTE, _RTM_GETROUTE = 20, 24, 26
_IFF_UP = 1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_LINK, _IFLA_LINKINFO, _IFLA_AF_SPEC = 1, 3, 5, 18, 26
_IFLA_MTU = 4
_IFLA_NET_NS_PID, _IFLA_NET_NS_FD = 19, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFLA_MACVLAN_MODE, _MACVLAN_MODE_PRIVATE = 1, 1
_IFLA_INET6_ADDR_GEN_MODE, _ADDR_GEN_MODE_NONE = 8, 1
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_RT_TABLE_MAIN, _RTPROT_BOOT, _RTN_UNICAST, _RTNH_F_ONLINK = 254, 3, 1, 4
_LOOPBACK_INDEX = 1
"""The first interface of every namespace."""

_NEW = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
_CHANGE = NLM_F_REQUEST | NLM_F_ACK


class Link(NamedTuple):
    """An interface: its index (which tuples have a method for) and name."""

    number: int
    name: str


def _interface(index: int = 0, flags: int = 0) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, flags, flags)


def make_veth(name: str, mac: bytes, peer: str, peer_namespace: int) -> Message:
    """A pair: ``name`` here, ``peer`` in the network namespace of that descriptor. Both down."""
    other = (
        _interface() + attribute(_IFLA_IFNAME, peer) + attribute(_IFLA_NET_NS_FD, peer_namespace)
    )
    info = nested(
        _IFLA_LINKINFO,
        attribute(_IFLA_INFO_KIND, b"veth"),
        nested(_IFLA_INFO_DATA, attribute(_VETH_INFO_PEER | 0x8000, other)),
    )
    names = attribute(_IFLA_IFNAME, name) + attribute(_IFLA_ADDRESS, mac)
    return Message(_RTM_NEWLINK, _NEW, _interface() + names + info)


def make_macvlan(name: str, mac: bytes, lower: int, index: int, pid: int) -> Message:
    """An interface over ``lower``, with that index and name in the network namespace of ``pid``. Down.

    Private: it exchanges nothing with others over the same interface.
    """
    info = nested(
        _IFLA_LINKINFO,
        attribute(_IFLA_INFO_KIND, b"macvlan"),
        nested(_IFLA_INFO_DATA, attribute(_IFLA_MACVLAN_MODE, _MACVLAN_MODE_PRIVATE)),
    )
    rest = (
        attribute(_IFLA_IFNAME, name)
        + attribute(_IFLA_ADDRESS, mac)
        + attribute(_IFLA_LINK, lower)
        + attribute(_IFLA_NET_NS_PID, pid)
    )
    return Message(_RTM_NEWLINK, _NEW, _interface(index) + rest + info)


def without_ipv6_addresses(index: int) -> Message:
    """The interface gives itself no IPv6 address when it comes up. Fails where there is no IPv6."""
    mode = attribute(_IFLA_INET6_ADDR_GEN_MODE, bytes([_ADDR_GEN_MODE_NONE]))
    family = nested(_IFLA_AF_SPEC, nested(socket.AF_INET6, mode))
    return Message(_RTM_NEWLINK, _CHANGE, _interface(index) + family)


def resize(index: int, mtu_bytes: int) -> Message:
    """How large its packets may be; what is made over it later is the same."""
    return Message(_RTM_NEWLINK, _CHANGE, _interface(index) + attribute(_IFLA_MTU, mtu_bytes))


def bring_up(index: int = _LOOPBACK_INDEX) -> Message:
    """The interface (loopback) comes up."""
    return Message(_RTM_NEWLINK, _CHANGE, _interface(index, _IFF_UP))


def delete_link(index: int) -> Message:
    """The interface goes, and the other end of a pair with it."""
    return Message(_RTM_DELLINK, _CHANGE, _interface(index))


def add_address(index: int, address: str, prefix_length: int) -> Message:
    """An IPv4 address of the interface, with its network."""
    raw = ipaddress.IPv4Address(address).packed
    head = struct.pack("=BBBBi", socket.AF_INET, prefix_length, 0, 0, index)
    return Message(_RTM_NEWADDR, _NEW, head + attribute(1, raw) + attribute(2, raw))


def add_default_route(index: int, gateway: str) -> Message:
    """Everything without a nearer route goes there; the gateway is on the link, whatever the address says."""
    head = struct.pack(
        "=BBBBBBBBI",
        socket.AF_INET,
        0,
        0,
        0,
        _RT_TABLE_MAIN,
        _RTPROT_BOOT,
        0,
        _RTN_UNICAST,
        _RTNH_F_ONLINK,
    )
    raw = ipaddress.IPv4Address(gateway).packed
    return Message(
        _RTM_NEWROUTE, _NEW, head + attribute(_RTA_OIF, index) + attribute(_RTA_GATEWAY, raw)
    )


def list_links() -> Message:
    """Asks for every interface; see :func:`parse_link`."""
    return Message(_RTM_GETLINK, 0, _interface())


def parse_link(message: Message) -> Link:
    """One interface of the list."""
    index = struct.unpack_from("=i", message.payload, 4)[0]
    names = dict(attributes(message.payload[16:]))
    return Link(index, names.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode(errors="replace"))


def list_routes() -> Message:
    """Asks for every IPv4 route, of every table; see :func:`parse_route`."""
    return Message(_RTM_GETROUTE, 0, struct.pack("=BBBBBBBBI", socket.AF_INET, *bytes(7), 0))


def parse_route(message: Message) -> "ipaddress.IPv4Network | None":
    """Where a route of the list leads; None for the default route."""
    length = message.payload[1]
    raw = dict(attributes(message.payload[12:])).get(_RTA_DST)
    if length == 0 or raw is None or len(raw) != 4:
        return None
    return ipaddress.IPv4Network((raw, length), strict=False)
