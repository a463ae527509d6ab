"""Name resolution inside, from the host's: pure decisions."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

_NOTICE = (
    "names do not resolve inside: the host's resolver listens on the host alone. Name one in /etc/resolv.conf "
    "that other machines reach, too"
)


@dataclass(frozen=True, slots=True)
class Resolver:
    """``text``: resolv.conf for inside; ``addresses``: its servers; ``notice``: why there are none."""

    text: str
    addresses: tuple[str, ...]
    notice: str | None = None


def choose_resolver(
    resolv_conf: str, upstream_conf: str, is_own: Callable[[str], bool]
) -> Resolver:
    """What environments ask: the host's servers, without those only the host itself reaches.

    ``upstream_conf``: what systemd-resolved asks in turn (``/run/systemd/resolve/resolv.conf``), used where
    the host's servers are all its own; ``is_own``: whether an address is one of the host's.
    """
    for text in (resolv_conf, upstream_conf):
        servers = tuple(s for s in _servers(text) if not is_own(s))
        if servers:
            lines = [f"nameserver {s}" for s in servers] + _other_lines(text)
            return Resolver("\n".join(lines) + "\n", servers)
    return Resolver("", (), _NOTICE)


def _servers(text: str) -> list[str]:
    """IPv4 servers: there is no IPv6 inside."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                address = ipaddress.IPv4Address(words[1])
            except ValueError:
                continue
            if not (address.is_loopback or address.is_unspecified):
                found.append(str(address))
    return found


def _other_lines(text: str) -> list[str]:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [line for line in lines if line.startswith(("search ", "domain ", "options "))]
