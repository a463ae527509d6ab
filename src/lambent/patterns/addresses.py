"""``cidr``: addresses of a network, IPv4 and IPv6.

Source: https://github.com/aws/event-ruler, ``CIDR``.
"""

import socket
from collections.abc import Callable

from lambent.patterns.errors import PatternError


def cidr_test(cidr: str) -> Callable[[str], bool]:
    """A test of address literals; what is no address matches no network.

    Raises:
        PatternError: no network, or one of a single address, which AWS refuses.
    """
    parts = cidr.split("/")
    if len(parts) != 2:
        raise PatternError("Malformed CIDR, one '/' required")
    literal, bits = parts
    if not bits.removeprefix("-").isascii() or not bits.removeprefix("-").isdigit():
        raise PatternError("Malformed CIDR, mask bits must be an integer")
    if bits.startswith("-"):
        raise PatternError("Malformed CIDR, mask bits must not be negative")
    family = socket.AF_INET6 if ":" in literal else socket.AF_INET
    base = _number(family, literal)
    if base is None:
        raise PatternError(f"Nonstandard IP address: {literal}")
    width = 128 if family == socket.AF_INET6 else 32
    if len(bits) > 3 or int(bits) >= width:
        version = "IPv6" if width == 128 else "IPv4"
        raise PatternError(f"{version} mask bits must be < {width}")
    host_bits = width - int(bits)
    network = base >> host_bits

    def contains(text: str) -> bool:
        address = _number(family, text)
        return address is not None and address >> host_bits == network

    return contains


def _number(family: socket.AddressFamily, literal: str) -> int | None:
    try:
        return int.from_bytes(socket.inet_pton(family, literal))
    except (OSError, ValueError):  # ValueError: a null character or a lone surrogate
        return None
