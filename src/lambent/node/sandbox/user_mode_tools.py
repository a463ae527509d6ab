"""Programs that give a network namespace a way out without root: which this host has, how each is started.

Both are processes of the user who runs the platform: what a function sends to a machine outside comes from
ordinary sockets of theirs. Both make the interface :data:`TAP` in the network of a process they are given.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

TAP = "tap0"
NETWORK, GATEWAY, ADDRESS = "192.0.0.0/24", "192.0.0.2", "192.0.0.100"
"""POLICY: what is on the interface's link; addresses that no machine outside has (RFC 6890). slirp4netns wants the
gateway to be the network's second and expects the hundredth at the other end."""
MTU_BYTES = 65520
"""The most both can: every packet is a system call of theirs."""
_GATEWAY_MAC = "02:6c:00:00:00:02"
_TUN = "/dev/net/tun"
_IN_ORDER = ("slirp4netns", "pasta")
"""POLICY: what was seen to keep uploads going comes first (ADR 41)."""


@dataclass(frozen=True, slots=True)
class Tool:
    """``name`` is ``slirp4netns`` or ``pasta``; ``path`` where it is."""

    name: str
    path: str

    def command(self, pid: int) -> list[str]:
        """What connects the network of process ``pid``: outwards over IPv4, and to nothing on our loopback."""
        return [self.path, *(_pasta(pid) if self.name == "pasta" else _slirp4netns(pid))]


def _pasta(pid: int) -> list[str]:
    """See pasta(1). It finds its own place: empty root, seccomp, no capability but over its user namespace."""
    return [
        "--foreground", "--quiet", "--ipv4-only",
        # Nothing is copied from an interface of the host: there may be none with a way out just now.
        "--interface", "lo", "--address", ADDRESS, "--netmask", "24", "--gateway", GATEWAY,
        "--mac-addr", _GATEWAY_MAC, "--ns-ifname", TAP, "--mtu", str(MTU_BYTES),
        "--no-map-gw", "--no-dhcp", "--no-icmp",
        "--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none",
        str(pid),
    ]  # fmt: skip


def _slirp4netns(pid: int) -> list[str]:
    """See slirp4netns(1)."""
    return [
        "--disable-host-loopback", "--disable-dns", "--enable-sandbox", "--enable-seccomp",
        f"--cidr={NETWORK}", f"--mtu={MTU_BYTES}", "--netns-type=pid", str(pid), TAP,
    ]  # fmt: skip


def find_tool(which: Callable[[str], "str | None"] = shutil.which) -> Tool | None:
    """The one to use; None where there is none."""
    for name in _IN_ORDER:
        path = which(name)
        if path is not None:
            return Tool(name, path)
    return None


def find_missing(
    which: Callable[[str], "str | None"] = shutil.which, tun: str = _TUN
) -> str | None:
    """What has to be done, by root, before an ordinary user's functions have a way out; None where nothing has."""
    if find_tool(which) is None:
        return (
            "install slirp4netns (sudo apt-get install slirp4netns), or pasta (the package passt)"
        )
    if not os.access(tun, os.R_OK | os.W_OK):
        if not os.path.exists(tun):
            return f"there is no {tun}: sudo modprobe tun"
        return f"{tun} is closed to this user: sudo chmod 666 {tun}"
    return None
