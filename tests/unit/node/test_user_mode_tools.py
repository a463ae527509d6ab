"""Tools for a way out without root: which is used, and what is said where none can be."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.node.sandbox.user_mode_tools import Tool, find_missing, find_tool


def _among(**programs: str) -> Callable[[str], str | None]:
    """Finds those programs and no others."""

    def find(name: str) -> str | None:
        return programs.get(name)

    return find


def test_slirp4netns_comes_before_pasta() -> None:
    """Where both are there the one that keeps uploads going is used, else the other."""
    both = _among(pasta="/usr/bin/pasta", slirp4netns="/usr/bin/slirp4netns")
    assert find_tool(both) == Tool("slirp4netns", "/usr/bin/slirp4netns")
    assert find_tool(_among(pasta="/opt/pasta")) == Tool("pasta", "/opt/pasta")
    assert find_tool(_among()) is None


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("slirp4netns", {"--disable-host-loopback", "--disable-dns", "--enable-sandbox"}),
        ("pasta", {"--no-map-gw", "--ipv4-only", "--foreground"}),
    ],
)
def test_neither_leads_to_the_hosts_loopback(name: str, needed: set[str]) -> None:
    """What each could do for the host's loopback, or from outside, is switched off."""
    command = Tool(name, f"/usr/bin/{name}").command(4711)
    assert needed <= set(command)
    assert "4711" in command[-2:]
    for option in ("--tcp-ports", "--udp-ports", "--tcp-ns", "--udp-ns") * (name == "pasta"):
        assert command[command.index(option) + 1] == "none"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """The package without a tool, the device without access; nothing where both are there."""
    tun = tmp_path / "tun"
    there = _among(slirp4netns="/usr/bin/slirp4netns")
    assert "apt-get install slirp4netns" in str(find_missing(_among(), str(tun)))
    assert "modprobe tun" in str(find_missing(there, str(tun)))
    tun.touch()
    assert find_missing(there, str(tun)) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_closed_device_is_named(tmp_path: Path) -> None:
    """With the command that opens it."""
    tun = tmp_path / "tun"
    tun.touch(0o000)
    assert "chmod 666" in str(find_missing(_among(pasta="/opt/pasta"), str(tun)))
