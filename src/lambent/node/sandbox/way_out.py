"""What every network with a way out gives to the environments of a platform, whoever leads it to the outside."""

import os
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from lambent.node.linux import links
from lambent.node.linux.netlink import Message, Netlink
from lambent.node.sandbox import ways
from lambent.node.sandbox.addresses import AddressPool, mac_of
from lambent.node.sandbox.resolver import Resolver

LOWER = "low0"
"""The interface, in the namespace between, over which environments make theirs."""


class WayOut:
    """A namespace between host and environments, and the addresses that are lent there."""

    def __init__(self) -> None:
        self.namespace = -1
        """The network namespace between: zygotes live in it."""
        self.resolver = Resolver("", ())
        self.notices: list[str] = []
        """What stands in the way of functions, in words for an operator."""
        self._lower = self._index = 0
        self._subnet = ""
        self._pool: AddressPool

    @property
    def namespaces(self) -> Sequence[int]:
        """What a zygote enters, in this order, by descriptor."""
        return (self.namespace,)

    def take(self) -> str:
        """An address for an environment. Raises LookupError when all are lent."""
        return self._pool.take()

    def give_back(self, address: str) -> None:
        """The address of an environment that is gone."""
        self._pool.give_back(address)

    def setup(self, address: str) -> Mapping[str, Any]:
        """What a child needs to know to connect itself; see :mod:`lambent.node.zygote.network`."""
        gateway = self._pool.gateway
        return ways.outbound(self._lower, mac_of(address), address, gateway, ipv6=knows_ipv6())

    def interface(self, address: str, thread: int) -> Message:
        """Makes the interface with that address in the network of a thread; to be sent from between."""
        return links.make_macvlan("eth0", mac_of(address), self._lower, ways.INDEX, thread)

    def configuration(self, address: str) -> list[Message]:
        """What makes it one that works; to be sent where it is."""
        return ways.configuration(address, self._pool.gateway, ipv6=knows_ipv6())

    def lend(self, subnet: IPv4Network) -> None:
        """Environments' addresses are from there."""
        self._subnet, self._pool = str(subnet), AddressPool(subnet)

    def lay(self, host: Netlink, between: Netlink, name: str, mtu_bytes: int = 0) -> None:
        """The pair that leads between. ``name``, its end at ``host``, stays down. Raises OSError."""
        mac = mac_of(self._pool.gateway)
        host.request("veth", [links.make_veth(name, mac, LOWER, self.namespace)])
        self._index = index_of(host, name)
        self._lower = index_of(between, LOWER)
        if knows_ipv6():
            host.request("link", [links.without_ipv6_addresses(self._index)])
            between.request("link", [links.without_ipv6_addresses(self._lower)])
        if mtu_bytes:
            host.request("link", [links.resize(self._index, mtu_bytes)])
            between.request("link", [links.resize(self._lower, mtu_bytes)])
        between.request("link", [links.bring_up(self._lower)])
        length = IPv4Network(self._subnet).prefixlen
        host.request("address", [links.add_address(self._index, self._pool.gateway, length)])


def knows_ipv6() -> bool:
    """Whether this kernel does at all."""
    return os.path.exists("/proc/sys/net/ipv6")


def list_links(netlink: Netlink) -> list[links.Link]:
    """The interfaces there. Raises OSError."""
    return [links.parse_link(m) for m in netlink.dump("links", links.list_links())]


def index_of(netlink: Netlink, name: str) -> int:
    """The number of the interface of that name. Raises LookupError where there is none, OSError."""
    for link in list_links(netlink):
        if link.name == name:
            return link.number
    raise LookupError(f"there is no interface {name}")
