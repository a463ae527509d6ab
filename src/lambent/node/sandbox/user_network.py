"""Outbound network for environments without root.

What :mod:`lambent.node.sandbox.network` does on the host is done in a network namespace of this user's own, the
gateway, and a tool in user space leads from there to the host's network:

    environment: eth0 (macvlan) ── between: low0 (veth) ── gateway: lambent0 ── NAT ── tap0 ── tool ── the world

1. The rules are the same; those for the host's own addresses, which another namespace cannot ask its routing table
   about, are routes that refuse, kept up to date (:mod:`lambent.node.sandbox.own_addresses`).
2. Namespaces, rules and tool go with the platform: its descriptors hold them, and processes that end with it.
3. A tool that ends is started again; meanwhile the outside is unreachable, and health says so.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lambent.node.linux import links, nftables
from lambent.node.linux.netlink import NETLINK_NETFILTER, NETLINK_ROUTE, Netlink
from lambent.node.sandbox.addresses import choose_subnet
from lambent.node.sandbox.birth import receive_fds
from lambent.node.sandbox.companion import Companion
from lambent.node.sandbox.contract import SandboxError
from lambent.node.sandbox.network import PREFIX, make_rules, resolver_of_host
from lambent.node.sandbox.own_addresses import OwnAddresses
from lambent.node.sandbox.user_mode_tools import ADDRESS, GATEWAY, MTU_BYTES, NETWORK, TAP, Tool
from lambent.node.sandbox.way_out import WayOut, index_of, knows_ipv6

_NAME = f"{PREFIX}0"
_TAP_DEADLINE_S, _TAP_RETRY_S = 10.0, 0.005
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0


class UserModeNetwork(WayOut):
    """The way out of one platform's environments, by ``tool``."""

    def __init__(self, tool: Tool) -> None:
        super().__init__()
        self._tool = tool
        self._user_namespace = -1
        self._thread = ThreadPoolExecutor(1, "lambent-network")
        self._keeper: Companion | None = None
        self._lifeline: socket.socket | None = None
        self._process: Companion | None = None
        self._gateway: Netlink | None = None
        self._rules: Netlink | None = None
        self._own: OwnAddresses | None = None
        self._watching: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    @property
    def namespaces(self) -> Sequence[int]:
        """The user namespace first: it is what allows the rest."""
        return (self._user_namespace, self.namespace)

    async def open(self) -> None:
        """Makes it. Raises OSError or LookupError, with nothing left behind, where this host cannot."""
        self.resolver = resolver_of_host()
        self.notices = [self.resolver.notice] if self.resolver.notice else []
        try:
            between = await self._hold()
            try:
                await self._run(self._make, between)
            finally:
                between.close()
            await self._connect()
        except SandboxError as error:
            await self.close()
            raise OSError(str(error)) from error
        except BaseException:
            await self.close()
            raise
        loop = asyncio.get_running_loop()
        self._watching = loop.create_task(self._watch())
        assert self._own is not None  # noqa: S101 - made above
        loop.add_reader(self._own.changes, self._on_change)

    async def close(self) -> None:
        """Takes it down; environments and zygotes must be gone."""
        if self._own is not None:
            asyncio.get_running_loop().remove_reader(self._own.changes)
        for task in (self._watching, self._refreshing):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        for process in (self._process, self._keeper):
            if process is not None:
                await process.close()
        self._thread.shutdown()
        for held in (self._own, self._rules, self._gateway, self._lifeline):
            if held is not None:
                held.close()
        for fd in (self._user_namespace, self.namespace):
            if fd >= 0:
                os.close(fd)
        self._process = self._keeper = self._own = self._rules = self._gateway = None
        self._user_namespace = self.namespace = -1

    def describe(self) -> Mapping[str, Any]:
        """For health."""
        return {
            "mode": "outbound",
            "by": self._tool.name,
            "subnet": self._subnet,
            "resolvers": list(self.resolver.addresses),
        }

    async def _hold(self) -> Netlink:
        """The namespaces, and a socket of the one between."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._lifeline = ours
        with theirs:
            self._keeper = Companion(["hold"], theirs.fileno())
        self._user_namespace, self.namespace, *opened = await receive_fds(ours, 5)
        gateway, rules, between = (socket.socket(fileno=fd) for fd in opened)
        self._gateway = Netlink(NETLINK_ROUTE, gateway)
        self._rules = Netlink(NETLINK_NETFILTER, rules)
        return Netlink(NETLINK_ROUTE, between)

    def _make(self, between: Netlink) -> None:
        """All but the tool's part."""
        gateway, rules = self._gateway, self._rules
        assert gateway is not None  # noqa: S101 - the namespaces are held
        assert rules is not None  # noqa: S101
        host = Netlink(NETLINK_ROUTE)
        try:
            listed = host.dump("routes", links.list_routes())
        finally:
            host.close()
        leads = map(links.parse_route, listed)
        subnet = choose_subnet(network for network in leads if network is not None)
        if subnet is None:
            raise LookupError("no private subnet is free")
        self.lend(subnet)
        self.lay(gateway, between, _NAME, MTU_BYTES)
        # What the tool's own addresses stand for is the tool's to decide: nobody is to ask.
        resolvers = self.resolver.addresses
        made = make_rules(_NAME, self._index, self._subnet, resolvers, forbidden=[NETWORK])
        rules.request("nf_tables", nftables.batch(made))
        self._own = OwnAddresses(gateway)
        self._own.refresh()
        gateway.request("link", [links.bring_up(), links.bring_up(self._index)])

    async def _connect(self) -> None:
        """Starts the tool and leads what has no other way to it. Raises OSError."""
        assert self._keeper is not None  # noqa: S101 - the namespaces are held
        if self._keeper.exited.done():
            raise OSError("who holds the network for it has ended")  # its id may be another's
        command = self._tool.command(self._keeper.pid)
        process = self._process = Companion(["become", str(os.getpid()), *command])
        loop = asyncio.get_running_loop()
        end_s = loop.time() + _TAP_DEADLINE_S
        while not await self._run(self._lead):
            await asyncio.wait([process.exited], timeout=_TAP_RETRY_S)
            if process.exited.done() or loop.time() > end_s:
                await process.close()
                raise OSError(f"{self._tool.name}: {process.words or 'it made no interface'}")

    def _lead(self) -> bool:
        """False: the tool has not made its interface yet."""
        assert self._gateway is not None  # noqa: S101 - the namespaces are held
        try:
            tap = index_of(self._gateway, TAP)
        except LookupError:
            return False
        wanted = [links.without_ipv6_addresses(tap)] if knows_ipv6() else []
        wanted += [
            links.resize(tap, MTU_BYTES),
            links.bring_up(tap),
            links.add_address(tap, ADDRESS, 24),
            links.add_default_route(tap, GATEWAY),
        ]
        self._gateway.request("tap", wanted)
        return True

    async def _watch(self) -> None:
        """Starts a tool that ended again."""
        pause_s = _FIRST_PAUSE_S
        while True:
            assert self._process is not None  # noqa: S101 - connected
            await asyncio.shield(self._process.exited)
            words = self._process.words
            notice = f"functions reach nothing outside: {self._tool.name} ended. {words}".rstrip()
            self.notices.append(notice)
            await asyncio.sleep(pause_s)
            try:
                await self._connect()
            except OSError:
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                pause_s = _FIRST_PAUSE_S
            self.notices.remove(notice)

    def _on_change(self) -> None:
        assert self._own is not None  # noqa: S101 - it told
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._own.changes)
        self._refreshing = loop.create_task(self._refresh(self._own))

    async def _refresh(self, own: OwnAddresses) -> None:
        own.drain()
        while True:
            try:
                await self._run(own.refresh)
            except OSError:
                await asyncio.sleep(_FIRST_PAUSE_S)
            else:
                break
        asyncio.get_running_loop().add_reader(own.changes, self._on_change)

    async def _run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Off the loop; one work at a time, because they share sockets."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
