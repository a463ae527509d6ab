"""Which addresses are a host's own, by its routing table; and how another namespace is kept from them.

Source: ``linux/rtnetlink.h``.
"""

import ipaddress
import socket
import struct

from lambent.node.linux.netlink import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    Message,
    attribute,
)

_RTM_NEWROUTE, _RTM_DELROUTE = 24, 25
_RTA_DST, _RT_TABLE_MAIN, _RTPROT_BOOT = 1, 254, 3
_RTN_LOCAL, _RTN_BROADCAST, _RTN_ANYCAST, _RTN_PROHIBIT = 2, 3, 4, 8
_OWN = frozenset({_RTN_LOCAL, _RTN_BROADCAST, _RTN_ANYCAST})
_TYPE_AT = 7
CHANGES = 0x40
"""RTMGRP_IPV4_ROUTE: the group that hears of every IPv4 route that comes or goes, of an address's too."""


def is_own(message: Message) -> bool:
    """Whether a route of the list (:func:`lambent.node.linux.links.list_routes`) leads to the host itself."""
    return message.payload[_TYPE_AT] in _OWN


def prohibit(network: ipaddress.IPv4Network) -> Message:
    """What is sent there is refused: administratively prohibited."""
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE
    return Message(_RTM_NEWROUTE, flags, _prohibition(network))


def permit(network: ipaddress.IPv4Network) -> Message:
    """Takes :func:`prohibit` back."""
    return Message(_RTM_DELROUTE, NLM_F_REQUEST | NLM_F_ACK, _prohibition(network))


def _prohibition(network: ipaddress.IPv4Network) -> bytes:
    head = struct.pack(
        "=BBBBBBBBI",
        socket.AF_INET,
        network.prefixlen,
        0,
        0,
        _RT_TABLE_MAIN,
        _RTPROT_BOOT,
        0,
        _RTN_PROHIBIT,
        0,
    )
    return head + attribute(_RTA_DST, network.network_address.packed)
