"""Outbound network for environments, as far as that is the host's part. Needs root.

One network namespace stands between the host and all environments of a platform; it belongs to nobody but the
descriptors that hold it, so that it goes with the platform, however that ends:

    environment: eth0 (macvlan, private) ── between: low0 (veth) ── host: lambentN ── NAT ── the world

1. A private macvlan exchanges nothing with its neighbours; the host sends nothing from one ``lambent*`` to
   another.
2. The host's own addresses, whatever the interface, and those of metadata services answer "prohibited".
3. Nothing comes in but answers.
4. No IPv6.
The rules are in a table of nf_tables owned by a socket of this process; see :mod:`lambent.node.linux.nftables`.
"""

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from lambent.node.linux import links, nftables
from lambent.node.linux import syscalls as sys_
from lambent.node.linux.netlink import NETLINK_NETFILTER, NETLINK_ROUTE, Message, Netlink
from lambent.node.sandbox.addresses import choose_subnet
from lambent.node.sandbox.forwarding import Forwarding
from lambent.node.sandbox.resolver import Resolver, choose_resolver
from lambent.node.sandbox.way_out import WayOut, list_links

PREFIX = "lambent"
"""What every interface of ours on the host, and every table, is called, with a number."""
_DNS_PORT, _TCP, _UDP = 53, 6, 17
_FORBIDDEN = (
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",  # metadata of AWS, GCP, Azure and most others; ECS's credentials
    "168.63.129.16/32",  # Azure's wire server
    "100.100.100.200/32",  # Alibaba's metadata
)


class OutboundNetwork(WayOut):
    """The way out of one platform's environments."""

    def __init__(self) -> None:
        super().__init__()
        self._name = ""
        self._rules: Netlink | None = None
        self._forwarding = Forwarding()

    async def open(self) -> None:
        """Makes it. Raises OSError or LookupError, with nothing left behind, where this host cannot."""
        await _in_thread_of_its_own(self._open)

    async def close(self) -> None:
        """Takes it down; environments and zygotes must be gone."""
        await _in_thread_of_its_own(self._close)

    def describe(self) -> Mapping[str, Any]:
        """For health."""
        return {
            "mode": "outbound",
            "interface": self._name,
            "subnet": self._subnet,
            "resolvers": list(self.resolver.addresses),
        }

    def _open(self) -> None:
        self.resolver = resolver_of_host()
        self.notices = [self.resolver.notice] if self.resolver.notice else []
        host = Netlink(NETLINK_ROUTE)
        try:
            with self._forwarding.only_one():
                try:
                    self._make(host)
                except BaseException:
                    self._take_down(host)
                    raise
        finally:
            host.close()

    def _make(self, host: Netlink) -> None:
        names = [link.name for link in list_links(host)]
        routes = map(links.parse_route, host.dump("routes", links.list_routes()))
        subnet = choose_subnet(route for route in routes if route is not None)
        if subnet is None:
            raise LookupError("no private subnet is free")
        self.lend(subnet)
        self._name = next(
            n for n in (f"{PREFIX}{i}" for i in range(len(names) + 1)) if n not in names
        )
        rules = Netlink(NETLINK_NETFILTER)
        self._rules = rules
        self._make_links(host)
        silent = self._forwarding.switch_on(
            [n for n in names if n != "lo" and not n.startswith(PREFIX)]
        )
        with open(f"/proc/sys/net/ipv4/conf/{self._name}/forwarding", "w") as file:
            file.write("1")
        made = make_rules(self._name, self._index, str(subnet), self.resolver.addresses, silent)
        rules.request("nf_tables", nftables.batch(made))
        self.notices += _firewall_notices(rules, self._name)
        host.request("link", [links.bring_up(self._index)])

    def _make_links(self, host: Netlink) -> None:
        """The namespace between, and the pair that leads to it.

        In this thread, which is gone afterwards, because it changes its namespace. ``lambentN`` stays down.
        """
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            sys_.unshare(sys_.CLONE_NEWNET)
            self.namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            between = Netlink(NETLINK_ROUTE)
            sys_.setns(home, sys_.CLONE_NEWNET)
        finally:
            os.close(home)
        try:
            self.lay(host, between, self._name)
        finally:
            between.close()

    def _close(self) -> None:
        host = Netlink(NETLINK_ROUTE)
        try:
            with self._forwarding.only_one():
                self._take_down(host)
        finally:
            host.close()

    def _take_down(self, host: Netlink) -> None:
        if self._index:
            with suppress(OSError):
                host.request("link", [links.delete_link(self._index)])
        names = [link.name for link in list_links(host)]
        if not any(name.startswith(PREFIX) for name in names):
            self._forwarding.switch_off([name for name in names if name != "lo"])
        if self._rules is not None:
            self._rules.close()
        if self.namespace >= 0:
            os.close(self.namespace)
        self._index, self._rules, self.namespace = 0, None, -1


def make_rules(
    table: str,
    index: int,
    subnet: str,
    resolvers: "tuple[str, ...]",
    silent: Sequence[str] = (),
    forbidden: Sequence[str] = (),
) -> list[Message]:
    """The table of a platform.

    ``silent``: interfaces from which nothing was forwarded before, nor is now; ``forbidden``: networks that are
    not reached either.
    """
    n = nftables
    ours = n.comes_in_by(index)
    chains = [
        n.owned_table(table),
        n.chain(table, "guard", "filter", n.PREROUTING, n.BEFORE_NAT),
        n.chain(table, "input", "filter", n.INPUT, n.FILTER),
        n.chain(table, "forward", "filter", n.FORWARD, n.FILTER),
        n.chain(table, "nat", "nat", n.POSTROUTING, n.SOURCE_NAT),
    ]
    # Before NAT, so that a port the host redirects to a container of its own is the host's as well.
    rules = [
        n.rule(table, "guard", ours, n.is_not_ipv4(), n.drop()),
        n.rule(table, "guard", ours, n.destination_is_not_elsewhere(), n.reject()),
        # Before routing, which would tell the sender of a shorter way (ICMP redirect) that is none.
        n.rule(table, "guard", ours, n.is_ipv4(), n.destination_in(subnet), n.reject()),
        n.rule(table, "input", ours, n.reject()),
        n.rule(table, "forward", ours, n.goes_out_by(PREFIX), n.reject()),
    ]
    for resolver in resolvers:
        for protocol in (_UDP, _TCP):
            dns = (n.is_ipv4(), n.destination_in(resolver), n.to_port(protocol, _DNS_PORT))
            rules.append(n.rule(table, "forward", ours, *dns, n.accept()))
    rules += [
        n.rule(table, "forward", ours, n.is_ipv4(), n.destination_in(network), n.reject())
        for network in (*_FORBIDDEN, *forbidden)
    ]
    rules += [
        n.rule(table, "forward", ours, n.accept()),
        n.rule(
            table, "forward", n.goes_out_by(table + "\0"),
            n.connection_is(n.ESTABLISHED_OR_RELATED), n.accept(),
        ),
        n.rule(table, "forward", n.goes_out_by(table + "\0"), n.drop()),
    ]  # fmt: skip
    rules += [
        n.rule(
            table, "forward", n.comes_in_by_name(name), n.connection_is(n.NEW),
            n.is_not_redirected(), n.drop(),
        )
        for name in silent
    ]  # fmt: skip
    source = (n.is_ipv4(), n.source_in(subnet), n.goes_out_by(PREFIX, unless=True))
    return [*chains, *rules, n.rule(table, "nat", *source, n.masquerade())]


def _firewall_notices(rules: Netlink, name: str) -> list[str]:
    """Chains of others that drop what is forwarded and not theirs, as Docker's and ufw's do."""
    listed = rules.dump("chains", nftables.list_chains())
    return [
        f"the chain {chain} of this host's firewall may drop what functions send: have it accept what "
        f"comes in by {name}, and answers (see docs/howto/network.md)"
        for chain in map(nftables.drops_forwarded, listed)
        if chain is not None
    ]


async def _in_thread_of_its_own(work: Any) -> None:
    """Off the loop, and in a thread that ends with it: threads have namespaces of their own."""
    with ThreadPoolExecutor(1, "lambent-network") as thread:
        await asyncio.get_running_loop().run_in_executor(thread, work)


def resolver_of_host() -> Resolver:
    """What environments ask, as it is now."""
    return choose_resolver(
        _read("/etc/resolv.conf"), _read("/run/systemd/resolve/resolv.conf"), _is_own
    )


def _is_own(address: str) -> bool:
    """Whether this host has the address: one can listen there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _read(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""
