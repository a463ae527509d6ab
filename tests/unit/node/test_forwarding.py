"""The host's forwarding switch: on while a platform needs it, and back as it was."""

from pathlib import Path

import pytest

from lambent.node.sandbox.forwarding import Forwarding

HOST = ["eth0", "wlan0"]


@pytest.fixture(name="switch")
def make_switch(tmp_path: Path) -> Path:
    """A host that does not forward."""
    switch = tmp_path / "ip_forward"
    switch.write_text("0\n")
    return switch


def forwarding(switch: Path) -> Forwarding:
    """A platform on that host."""
    return Forwarding(str(switch.parent / "run"), str(switch))


def test_the_last_platform_switches_it_off(switch: Path) -> None:
    """A platform after another, or after one that was killed, knows what the host was like before either."""
    for _ in range(2):
        one = forwarding(switch)
        with one.only_one():
            assert one.switch_on(HOST) == HOST
        assert switch.read_text().strip() == "1"
    with one.only_one():
        one.switch_off(HOST[:1])
        assert switch.read_text() == "0"
        one.switch_off(HOST)
    assert switch.read_text() == "0"


def test_a_host_that_forwards_goes_on(switch: Path) -> None:
    """It was on before: nothing is to be kept from forwarding, and nothing is switched off."""
    switch.write_text("1\n")
    one = forwarding(switch)
    with one.only_one():
        assert one.switch_on(HOST) == []
        one.switch_off(HOST)
    assert switch.read_text() == "1\n"


def test_it_stays_on_for_those_who_came_since(switch: Path) -> None:
    """A container engine that found forwarding on does not lose it when the last platform stops."""
    one = forwarding(switch)
    with one.only_one():
        one.switch_on(HOST)
        one.switch_off([*HOST, "docker0"])
        assert switch.read_text() == "1"
        assert one.switch_on([*HOST, "docker0"]) == []


@pytest.mark.parametrize("text", ["", "{", "7", "[1, null]"])
def test_a_broken_marker_remembers_nothing(switch: Path, text: str) -> None:
    """Whatever is in the file, platforms start."""
    one = forwarding(switch)
    switch.write_text("1")
    with one.only_one():
        (switch.parent / "run" / "forwarding").write_text(text)
        assert one.switch_on(HOST) == []
