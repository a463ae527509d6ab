"""What functions reach over the network, with a network namespace as the outside world."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lambent.node.linux import links
from lambent.node.linux import syscalls as sys_
from lambent.node.linux.netlink import NETLINK_ROUTE, Netlink

_OWN = os.getpid() % 63 * 4  # tests run side by side, on one host
NEAR, OUTSIDE = f"203.0.113.{_OWN + 1}", f"203.0.113.{_OWN + 2}"
"""TEST-NET-3: no real machine has these."""
METADATA = f"169.254.169.{_OWN + 2}"

REACH = """
    import socket
    def handler(event, context):
        if "listen" in event:
            listener = socket.create_server(("0.0.0.0", event["listen"]))
            globals()["kept"] = listener
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect(("203.0.113.9", 9))
                return probe.getsockname()[0]
        if "interfaces" in event:
            return [name for _, name in socket.if_nameindex()]
        if "raw" in event:
            for family, kind in ((17, socket.SOCK_RAW), (socket.AF_INET, socket.SOCK_RAW)):
                try:
                    socket.socket(family, kind, 1)
                except OSError:
                    continue
                return "opened"
            return "denied"
        if "ask" in event:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.settimeout(2)
                probe.connect((event["ask"], event["port"]))
                probe.send(b"who?")
                return probe.recv(100).decode()
        if "resolv" in event:
            return open("/etc/resolv.conf").read()
        try:
            family = socket.AF_INET6 if ":" in event["host"] else socket.AF_INET
            with socket.socket(family) as connection:
                connection.settimeout(2)
                connection.connect((event["host"], event["port"]))
                return connection.recv(100).decode()
        except OSError as error:
            return {"error": type(error).__name__, "errno": error.errno}
"""


@dataclass
class World:
    """A listener outside. ``peers``: who connected."""

    port: int
    peers: list[str]


def _serve(listener: socket.socket, peers: list[str]) -> None:
    while True:
        try:
            connection, peer = listener.accept()
        except OSError:
            return
        peers.append(peer[0])
        connection.sendall(b"hello from outside")
        connection.close()


def _answer(answering: socket.socket) -> None:
    while True:
        question, peer = answering.recvfrom(100)
        if not question:
            return
        answering.sendto(b"you are " + peer[0].encode(), peer)


@pytest.fixture
def outside() -> Iterator[World]:
    """Another network namespace with an address the host reaches over a pair of interfaces, and one listener."""
    if os.geteuid() != 0:
        pytest.skip("making another network takes root")
    name = f"out{uuid.uuid4().hex[:8]}"
    made: dict[str, Any] = {}

    def make() -> None:
        sys_.unshare(sys_.CLONE_NEWNET)
        made["fd"] = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        made["netlink"] = Netlink(NETLINK_ROUTE)
        made["listener"] = socket.create_server(("0.0.0.0", 0))
        made["answering"] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made["answering"].bind(made["listener"].getsockname())

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    host, there, listener = Netlink(NETLINK_ROUTE), made["netlink"], made["listener"]
    host.request("veth", [links.make_veth(name, b"\x02\0\0\0\0\1", "up0", made["fd"])])

    def index(netlink: Netlink, wanted: str) -> int:
        listed = netlink.dump("links", links.list_links())
        return next(li.number for li in map(links.parse_link, listed) if li.name == wanted)

    here, far = index(host, name), index(there, "up0")
    there.request("up", [links.bring_up(), links.bring_up(far)])
    there.request("address", [links.add_address(far, OUTSIDE, 30)])
    there.request("address", [links.add_address(far, METADATA, 32)])
    host.request("up", [links.bring_up(here), links.add_address(here, NEAR, 30)])
    peers: list[str] = []
    server = threading.Thread(target=_serve, args=(listener, peers), daemon=True)
    server.start()
    answering = made["answering"]
    answerer = threading.Thread(target=_answer, args=(answering,), daemon=True)
    answerer.start()
    yield World(listener.getsockname()[1], peers)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"", (OUTSIDE, listener.getsockname()[1]))
    answerer.join(5)
    answering.close()
    host.request("delete", [links.delete_link(here)])
    listener.shutdown(socket.SHUT_RDWR)
    server.join(5)
    listener.close()
    os.close(made["fd"])
    host.close()
    there.close()


@pytest.fixture
def outbound(platform: Any) -> None:
    """Skips where functions have no way out of their own."""
    mode = platform.health["sandbox"]["network"]["mode"]
    if mode != "outbound":
        pytest.skip(f"the network here is {mode!r}: {platform.health['sandbox']['notices']}")


@pytest.fixture
def host_listener() -> Iterator[int]:
    """A service of the host's, on all of its addresses."""
    listener = socket.create_server(("0.0.0.0", 0))
    thread = threading.Thread(target=_serve, args=(listener, []), daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    listener.close()


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
    isolated: None, outside: World, start_platform: Callable[..., Any], zip_of: Any, tmp_path: Path
) -> None:
    """With --network isolated a function has loopback and the platform's endpoint, and nothing outside."""
    platform = start_platform(tmp_path / "isolated", "--network", "isolated")
    assert platform.health["sandbox"]["network"] == {"mode": "isolated"}
    invoke = _deploy(platform, zip_of)
    answer = invoke({"host": OUTSIDE, "port": outside.port})
    assert isinstance(answer, dict)
    assert invoke({"interfaces": 1}) == ["lo"]
    assert not outside.peers


def test_nothing_is_left_after_a_kill_and_a_new_start(
    outbound: None, start_platform: Callable[..., Any], zip_of: Any, tmp_path: Path, poll: Any
) -> None:
    """kill -9 takes interface, rules and namespaces along by itself; two platforms do not disturb each other."""
    first = start_platform(tmp_path / "one")
    second = start_platform(tmp_path / "two")
    names = [p.health["sandbox"]["network"]["interface"] for p in (first, second)]
    numbers = [socket.if_nametoindex(name) for name in names]
    subnets = {p.health["sandbox"]["network"]["subnet"] for p in (first, second)}
    assert len(set(names)) == len(subnets) == 2
    assert _deploy(first, zip_of)({"interfaces": 1}) == ["lo", "eth0"]
    os.kill(first.pid, signal.SIGKILL)
    first.process.wait()
    poll(lambda: numbers[0] not in _interfaces(), 10, "the interface to go with its platform")
    assert _deploy(second, zip_of)({"interfaces": 1}) == ["lo", "eth0"]
    again = start_platform(tmp_path / "one")
    assert _deploy(again, zip_of)({"interfaces": 1}) == ["lo", "eth0"]
    for platform in (again, second):
        number = socket.if_nametoindex(platform.health["sandbox"]["network"]["interface"])
        platform.stop()
        assert number not in _interfaces()


def _interfaces() -> set[int]:
    """Their numbers: a freed name may be another platform's a moment later, a number is not given again."""
    return {number for number, _ in socket.if_nameindex()}


def _deploy(platform: Any, zip_of: Any) -> Callable[[Any], Any]:
    """A function on that platform; call it with an event."""
    client = platform.client("lambda")
    name = f"net-{uuid.uuid4().hex[:8]}"
    client.create_function(
        FunctionName=name,
        Code={"ZipFile": zip_of({"app.py": REACH})},
        Runtime=f"python3.{sys.version_info.minor}",
        Role="arn:aws:iam::000000000000:role/e2e",
        Handler="app.handler",
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)

    def invoke(event: Any) -> Any:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        return json.load(answer["Payload"])

    return invoke
