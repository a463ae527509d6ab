"""Forwarding between interfaces, switched on for the time some platform of this host needs it.

Where the host did not forward before, a marker under ``/run`` says so (it survives a platform that is
killed): which interfaces there were, between which nothing is to be forwarded now either; and the last platform to
stop switches it off again.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_RUN_DIR = "/run/lambent"
_MARKER = f"{_RUN_DIR}/forwarding"
_LOCK_DEADLINE_S, _LOCK_RETRY_S = 5.0, 0.01
_SWITCH = "/proc/sys/net/ipv4/ip_forward"


@contextmanager
def only_one() -> Iterator[None]:
    """Platforms of one host change its network one after the other. Raises OSError."""
    os.makedirs(_RUN_DIR, exist_ok=True)
    with open(f"{_RUN_DIR}/lock", "w") as file:
        _lock(file.fileno())
        yield


def _lock(fd: int) -> None:
    """Blocks this thread, for a while at most: others hold the lock for some milliseconds."""
    end_s = time.monotonic() + _LOCK_DEADLINE_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end_s:
                raise
            time.sleep(_LOCK_RETRY_S)
        else:
            return


def switch_on(interfaces: list[str]) -> list[str]:
    """Forwards from here on; the interfaces that did not before. Within :func:`only_one`. Raises OSError."""
    with open(_SWITCH) as file:
        forwards = file.read().strip() == "1"
    if not forwards:
        with open(_MARKER, "w") as file:
            json.dump(interfaces, file)
        with open(_SWITCH, "w") as file:
            file.write("1")
    with suppress(OSError, ValueError), open(_MARKER) as file:
        return [name for name in json.load(file) if isinstance(name, str)]
    return []


def switch_off() -> None:
    """As it was before any platform, which the caller knows to be the last. Within :func:`only_one`."""
    if os.path.exists(_MARKER):
        with open(_SWITCH, "w") as file:
            file.write("0")
        os.unlink(_MARKER)
