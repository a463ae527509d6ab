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

_LOCK_DEADLINE_S, _LOCK_RETRY_S = 5.0, 0.01


class Forwarding:
    """The host's switch, and what we remember of it. ``run_dir``: shared by all platforms of the host."""

    def __init__(
        self, run_dir: str = "/run/lambent", switch: str = "/proc/sys/net/ipv4/ip_forward"
    ) -> None:
        self._run_dir = run_dir
        self._marker = f"{run_dir}/forwarding"
        self._switch = switch

    @contextmanager
    def only_one(self) -> Iterator[None]:
        """Platforms of one host change its network one after the other. Raises OSError."""
        os.makedirs(self._run_dir, exist_ok=True)
        with open(f"{self._run_dir}/lock", "w") as file:
            _lock(file.fileno())
            yield

    def switch_on(self, interfaces: list[str]) -> list[str]:
        """Forwards from here on; the interfaces that did not before. Within :meth:`only_one`.

        Raises OSError.
        """
        with open(self._switch) as file:
            forwards = file.read().strip() == "1"
        if not forwards:
            with open(self._marker, "w") as file:
                json.dump(interfaces, file)
            with open(self._switch, "w") as file:
                file.write("1")
        return self._remembered()

    def switch_off(self, interfaces: list[str]) -> None:
        """As it was before any platform, of which the caller is the last. Within :meth:`only_one`.

        Where interfaces have come since (a container engine's), somebody else relies on forwarding: it stays.
        """
        if not os.path.exists(self._marker):
            return
        if set(interfaces) <= set(self._remembered()):
            with open(self._switch, "w") as file:
                file.write("0")
        os.unlink(self._marker)

    def _remembered(self) -> list[str]:
        """The interfaces there were when forwarding was switched on; none when it was on before."""
        with suppress(OSError, ValueError, TypeError), open(self._marker) as file:
            return [name for name in json.load(file) if isinstance(name, str)]
        return []


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
