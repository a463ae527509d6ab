"""Addresses, resolvers and rules of the way out: decisions without a network."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.node.sandbox.addresses import AddressPool, choose_subnet, mac_of
from lambent.node.sandbox.network import make_rules
from lambent.node.sandbox.resolver import choose_resolver

_NETWORKS = st.lists(
    st.builds(
        lambda address, length: IPv4Network((address, length), strict=False),
        st.one_of(
            st.integers(0, 2**32 - 1),
            st.integers(int(IPv4Address("198.18.0.0")), int(IPv4Address("198.19.255.255"))),
            st.integers(int(IPv4Address("100.64.0.0")), int(IPv4Address("100.127.255.255"))),
        ),
        st.integers(8, 32),
    ),
    max_size=30,
)


@given(_NETWORKS)
def test_a_subnet_is_nobody_elses(taken: list[IPv4Network]) -> None:
    """It overlaps no route of the host, and is the same for the same routes."""
    subnet = choose_subnet(taken)
    assert subnet == choose_subnet(reversed(taken))
    if subnet is not None:
        assert not any(subnet.overlaps(other) for other in taken)


def test_platforms_have_subnets_of_their_own_until_there_are_none() -> None:
    """Each platform sees the routes of those before it; 264 have room, then there is None."""
    taken: list[IPv4Network] = []
    while (subnet := choose_subnet(taken)) is not None:
        taken.append(subnet)
    assert len(taken) == len(set(taken)) == 8 + 256


@given(st.lists(st.booleans(), max_size=200), st.integers(26, 29))
def test_no_two_have_one_address(takes: list[bool], prefix_length: int) -> None:
    """Lent addresses are distinct, inside, never the gateway's; when all are lent there is an error."""
    subnet = IPv4Network(f"198.18.0.0/{prefix_length}")
    pool = AddressPool(subnet)
    lent: list[str] = []
    for take in takes:
        if take and len(lent) < subnet.num_addresses - 3:
            lent.append(pool.take())
        elif take:
            with pytest.raises(LookupError):
                pool.take()
        elif lent:
            pool.give_back(lent.pop(0))
        assert len(set(lent)) == len(lent)
        assert pool.gateway not in lent
        edges = {subnet.network_address, subnet.broadcast_address}
        assert all(IPv4Address(a) in set(subnet) - edges for a in lent)


def test_an_address_rests_as_long_as_possible() -> None:
    """Late replies to an environment that is gone find nobody: all the others are lent first."""
    pool = AddressPool(IPv4Network("198.18.0.0/26"))
    first = pool.take()
    pool.give_back(first)
    later = []
    for _ in range(60):
        later.append(pool.take())
        pool.give_back(later[-1])
    assert first not in later
    assert pool.take() == first


@given(st.integers(0, 2**32 - 1))
def test_hardware_addresses_are_local_and_tell_the_address(number: int) -> None:
    """Locally administered, not a group's, and one for each IPv4 address."""
    mac = mac_of(str(IPv4Address(number)))
    assert mac[0] & 3 == 2
    assert len(mac) == 6
    assert mac[2:] == number.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("host", "upstream", "servers"),
    [
        ("nameserver 10.0.0.2\nsearch corp\n", "", ("10.0.0.2",)),
        ("nameserver 127.0.0.53\n", "nameserver 10.0.0.3\n", ("10.0.0.3",)),
        ("nameserver ::1\nnameserver 10.0.0.2\n", "", ("10.0.0.2",)),
        ("nameserver 192.168.1.1\nnameserver 10.0.0.2\n", "", ("10.0.0.2",)),
        ("nameserver 127.0.0.1\n", "", ()),
        ("", "", ()),
        ("nameserver\nnameserver x\n# nameserver 10.0.0.9\n", "", ()),
    ],
)
def test_resolvers_are_those_that_work_inside(
    host: str, upstream: str, servers: tuple[str, ...]
) -> None:
    """No server on loopback or on the host's own address; systemd-resolved's own servers in its stead."""
    chosen = choose_resolver(host, upstream, lambda address: address == "192.168.1.1")
    assert chosen.addresses == servers
    assert (chosen.notice is None) == bool(servers)
    listed = [line.split()[1] for line in chosen.text.splitlines() if line.startswith("nameserver")]
    assert tuple(listed) == servers


def test_search_and_options_are_kept() -> None:
    """Short names resolve inside as they do on the host."""
    text = choose_resolver(
        "search a b\nnameserver 10.0.0.2\noptions ndots:2\n", "", lambda _: False
    ).text
    assert text == "nameserver 10.0.0.2\nsearch a b\noptions ndots:2\n"


@given(st.text(max_size=200))
def test_any_resolv_conf_is_read(text: str) -> None:
    """Whatever is in the file, there is an answer of whole lines."""
    chosen = choose_resolver(text, text, lambda _: False)
    assert chosen.text == "" or chosen.text.endswith("\n")


def test_names_are_asked_before_metadata_is_refused() -> None:
    """A resolver on a metadata address (GCP's) is let through for DNS, by a rule before the one that refuses."""
    payloads = [
        m.payload for m in make_rules("t", 5, "198.18.0.0/18", ("169.254.169.254",), ["e0"])
    ]
    allowed = next(i for i, p in enumerate(payloads) if bytes([169, 254, 169, 254]) in p)
    refused = next(i for i, p in enumerate(payloads) if bytes([169, 254, 0, 0]) in p)
    assert allowed < refused
