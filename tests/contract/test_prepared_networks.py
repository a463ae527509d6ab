"""Networks made ahead: used once, as good as those made on demand, and nothing is left of them."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from lambent.node.linux import syscalls as sys_
from lambent.node.sandbox import stock
from lambent.node.sandbox.network import OutboundNetwork
from lambent.node.sandbox.prepared_networks import PreparedNetwork, PreparedNetworks
from lambent.testing.loop import on_loop, until

PORTS = (9001, 4566)


@asynccontextmanager
async def prepared(ahead: int) -> AsyncIterator[tuple[PreparedNetworks, OutboundNetwork]]:
    """Networks over a way out of their own; skips where this host gives none."""
    outbound = OutboundNetwork()
    try:
        await outbound.open()
    except (OSError, LookupError) as error:
        pytest.skip(f"no way out can be made here: {error}")
    networks = PreparedNetworks(outbound, PORTS, ahead)
    try:
        yield networks, outbound
    finally:
        await networks.close()
        await outbound.close()


def _inside(network: PreparedNetwork) -> tuple[set[str], str]:
    """Interfaces there, and the address that packets to the world leave by."""
    found: list[tuple[set[str], str]] = []

    def look() -> None:
        sys_.setns(network.namespace, sys_.CLONE_NEWNET)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("203.0.113.9", 9))
            names = {name for _, name in socket.if_nameindex()}
            found.append((names, probe.getsockname()[0]))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return found[0]


def _has_some(networks: PreparedNetworks) -> bool:
    return networks.count > 0


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for quiet."""
    monkeypatch.setattr(stock, "QUIET_S", 0.0)


@on_loop
async def test_they_are_whole_and_never_given_twice(at_once: None) -> None:
    """Each has loopback and an interface with its address, listens on both ports, and is unlike every other."""
    async with prepared(4) as (networks, outbound):
        assert networks.take() is None
        await until(lambda: networks.count == 4)
        taken = [networks.take() for _ in range(4)]
        assert networks.take() is None
        whole = [network for network in taken if network is not None]
        assert len({network.address for network in whole}) == 4
        assert len({os.fstat(network.namespace).st_ino for network in whole}) == 4
        for network in whole:
            assert _inside(network) == ({"lo", "eth0"}, network.address)
            assert [one.getsockname() for one in network.sockets] == [
                ("127.0.0.1", p) for p in PORTS
            ]
            network.discard()
            outbound.give_back(network.address)


@on_loop
async def test_none_is_made_while_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as one is taken now and then, none is made; when nobody asks, they are again as many as before."""
    monkeypatch.setattr(stock, "QUIET_S", 0.5)
    async with prepared(8) as (networks, outbound):
        networks.take()
        await until(lambda: networks.count == 8)
        for left in (7, 6, 5):
            taken = networks.take()
            assert taken is not None
            assert networks.count == left
            taken.discard()
            outbound.give_back(taken.address)
            await asyncio.sleep(0.2)
            assert networks.count == left
        await until(lambda: networks.count >= 8)


@on_loop
async def test_they_are_given_back_and_made_again(at_once: None) -> None:
    """Bounded, those beyond go with their addresses; when there may be more they are made, as many as ever."""
    async with prepared(6) as (networks, outbound):
        networks.postpone()
        networks.bound(3)
        assert networks._making is None  # nobody has asked for one yet
        networks.take()
        await until(lambda: networks.count == 3 and networks._making is None)
        free = len(outbound._pool._free)
        networks.bound(1)
        assert (networks.count, len(outbound._pool._free)) == (1, free + 2)
        networks.bound(100)
        await until(lambda: networks.count == 6 and networks._making is None)


@on_loop
async def test_nothing_is_left_of_them() -> None:
    """Closed before, while and after they are made: no descriptor, no thread, and every address is free again."""
    async with prepared(0) as (networks, _):
        networks.take()
    threads, descriptors = threading.active_count(), _descriptors()
    for ahead in (0, 1, 40):
        for made in (0, 1):
            async with prepared(ahead) as (networks, outbound):
                free = len(outbound._pool._free)
                networks.take()
                networks._quiet_at_s = 0
                if ahead and made:
                    await until(partial(_has_some, networks))
                await networks.close()
                assert len(outbound._pool._free) == free
    assert threading.active_count() == threads
    assert _descriptors() == descriptors
