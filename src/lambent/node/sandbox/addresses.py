"""Which addresses environments get: pure decisions."""

from collections import deque
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

_POOLS = (IPv4Network("198.18.0.0/15"), IPv4Network("100.64.0.0/10"))
"""POLICY: nets no real destination is in (RFC 2544: measuring), or few are (RFC 6598: carriers' NAT)."""
_PREFIX_LENGTH = 18
"""POLICY: 16,381 environments' addresses, so that one is not used again before the 100 s are over that a reply to
its last owner could take, even at 150 starts a second."""


def choose_subnet(taken: Iterable[IPv4Network]) -> IPv4Network | None:
    """The first net of ours that overlaps none of ``taken`` (where the host's routes lead); None without one."""
    busy = list(taken)
    for pool in _POOLS:
        for candidate in pool.subnets(new_prefix=_PREFIX_LENGTH):
            if not any(candidate.overlaps(other) for other in busy):
                return candidate
    return None


def mac_of(address: str) -> bytes:
    """The hardware address that goes with an IPv4 address: locally administered, unique where that is."""
    return b"\x02\x6c" + IPv4Address(address).packed


class AddressPool:
    """Addresses of a subnet: the first is the gateway's, the others are lent, longest unused first."""

    def __init__(self, subnet: IPv4Network) -> None:
        first = int(subnet.network_address)
        self.gateway = str(subnet.network_address + 1)
        self._free = deque(range(first + 2, first + subnet.num_addresses - 1))

    def take(self) -> str:
        """An address nobody has. Raises LookupError when all are lent."""
        if not self._free:
            raise LookupError("every address is in use")
        return str(IPv4Address(self._free.popleft()))

    def give_back(self, address: str) -> None:
        """An address nobody has any longer."""
        self._free.append(int(IPv4Address(address)))
