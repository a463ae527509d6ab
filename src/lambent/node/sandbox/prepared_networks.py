"""Networks made ahead: a namespace each, with its interface, its address and its listening sockets.

Making one takes a millisecond of kernel time under a lock that all share, and many at once wait for each other. So
some are made while nothing is asked of the node, by a thread that changes its own namespace. Contract:

1. A network is given away once, to one environment, and is gone with it: counters and sockets are never inherited.
2. None is made within :data:`QUIET_S` of one being taken, or of :meth:`PreparedNetworks.postpone`: a burst is not
   slowed down by its own replacement.
3. Where none is left an environment makes its own, as every one does without this.
4. :meth:`PreparedNetworks.close` leaves no thread, descriptor or address behind.
"""

import asyncio
import os
import socket
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import NamedTuple

from lambent.node.linux import syscalls as sys_
from lambent.node.linux.netlink import NETLINK_ROUTE, Netlink
from lambent.node.sandbox.network import OutboundNetwork
from lambent.node.zygote.isolate import listening_socket

QUIET_S = 0.2
"""POLICY: how long nothing must have been started, nor have come to the end of its start."""
_AT_A_TIME = 4


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


class PreparedNetworks:
    """Makes them over ``outbound``. Lives on the loop's thread."""

    def __init__(self, outbound: OutboundNetwork, ports: Sequence[int], ahead: int) -> None:
        self._outbound = outbound
        self._ports = tuple(ports)
        self._ahead = self._most = ahead
        self._ready: deque[PreparedNetwork] = deque()
        self._thread = ThreadPoolExecutor(1, "lambent-networks")
        self._making: asyncio.Task[None] | None = None
        self._quiet_at_s = 0.0
        self._is_wanted = False
        self._maker: _Maker | None = None

    @property
    def count(self) -> int:
        """How many are ready."""
        return len(self._ready)

    @property
    def _lacking(self) -> int:
        return min(self._ahead, self._most) - len(self._ready)

    def take(self) -> PreparedNetwork | None:
        """One that nobody had; None when there is none. The first time is when others begin to be made."""
        loop = asyncio.get_running_loop()
        self.postpone()
        self._is_wanted = True
        taken = self._ready.popleft() if self._ready else None
        if self._making is None and self._ahead:
            self._making = loop.create_task(self._keep_up())
        return taken

    def postpone(self) -> None:
        """Something is being started, or has just been."""
        self._quiet_at_s = asyncio.get_running_loop().time() + QUIET_S

    def bound(self, most: int) -> None:
        """There are to be no more than that, for want of memory or because there is some again; others go."""
        self._most = most
        while len(self._ready) > most:
            self._discard(self._ready.pop())
        if self._lacking > 0 and self._making is None and self._is_wanted:
            self._making = asyncio.get_running_loop().create_task(self._keep_up())

    async def close(self) -> None:
        """Gives all back that nobody took."""
        self._ahead = 0
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait([self._making])
        if self._maker is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._maker.close)
            self._maker = None
        self._thread.shutdown()
        while self._ready:
            self._discard(self._ready.popleft())

    def _discard(self, network: PreparedNetwork) -> None:
        network.discard()
        self._outbound.give_back(network.address)

    async def _keep_up(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._lacking > 0:
                wait_s = self._quiet_at_s - loop.time()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                    continue
                if not await self._make_some():
                    return
        finally:
            self._making = None

    async def _make_some(self) -> bool:
        """A few more. False: it cannot be done now, and is tried again when one is taken."""
        addresses: list[str] = []
        with suppress(LookupError):
            while len(addresses) < min(_AT_A_TIME, self._lacking):
                addresses.append(self._outbound.take())
        loop = asyncio.get_running_loop()
        making = loop.run_in_executor(self._thread, self._make_all, addresses)
        try:
            made = await asyncio.shield(making)
        except asyncio.CancelledError:
            self._ready += await making
            raise
        self._ready += made
        for address in set(addresses) - {network.address for network in made}:
            self._outbound.give_back(address)
        return bool(addresses) and len(made) == len(addresses)

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
