"""How an environment is connected, as messages a child only sends."""

import os
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.node.linux import links, syscalls
from lambent.node.linux.netlink import decode
from lambent.node.sandbox.network import OutboundNetwork
from lambent.node.sandbox.ways import INDEX, loopback_only, outbound
from lambent.node.zygote.network import Way
from lambent.testing.loop import on_loop

MAC = bytes.fromhex("02ffffffffff")


@given(st.integers(1, 2**22), st.integers(1, 2**31 - 1), st.binary(min_size=6, max_size=6))
def test_the_process_id_goes_where_the_message_has_it(pid: int, lower: int, mac: bytes) -> None:
    """Put in by the child, it makes the message that would have been written for that process."""
    way = Way(**outbound(lower, mac, "198.18.0.9", "198.18.0.1", ipv6=True))
    message = bytearray.fromhex(way.make)
    struct.pack_into("=I", message, way.pid_at, pid)
    (made,) = decode(bytes(message))
    assert made == links.make_macvlan("eth0", mac, lower, INDEX, pid)


@pytest.mark.parametrize(("ipv6", "count"), [(True, 5), (False, 4)])
def test_what_is_configured_inside(ipv6: bool, count: int) -> None:
    """Loopback and the interface come up, with an address and one way out; each is acknowledged."""
    way = Way(**outbound(7, MAC, "198.18.0.9", "198.18.0.1", ipv6=ipv6))
    messages = list(decode(bytes.fromhex(way.configure)))
    assert len(messages) == way.configure_count == count
    assert messages[0] == links.bring_up()
    assert messages[-1] == links.add_default_route(INDEX, "198.18.0.1")


def test_without_a_way_out_there_is_loopback() -> None:
    """One message, and no interface to make."""
    way = Way(**loopback_only())
    assert way.make == ""
    assert list(decode(bytes.fromhex(way.configure))) == [links.bring_up()]


@pytest.mark.skipif(os.geteuid() != 0, reason="making networks needs root")
@on_loop
async def test_the_index_inside_is_nobodys_between() -> None:
    """Linux before 6.15 refuses an index that the namespace has from which an interface is made in another."""
    network = OutboundNetwork()
    try:
        await network.open()
    except (OSError, LookupError) as error:
        pytest.skip(f"no way out here: {error}")
    with ThreadPoolExecutor(1) as thread:
        taken = thread.submit(_indexes, network.namespace).result()
    await network.close()
    assert taken
    assert INDEX not in taken


def _indexes(namespace: int) -> set[int]:
    """Of the interfaces there, seen by a thread that is gone afterwards."""
    syscalls.setns(namespace, syscalls.CLONE_NEWNET)
    return {index for index, _ in socket.if_nameindex()}
