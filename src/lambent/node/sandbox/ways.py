"""The messages by which an environment's process connects itself, written before it exists.

It only sends them (:mod:`lambent.node.zygote.network`): what a child computes copies pages it shares.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from lambent.node.linux import links
from lambent.node.linux.netlink import Message, encode

INDEX = 100
"""The interface's index inside: one that no other has, there or in the namespace between.

Before Linux 6.15 the kernel looks for the index of a new interface where the message is sent from, not where the
interface is to be, and answers "File exists". And modules of tunnels (sit, ipip) put interfaces into every
namespace, from 2 on.
"""


@cache
def loopback_only() -> Mapping[str, Any]:
    """A network of its own with nothing but loopback; the fork makes the namespace."""
    return _way(b"", 0, [links.bring_up()])


def outbound(
    lower: int, mac: bytes, address: str, gateway: str, *, ipv6: bool
) -> Mapping[str, Any]:
    """An interface of its own over ``lower``, which leads to ``gateway`` and nowhere else.

    ``ipv6``: whether this host knows it at all; the interface has no such address then either.
    """
    make, least = (
        encode(links.make_macvlan("eth0", mac, lower, INDEX, pid)) for pid in (0xFFFFFFFF, 0)
    )
    pid_at = next(at for at, byte in enumerate(make) if byte != least[at])
    return _way(make, pid_at, configuration(address, gateway, ipv6=ipv6))


def configuration(address: str, gateway: str, *, ipv6: bool) -> list[Message]:
    """Loopback, and that interface: up, with its address and the way to the gateway."""
    found = [links.bring_up()]
    if ipv6:
        found.append(links.without_ipv6_addresses(INDEX))
    # Alone in its net: whatever it sends goes to the gateway, other environments' addresses included.
    found += [
        links.bring_up(INDEX),
        links.add_address(INDEX, address, 32),
        links.add_default_route(INDEX, gateway),
    ]
    return found


def _way(make: bytes, pid_at: int, configure: list[Message]) -> Mapping[str, Any]:
    """See :class:`lambent.node.zygote.network.Way`."""
    return {
        "make": make.hex(),
        "pid_at": pid_at,
        "configure": b"".join(map(encode, configure)).hex(),
        "configure_count": len(configure),
    }
