"""Which functions a waiting Node.js can become: those that set nothing it has read by then.

What runs in it is ``waiting.cjs``. The same functions are started with ``starting.cjs`` where none waits.
"""

from collections.abc import Iterable
from pathlib import Path

STARTING = str(Path(__file__).with_name("starting.cjs"))
WAITING = str(Path(__file__).with_name("waiting.cjs"))
_READ_AT_START = (
    "AWS_LAMBDA_",  # the client's own, and the wrapper script
    "GLIBC_TUNABLES",
    "ICU_DATA",
    "LANGUAGE",
    "LC_",
    "LD_",
    "MALLOC_",
    "NODE_",
    "OPENSSL_",
    "SSL_CERT_",
    "TZDIR",
    "UV_",
    "V8_",
)
"""How variables begin that the C library, libuv, OpenSSL, ICU, Node.js and AWS's client read when they start."""
_READ_LATER = frozenset({"NODE_ENV"})
"""No part of Node.js reads it; modules do."""


def can_wait(names: Iterable[str]) -> bool:
    """Whether a function with variables of these names may be a process that was started without them."""
    return all(name in _READ_LATER or not name.startswith(_READ_AT_START) for name in names)
