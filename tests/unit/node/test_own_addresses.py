"""Which routes lead to a host itself, and what refuses them elsewhere."""

import ipaddress
import struct

from lambent.node.linux import links, routes
from lambent.node.linux.netlink import Message, attribute


def _listed(kind: int, network: str) -> Message:
    parsed = ipaddress.IPv4Network(network)
    head = struct.pack("=BBBBBBBBI", 2, parsed.prefixlen, 0, 0, 255, 2, 254, kind, 0)
    return Message(24, 0, head + attribute(1, parsed.network_address.packed))


def test_local_broadcast_and_anycast_routes_are_the_hosts_own() -> None:
    """Whatever else is in the table leads elsewhere."""
    own = [kind for kind in range(12) if routes.is_own(_listed(kind, "192.0.2.7/32"))]
    assert own == [2, 3, 4]


def test_a_refusal_names_the_network_and_is_taken_back_by_the_same_words() -> None:
    """Type prohibit, in the main table; made again without complaint."""
    network = ipaddress.IPv4Network("127.0.0.0/8")
    made, undone = routes.prohibit(network), routes.permit(network)
    assert (made.kind, undone.kind) == (24, 25)
    assert made.payload == undone.payload
    assert links.parse_route(made) == network
    assert made.payload[7] == 8
    assert made.flags & 0x100
