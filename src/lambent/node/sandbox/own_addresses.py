"""This host's own addresses, kept from the functions of an ordinary user.

What they send comes, in the end, out of a socket of this host, which reaches the host itself. So a namespace on
the way has to refuse the host's addresses, and to hear of those that come and go.
"""

import errno
import socket
from ipaddress import IPv4Network

from lambent.node.linux import links, routes
from lambent.node.linux.netlink import NETLINK_ROUTE, Netlink

_RECEIVE_BYTES = 1 << 16


class OwnAddresses:
    """``gateway``: a socket of the namespace that is to refuse them. Raises OSError."""

    def __init__(self, gateway: Netlink) -> None:
        self._gateway = gateway
        self._refused: frozenset[IPv4Network] = frozenset()
        self._host = Netlink(NETLINK_ROUTE)
        self.changes = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
        """Readable when an address has come or gone."""
        self.changes.setblocking(False)
        self.changes.bind((0, routes.CHANGES))

    def drain(self) -> None:
        """Takes notice of all changes so far."""
        while True:
            try:
                self.changes.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                # There were more than the kernel remembers; all is read anew in any case.
                if error.errno != errno.ENOBUFS:
                    raise

    def refresh(self) -> None:
        """What the host has now is refused from here on, and nothing else. Raises OSError; may be tried again."""
        own = find_own(self._host)
        for network in sorted(own - self._refused):
            self._gateway.request("refusal", [routes.prohibit(network)])
        for network in sorted(self._refused - own):
            self._gateway.request("refusal", [routes.permit(network)])
            self._refused -= {network}
        self._refused = own

    def close(self) -> None:
        """Hears of nothing any more."""
        self._host.close()
        self.changes.close()


def find_own(host: Netlink) -> frozenset[IPv4Network]:
    """What leads to the host itself. Raises OSError."""
    listed = host.dump("routes", links.list_routes())
    own = (links.parse_route(message) for message in listed if routes.is_own(message))
    return frozenset(network for network in own if network is not None)
