"""What functions of an ordinary user's platform reach: outside, by a tool in user space; nothing of the host."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import Platform, poll
from tests.e2e.outside import METADATA, NEAR, OUTSIDE, listen_everywhere, reach_from
from tests.e2e.unprivileged import Laptop, make_laptop, visiting

from lambent.node.linux import links
from lambent.node.linux.netlink import NETLINK_ROUTE, Netlink
from lambent.node.sandbox.user_mode_tools import ADDRESS, GATEWAY

_LATER = "203.0.113.129"


Reach = Callable[[Any], Any]


@pytest.fixture(scope="module")
def laptop() -> Iterator[Laptop]:
    """See :func:`tests.e2e.unprivileged.make_laptop`."""
    with make_laptop() as made:
        yield made


@pytest.fixture(scope="module", params=["slirp4netns", "pasta"])
def tool(request: pytest.FixtureRequest) -> str:
    """Each that is installed."""
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


@pytest.fixture(scope="module")
def there(laptop: Laptop, tool: str) -> Platform:
    """A platform with that tool."""
    with visiting(laptop.namespace):
        return laptop.start(tool, "--network", "outbound")


@pytest.fixture
def reach(there: Platform, laptop: Laptop) -> Iterator[Reach]:
    """A function of that platform; the test is on its machine."""
    with visiting(laptop.namespace):
        yield reach_from(there)


@pytest.fixture
def host_listener(laptop: Laptop) -> Iterator[int]:
    """A service of the machine's, on all of its addresses."""
    with visiting(laptop.namespace), listen_everywhere() as port:
        yield port


def test_health_says_by_what(there: Platform, tool: str) -> None:
    """It has a way out, and tells which tool leads there."""
    network = there.health["sandbox"]["network"]
    assert (network["mode"], network["by"]) == ("outbound", tool)
    assert there.health["sandbox"]["isolation"]["user"] is True


def test_a_function_reaches_what_the_user_reaches(reach: Reach, laptop: Laptop) -> None:
    """TCP and UDP to a machine outside work, and come from the machine's own address."""
    laptop.world.peers.clear()
    assert reach({"host": OUTSIDE, "port": laptop.world.port}) == "hello from outside"
    assert laptop.world.peers == [NEAR]
    assert reach({"ask": OUTSIDE, "port": laptop.world.port}) == f"you are {NEAR}"


def test_names_are_resolved(reach: Reach) -> None:
    """By the machine's own name server."""
    assert reach({"name": "somewhere.example"}) == OUTSIDE


def test_the_platforms_endpoint_is_reached(reach: Reach) -> None:
    """AWS_ENDPOINT_URL leads to the platform, as with root."""
    assert reach({"functions": 1}) >= 1


def test_the_machines_own_addresses_are_closed(
    reach: Reach, host_listener: int, there: Platform
) -> None:
    """Neither its loopback, nor its addresses, nor what the tool has for them, nor the platform's port there."""
    gateway = there.health["sandbox"]["network"]["subnet"].replace(".0/18", ".1")
    special = (GATEWAY, GATEWAY.replace(".2", ".3"), ADDRESS, "10.0.2.2", "10.0.2.3")
    for address in ("127.0.0.1", NEAR, gateway, "0.0.0.0", "::1", *special):
        for port in (host_listener, there.port):
            answer = reach({"host": address, "port": port})
            assert isinstance(answer, dict), (address, port, answer)
    for address in (NEAR, gateway, GATEWAY, ADDRESS):
        assert reach({"host": address, "port": there.port})["error"] != "TimeoutError", address


def test_an_address_that_comes_later_is_closed_too(reach: Reach, host_listener: int) -> None:
    """As when a laptop joins another network."""
    machine = Netlink(NETLINK_ROUTE)
    machine.request("address", [links.add_address(socket.if_nametoindex("lo"), _LATER, 32)])
    try:
        with socket.create_connection((_LATER, host_listener), timeout=2) as connection:
            assert connection.recv(100) == b"hello from outside"
        poll(lambda: isinstance(reach({"host": _LATER, "port": host_listener}), dict), 10, "closed")
    finally:
        subprocess.run(["ip", "addr", "del", f"{_LATER}/32", "dev", "lo"], check=True)
        machine.close()


def test_metadata_addresses_are_closed(reach: Reach, laptop: Laptop) -> None:
    """Refused at once, though the machine itself reaches them."""
    subprocess.run(["ip", "route", "replace", f"{METADATA}/32", "via", OUTSIDE], check=True)
    with socket.create_connection((METADATA, laptop.world.port), timeout=2) as connection:
        assert connection.recv(100) == b"hello from outside"
    answer = reach({"host": METADATA, "port": laptop.world.port})
    assert isinstance(answer, dict)
    assert answer["error"] != "TimeoutError"


def test_other_environments_are_closed(reach: Reach, there: Platform) -> None:
    """Neither another function nor the machine reaches a function's listener."""
    address = reach({"listen": 8000})
    assert address.startswith(("198.", "100."))
    assert isinstance(reach_from(there)({"host": address, "port": 8000}), dict)
    with pytest.raises(OSError), socket.create_connection((address, 8000), timeout=1):
        pass


def test_nobody_listens_in(reach: Reach) -> None:
    """Packet and raw sockets are denied, and an environment has its own interfaces alone."""
    assert reach({"raw": 1}) == "denied"
    assert set(reach({"interfaces": 1})) == {"lo", "eth0"}


def test_a_tool_that_ends_is_started_again(
    reach: Reach, laptop: Laptop, there: Platform, tool: str
) -> None:
    """The way out is back, for the environments there were too."""
    assert reach({"host": OUTSIDE, "port": laptop.world.port}) == "hello from outside"
    os.kill(_find(there.pid, tool), signal.SIGKILL)
    poll(
        lambda: reach({"host": OUTSIDE, "port": laptop.world.port}) == "hello from outside",
        20, "a way out again",
    )  # fmt: skip
    assert not [n for n in there.get_health()["sandbox"]["notices"] if "outside" in n]


def test_isolated_is_the_platform_alone(laptop: Laptop, tool: str) -> None:
    """The tool is not even started."""
    with visiting(laptop.namespace):
        one = laptop.start(tool, "--network", "isolated")
        assert one.health["sandbox"]["network"] == {"mode": "isolated"}
        reach = reach_from(one)
        assert reach({"interfaces": 1}) == ["lo"]
        assert isinstance(reach({"host": OUTSIDE, "port": laptop.world.port}), dict)
        assert not _processes(one.pid)[tool]


def test_nothing_is_left_after_a_kill(laptop: Laptop, tool: str) -> None:
    """Tool, keeper, zygotes and functions go with a platform that is killed; their namespaces with them."""
    with visiting(laptop.namespace):
        one = laptop.start(tool)
        assert reach_from(one)({"interfaces": 1}) == ["lo", "eth0"]
        below = _below(one.pid)
        assert len(below) >= 4
        os.kill(one.pid, signal.SIGKILL)
        one.process.wait()
        poll(lambda: not [pid for pid in below if Path(f"/proc/{pid}").exists()], 10, "all gone")


def test_without_a_tool_health_names_the_package(laptop: Laptop) -> None:
    """Functions are isolated then, as they were before there was a way."""
    with visiting(laptop.namespace):
        one = laptop.start("none")
    sandbox = one.health["sandbox"]
    assert sandbox["network"] == {"mode": "isolated"}
    assert any("apt-get install slirp4netns" in notice for notice in sandbox["notices"])


def _processes(platform: int) -> dict[str, list[int]]:
    """Name → ids of what is below it."""
    found: dict[str, list[int]] = {"slirp4netns": [], "pasta": []}
    for pid in _below(platform):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        found.setdefault(Path(words[0].decode()).name.partition(".")[0], []).append(pid)
    return found


def _find(platform: int, name: str) -> int:
    return _processes(platform)[name][0]


def _below(pid: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            stat = (entry / "stat").read_text()
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found, more = [], [pid]
    while more:
        parent = more.pop()
        children = [child for child, its in parents.items() if its == parent]
        found += children
        more += children
    return found
