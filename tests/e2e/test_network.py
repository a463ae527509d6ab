"""What functions reach over the network, with a network namespace as the outside world."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.outside import (
    METADATA,
    NEAR,
    OUTSIDE,
    REACH,
    World,
    listen_everywhere,
    make_outside,
    reach_from,
)


@pytest.fixture
def outside() -> Iterator[World]:
    """See :func:`tests.e2e.outside.make_outside`."""
    if os.geteuid() != 0:
        pytest.skip("making another network takes root")
    with make_outside() as world:
        yield world


@pytest.fixture
def outbound(platform: Any) -> None:
    """Skips where functions have no way out of their own."""
    mode = platform.health["sandbox"]["network"]["mode"]
    if mode != "outbound":
        pytest.skip(f"the network here is {mode!r}: {platform.health['sandbox']['notices']}")


@pytest.fixture
def host_listener() -> Iterator[int]:
    """A service of the host's, on all of its addresses."""
    with listen_everywhere() as port:
        yield port


def test_a_function_reaches_what_the_host_reaches(
    outbound: None, outside: World, deploy: Callable[..., Any]
) -> None:
    """A TCP connection to a machine outside works, and comes from the host's address there."""
    reach = deploy(REACH)
    assert reach({"host": OUTSIDE, "port": outside.port}).payload == "hello from outside"
    assert outside.peers == [NEAR]


def test_datagrams_find_their_way_back(
    outbound: None, outside: World, deploy: Callable[..., Any]
) -> None:
    """UDP, which names are resolved by, is translated both ways."""
    assert deploy(REACH)({"ask": OUTSIDE, "port": outside.port}).payload == f"you are {NEAR}"


def test_nothing_outside_reaches_a_function(
    outbound: None, outside: World, deploy: Callable[..., Any]
) -> None:
    """The host has no way to a function's listener either: only answers come in."""
    address = deploy(REACH)({"listen": 8000}).payload
    with pytest.raises(OSError), socket.create_connection((address, 8000), timeout=1):
        pass


def test_the_hosts_own_addresses_are_closed(
    outbound: None, outside: World, host_listener: int, platform: Any, deploy: Callable[..., Any]
) -> None:
    """Neither loopback, nor the host's addresses, nor the gateway, nor the platform's own port answers."""
    reach = deploy(REACH)
    gateway = platform.health["sandbox"]["network"]["subnet"].replace(".0/18", ".1")
    for address in ("127.0.0.1", NEAR, gateway, "0.0.0.0"):
        answer = reach({"host": address, "port": host_listener}).payload
        assert isinstance(answer, dict), (address, answer)
    for address in (NEAR, gateway):
        answer = reach({"host": address, "port": platform.port}).payload
        assert isinstance(answer, dict), (address, answer)
    assert isinstance(reach({"host": "::1", "port": host_listener}).payload, dict)
    refused = reach({"host": NEAR, "port": host_listener}).payload
    assert refused["error"] != "TimeoutError"


def test_metadata_addresses_are_closed(
    outbound: None, outside: World, deploy: Callable[..., Any]
) -> None:
    """An instance's metadata service, which would give the host's own credentials, is refused at once."""
    reach = deploy(REACH)
    subprocess.run(["ip", "route", "add", f"{METADATA}/32", "via", OUTSIDE], check=True, timeout=5)
    with socket.create_connection((METADATA, outside.port), timeout=2) as connection:
        assert connection.recv(100) == b"hello from outside"  # the host does reach it
    answer = reach({"host": METADATA, "port": outside.port}).payload
    assert isinstance(answer, dict)
    assert answer["error"] != "TimeoutError"


def test_other_environments_are_closed(outbound: None, deploy: Callable[..., Any]) -> None:
    """A function's listener on all of its addresses is not reached by another function, not even by waiting."""
    address = deploy(REACH)({"listen": 8000}).payload
    assert address.startswith(("198.", "100."))
    answer = deploy(REACH)({"host": address, "port": 8000}).payload
    assert isinstance(answer, dict)
    assert answer["error"] != "TimeoutError"


def test_nobody_listens_in(isolated: None, deploy: Callable[..., Any]) -> None:
    """Packet and raw sockets are denied, and an environment has its own interfaces alone."""
    look = deploy(REACH)
    assert look({"raw": 1}).payload == "denied"
    assert set(look({"interfaces": 1}).payload) <= {"lo", "eth0"}


def test_resolvers_inside_are_the_hosts_that_work_inside(
    outbound: None, platform: Any, deploy: Callable[..., Any]
) -> None:
    """/etc/resolv.conf names the servers health names: none on loopback."""
    text = deploy(REACH)({"resolv": 1}).payload
    servers = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver")]
    assert servers == platform.health["sandbox"]["network"]["resolvers"]
    assert not [s for s in servers if s.startswith("127.")]


def test_isolated_means_the_platform_alone(
    isolated: None, outside: World, start_platform: Callable[..., Any], tmp_path: Path
) -> None:
    """With --network isolated a function has loopback and the platform's endpoint, and nothing outside."""
    platform = start_platform(tmp_path / "isolated", "--network", "isolated")
    assert platform.health["sandbox"]["network"] == {"mode": "isolated"}
    invoke = reach_from(platform)
    answer = invoke({"host": OUTSIDE, "port": outside.port})
    assert isinstance(answer, dict)
    assert invoke({"interfaces": 1}) == ["lo"]
    assert not outside.peers


def test_nothing_is_left_after_a_kill_and_a_new_start(
    outbound: None, start_platform: Callable[..., Any], tmp_path: Path, poll: Any
) -> None:
    """kill -9 takes interface, rules and namespaces along by itself; two platforms do not disturb each other."""
    first = start_platform(tmp_path / "one")
    second = start_platform(tmp_path / "two")
    if "by" in first.health["sandbox"]["network"]:
        pytest.skip("without root nothing is on the host: see test_network_unprivileged.py")
    names = [p.health["sandbox"]["network"]["interface"] for p in (first, second)]
    numbers = [socket.if_nametoindex(name) for name in names]
    subnets = {p.health["sandbox"]["network"]["subnet"] for p in (first, second)}
    assert len(set(names)) == len(subnets) == 2
    assert reach_from(first)({"interfaces": 1}) == ["lo", "eth0"]
    os.kill(first.pid, signal.SIGKILL)
    first.process.wait()
    poll(lambda: numbers[0] not in _interfaces(), 10, "the interface to go with its platform")
    assert reach_from(second)({"interfaces": 1}) == ["lo", "eth0"]
    again = start_platform(tmp_path / "one")
    assert reach_from(again)({"interfaces": 1}) == ["lo", "eth0"]
    for platform in (again, second):
        number = socket.if_nametoindex(platform.health["sandbox"]["network"]["interface"])
        platform.stop()
        assert number not in _interfaces()


def _interfaces() -> set[int]:
    """Their numbers: a freed name may be another platform's a moment later, a number is not given again."""
    return {number for number, _ in socket.if_nameindex()}
