"""Networks made ahead: a namespace each, with its interface, its address and its listening sockets.

Making one takes a millisecond of kernel time under a lock that all share, and many at once wait for each other. So
some are made while nothing is asked of the node (:mod:`.stock`), by a thread that changes its own namespace. Where
none is left an environment makes its own. :meth:`PreparedNetworks.close` leaves no thread and no address behind.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import NamedTuple

from lambent.node.linux import syscalls as sys_
from lambent.node.linux.netlink import NETLINK_ROUTE, Netlink
from lambent.node.sandbox.network import OutboundNetwork
from lambent.node.sandbox.stock import Stock
from lambent.node.zygote.isolate import listening_socket


class PreparedNetwork(NamedTuple):
    """``namespace``: a descriptor. ``sockets`` listen in it on the ports asked for, in their order."""

    address: str
    namespace: int
    sockets: tuple[socket.socket, ...]

    def discard(self) -> None:
        """Gives all but the address back."""
        os.close(self.namespace)
        for one in self.sockets:
            one.close()


class PreparedNetworks(Stock[PreparedNetwork]):
    """Makes them over ``outbound``."""

    def __init__(self, outbound: OutboundNetwork, ports: Sequence[int], ahead: int) -> None:
        super().__init__(ahead)
        self._outbound = outbound
        self._ports = tuple(ports)
        self._thread = ThreadPoolExecutor(1, "lambent-networks")
        self._maker: _Maker | None = None

    def take(self) -> PreparedNetwork | None:
        """One that nobody had; None when there is none."""
        return self._pop()

    async def close(self) -> None:
        """Gives all back that nobody took."""
        await super().close()
        if self._maker is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._maker.close)
            self._maker = None
        self._thread.shutdown()

    def _discard(self, thing: PreparedNetwork) -> None:
        thing.discard()
        self._outbound.give_back(thing.address)

    async def _make_some(self, number: int) -> list[PreparedNetwork]:
        addresses: list[str] = []
        with suppress(LookupError):
            while len(addresses) < number:
                addresses.append(self._outbound.take())
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(self._thread, self._make_all, addresses)
        for address in set(addresses) - {network.address for network in made}:
            self._outbound.give_back(address)
        return made

    # On the thread

    def _make_all(self, addresses: list[str]) -> list[PreparedNetwork]:
        made: list[PreparedNetwork] = []
        with suppress(OSError):
            if self._maker is None:
                self._maker = _Maker(self._outbound)
            maker = self._maker
            made.extend(maker.make(address, self._ports) for address in addresses)
        return made


class _Maker:
    """What the thread holds: the way home, and into the namespace between."""

    def __init__(self, outbound: OutboundNetwork) -> None:
        self._outbound = outbound
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        sys_.setns(outbound.namespace, sys_.CLONE_NEWNET)
        try:
            self._between = Netlink(NETLINK_ROUTE)
        finally:
            sys_.setns(self._home, sys_.CLONE_NEWNET)

    def make(self, address: str, ports: tuple[int, ...]) -> PreparedNetwork:
        """One network. Raises OSError; nothing is left then but what the kernel takes back by itself."""
        sys_.unshare(sys_.CLONE_NEWNET)
        try:
            namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            sockets: list[socket.socket] = []
            try:
                interface = self._outbound.interface(address, threading.get_native_id())
                self._between.request("interface", [interface])
                with closing(Netlink(NETLINK_ROUTE)) as inside:
                    inside.request("network", self._outbound.configuration(address))
                sockets += [listening_socket(port) for port in ports]
            except BaseException:
                PreparedNetwork(address, namespace, tuple(sockets)).discard()
                raise
            return PreparedNetwork(address, namespace, tuple(sockets))
        finally:
            sys_.setns(self._home, sys_.CLONE_NEWNET)

    def close(self) -> None:
        """The thread is at home; what it held goes."""
        self._between.close()
        os.close(self._home)
