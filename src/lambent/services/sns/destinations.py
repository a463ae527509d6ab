"""Where HTTP deliveries may go. Pure.

Users choose the addresses, so the platform must not be talked into calling what only it may call. What an endpoint
gets before its owner confirmed is one message of fixed form; its answers go to nobody.

1. The platform's own endpoints, ``/_lambent/``, are never called, on whatever host and port, however spelt.
2. Link-local addresses and the metadata services of clouds elsewhere, multicast and ``0.0.0.0`` are never
   called. For subscriptions that a function asked for only public addresses are: its own network does not
   reach this machine either.
3. The address is checked after the name was resolved, and that address is the one connected to.
4. Redirects are not followed.

# POLICY: loopback and private networks are allowed: that is where the endpoints of a self-hosted platform are.
"""

import ipaddress
import posixpath
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from lambent.services.sns import faults

MAX_URL_CHARS = 2_048
"""POLICY."""
_URL = re.compile(r"[\x21-\x7e]+")
_INTERNAL = "/_lambent"
_METADATA = {ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("100.100.100.200")}
"""Those of Azure and Alibaba Cloud; the others' are link-local."""
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Destination:
    """An endpoint's URL, taken apart. ``target`` is what stands in the request line."""

    scheme: str
    host: str
    port: int
    target: str
    user_info: str | None
    public_only: bool = False

    @property
    def host_header(self) -> str:
        """The host, with the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_destination(protocol: str, url: str, *, public_only: bool = False) -> Destination:
    """Where a URL leads.

    Raises ``InvalidParameter`` for what is no URL of the protocol, or one that is never called.
    """
    if not url.startswith(f"{protocol}://"):
        raise faults.invalid("Endpoint must match the specified protocol")
    if len(url) > MAX_URL_CHARS or not _URL.fullmatch(url):
        raise faults.invalid("HTTP(S) Endpoint")  # best known
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise faults.invalid("HTTP(S) Endpoint") from None
    if not host or port == 0:
        raise faults.invalid("HTTP(S) Endpoint")
    if is_internal(parts.path):
        raise faults.invalid("Endpoint Reason: the platform's own endpoints cannot be subscribed")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = port or _PORTS[protocol]
    return Destination(protocol, host, port, target, _user_info(parts), public_only)


def is_internal(path: str) -> bool:
    """Whether a path leads to the platform's own endpoints, decoded and straightened."""
    for spelt in (path, unquote(path), unquote(unquote(path))):
        straight = posixpath.normpath("/" + spelt.lstrip("/")).lower()
        if straight == _INTERNAL or straight.startswith(_INTERNAL + "/"):
            return True
    return False


def is_address(host: str) -> bool:
    """Whether a host is an address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def may_call(address: str, *, public_only: bool = False) -> bool:
    """Whether an address, as resolved, may be connected to."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed in _METADATA or parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified:
        return False
    return parsed.is_global or not public_only


def _user_info(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}"
