"""The codec of netlink, and the messages made with it."""

import os
import struct
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.node.linux import links, nftables
from lambent.node.linux.netlink import (
    NETLINK_ROUTE,
    Message,
    Netlink,
    attribute,
    attributes,
    decode,
    encode,
    nested,
)

_VALUES = st.binary(max_size=64)
_KINDS = st.integers(0, 0x3FFF)
_MESSAGES = st.builds(
    Message,
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    _VALUES,
    st.integers(0, 0xFFFFFFFF),
)


@given(st.lists(_MESSAGES, max_size=5))
def test_messages_come_back_as_they_went(messages: list[Message]) -> None:
    """decode reverses encode, however many messages share a datagram."""
    assert list(decode(b"".join(map(encode, messages)))) == messages


@given(st.lists(st.tuples(_KINDS, _VALUES), max_size=8), _KINDS)
def test_attributes_come_back_as_they_went(pairs: list[tuple[int, bytes]], kind: int) -> None:
    """A list of attributes survives the wire, nested or not."""
    encoded = [attribute(k, v) for k, v in pairs]
    assert list(attributes(b"".join(encoded))) == pairs
    assert list(attributes(nested(kind, *encoded))) == [(kind, b"".join(encoded))]


@given(st.binary(max_size=200))
def test_nonsense_is_an_error_or_nothing(data: bytes) -> None:
    """Any bytes are decoded in bounds or are a ValueError; it ends, and yields no more than came."""
    for reader in (decode, attributes):
        total = 0
        try:
            for item in reader(data):
                total += len(item.payload if isinstance(item, Message) else item[1])
        except ValueError:
            continue
        assert total <= len(data)


def test_texts_and_numbers_have_their_width() -> None:
    """A text ends with a zero, a number has 32 bits, both are padded to four bytes."""
    assert attribute(3, "lo") == struct.pack("=HH", 7, 3) + b"lo\0\0"
    assert attribute(4, 7) == struct.pack("=HHI", 8, 4, 7)


def test_the_kernel_lists_loopback() -> None:
    """Every namespace has loopback, with index 1, and the kernel understands the question."""
    netlink = Netlink(NETLINK_ROUTE)
    try:
        found = [links.parse_link(m) for m in netlink.dump("links", links.list_links())]
        routes = [links.parse_route(m) for m in netlink.dump("routes", links.list_routes())]
    finally:
        netlink.close()
    assert links.Link(1, "lo") in found
    assert all(route is None or isinstance(route, IPv4Network) for route in routes)


def test_a_refusal_names_what_was_asked() -> None:
    """The kernel's errno comes with the caller's words, and the socket is of use afterwards."""
    netlink = Netlink(NETLINK_ROUTE)
    try:
        with pytest.raises(OSError, match="take away") as caught:
            netlink.request("take away", [links.delete_link(2**30)])
        assert caught.value.errno
        assert netlink.dump("links", links.list_links())
    finally:
        netlink.close()


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_a_route_is_read_as_it_is_written(address: int, length: int) -> None:
    """A route's network is its prefix; a route without one is the default's."""
    raw = address.to_bytes(4, "big")
    body = struct.pack("=BBBBBBBBI", 2, length, *bytes(6), 0) + attribute(1, raw)
    route = links.parse_route(Message(24, 0, body))
    assert route == (IPv4Network((address, length), strict=False) if length else None)


@given(st.lists(_MESSAGES, max_size=3))
def test_a_transaction_has_a_beginning_and_an_end(messages: list[Message]) -> None:
    """What is between the marks is what was given, in order."""
    first, *between, last = nftables.batch(messages)
    assert between == messages
    assert (first.kind, last.kind) == (0x10, 0x11)


@pytest.mark.parametrize(
    ("network", "mask", "value"),
    [
        ("169.254.0.0/16", "ffff0000", "a9fe0000"),
        ("10.1.2.3", "ffffffff", "0a010203"),
        ("10.1.2.3/0", "00000000", "00000000"),
    ],
)
def test_networks_are_masked(network: str, mask: str, value: str) -> None:
    """A rule compares the address under the network's mask."""
    written = nftables.destination_in(network)
    assert bytes.fromhex(mask) in written
    assert bytes.fromhex(value) in written


@pytest.mark.parametrize(
    ("family", "hook", "policy", "said"),
    [
        (2, nftables.FORWARD, 0, "filter FORWARD"),
        (1, nftables.FORWARD, 0, "filter FORWARD"),
        (2, nftables.FORWARD, 1, None),
        (2, nftables.INPUT, 0, None),
        (10, nftables.FORWARD, 0, None),
    ],
)
def test_firewalls_that_drop_what_is_forwarded_are_found(
    family: int, hook: int, policy: int, said: str | None
) -> None:
    """Only a chain where IPv4 is forwarded, with the policy to drop, stands in the way."""
    body = attribute(1, "filter") + attribute(3, "FORWARD")
    body += nested(4, attribute(1, struct.pack(">I", hook))) + attribute(
        5, struct.pack(">I", policy)
    )
    assert nftables.drops_forwarded(Message(0, 0, bytes([family, 0, 0, 0]) + body)) == said


def test_a_chain_without_a_hook_drops_nothing() -> None:
    """Chains that others jump to have neither hook nor policy."""
    body = attribute(1, "filter") + attribute(3, "DOCKER")
    assert nftables.drops_forwarded(Message(0, 0, bytes([2, 0, 0, 0]) + body)) is None


def test_a_table_goes_with_its_socket() -> None:
    """The kernel removes an owned table when its socket is closed: another may have the name at once."""
    if os.geteuid() != 0:
        pytest.skip("the packet filter takes root")
    name = f"lambent-test-{os.getpid()}"
    for _ in range(2):
        netlink = Netlink(12)
        try:
            made = [
                nftables.owned_table(name),
                nftables.chain(name, "c", "filter", nftables.FORWARD, nftables.FILTER),
                nftables.rule(name, "c", nftables.comes_in_by(2**30), nftables.drop()),
            ]
            netlink.request("nf_tables", nftables.batch(made))
            other = Netlink(12)
            with pytest.raises(OSError, match="nf_tables"):
                other.request("nf_tables", nftables.batch(made))
            other.close()
        finally:
            netlink.close()
