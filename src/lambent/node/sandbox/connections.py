"""How the environments of a node are connected: by slot, with a way out or with none."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.node.sandbox import ways
from lambent.node.sandbox.contract import NetworkError
from lambent.node.sandbox.network import OutboundNetwork
from lambent.node.sandbox.prepared_networks import PreparedNetwork, PreparedNetworks
from lambent.node.sandbox.user_mode_tools import find_missing, find_tool
from lambent.node.sandbox.user_network import UserModeNetwork
from lambent.settings import NetworkChoice

_NO_TOOL = (
    "functions reach the platform and nothing else. For a way out without root: {}. "
    "To have it so without this notice: --network isolated"
)
_NO_WAY_OUT_ROOTLESS = (
    "functions reach the platform and nothing else, because this host gives none without root ({})"
)
_NO_WAY_OUT = (
    "functions reach the platform and nothing else, because this host gives no way out ({}). It takes "
    "nf_tables with NAT, veth and macvlan: sudo modprobe -a nf_tables nft_masq nft_ct nft_fib_inet "
    "nft_reject_inet veth macvlan"
)


class Connections:
    """``choice``: whether functions have a way out; ``auto``: where that can be had. ``ports`` listen in each.

    ``ahead``: how many with a way out are made before they are needed.
    """

    def __init__(self, choice: NetworkChoice, ports: tuple[int, ...], ahead: int) -> None:
        self._choice = choice
        self._ports = ports
        self._ahead = ahead
        self._outbound: OutboundNetwork | UserModeNetwork | None = None
        self._prepared: PreparedNetworks | None = None
        self._not_outbound = ""
        self.obstacle: str | None = None
        """Why there is no way out where one was wanted."""
        self._addresses: dict[int, str] = {}

    async def open(self) -> None:
        """Makes the way out. Raises NetworkError where there is none and one was asked for."""
        if self._choice == "isolated":
            return
        missing = find_missing() if os.geteuid() else None
        if missing is None:
            await self._open_outbound()
        else:
            self.obstacle = missing
            self._not_outbound = _NO_TOOL.format(missing)
        if self._choice == "outbound" and self._not_outbound:
            raise NetworkError(self._not_outbound)

    async def _open_outbound(self) -> None:
        tool = find_tool() if os.geteuid() else None
        outbound = OutboundNetwork() if tool is None else UserModeNetwork(tool)
        try:
            await outbound.open()
        except (OSError, LookupError) as error:
            self.obstacle = str(error)
            self._not_outbound = (_NO_WAY_OUT_ROOTLESS if tool else _NO_WAY_OUT).format(error)
            return
        self._outbound = outbound
        if isinstance(outbound, OutboundNetwork):
            self._prepared = PreparedNetworks(outbound, self._ports, self._ahead)

    async def close(self) -> None:
        """Takes it down; environments and zygotes must be gone."""
        if self._prepared is not None:
            await self._prepared.close()
            self._prepared = None
        if self._outbound is not None:
            await self._outbound.close()
            self._outbound = None

    @property
    def namespaces(self) -> Sequence[int]:
        """What zygotes are to enter, by descriptor: none where that does not matter."""
        return self._outbound.namespaces if self._outbound else ()

    @property
    def resolv_conf(self) -> str:
        """What functions read there."""
        return self._outbound.resolver.text if self._outbound else ""

    @property
    def prepared(self) -> PreparedNetworks | None:
        """Where networks are made ahead; None where there are none with a way out."""
        return self._prepared

    def postpone(self) -> None:
        """Something is being started, or has just been: no network is made ahead."""
        if self._prepared is not None:
            self._prepared.postpone()

    def take_prepared(self) -> PreparedNetwork | None:
        """A network made ahead, for the next slot; None where there is none."""
        return None if self._prepared is None else self._prepared.take()

    def take(self, slot: int, address: str | None = None) -> None:
        """That address, or any, is the slot's."""
        if self._outbound is not None:
            self._addresses[slot] = address or self._outbound.take()

    def release(self, slot: int) -> None:
        """Nobody is in the slot any longer."""
        address = self._addresses.pop(slot, None)
        if self._outbound is not None and address is not None:
            self._outbound.give_back(address)

    def way(self, slot: int) -> Mapping[str, Any]:
        """How the network of a slot is connected, by who is going to be in it."""
        if self._outbound is None:
            return ways.loopback_only()
        return self._outbound.setup(self._addresses[slot])

    def describe(self) -> Mapping[str, Any]:
        """For health."""
        return self._outbound.describe() if self._outbound else {"mode": "isolated"}

    def notices(self) -> list[str]:
        """What an operator may want to know."""
        found = [f"network: {self._not_outbound}"] if self._not_outbound else []
        if self._outbound is not None:
            found += [f"network: {text}" for text in self._outbound.notices]
        return found


def find_obstacle() -> str | None:
    """Makes a way out as this user and takes it down again: what stood in the way, or None."""

    async def attempt() -> str | None:
        connections = Connections("auto", (), 0)
        await connections.open()
        await connections.close()
        return connections.obstacle

    return asyncio.run(attempt())
