"""What an environment has used of the machine: CPU, network, threads, files, /tmp."""

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """Counted since the environment began, but for what there is now. None: this host does not tell."""

    cpu_user_ms: float | None = None
    cpu_system_ms: float | None = None
    rx_bytes: int | None = None
    tx_bytes: int | None = None
    threads: int | None = None
    """Now."""
    open_files: int | None = None
    """Now."""
    max_open_files: int | None = None
    tmp_free_bytes: int | None = None
    """Now."""
    tmp_bytes: int | None = None


def read_usage(pid: int, pids: Iterable[int], cpu_ms: tuple[float, float] | None) -> Usage:
    """Of the environment whose first process is ``pid`` and whose processes are ``pids``.

    ``cpu_ms``: user and system time of its cgroup; without one, those of its processes that live. A process that
    ends meanwhile is left out.
    """
    living = sorted({pid, *pids})
    if cpu_ms is None:
        cpu_ms = _cpu_ms(living)
    rx_bytes, tx_bytes = _network_bytes(pid)
    free, size = _tmp_bytes(pid)
    return Usage(
        cpu_ms and cpu_ms[0],
        cpu_ms and cpu_ms[1],
        rx_bytes,
        tx_bytes,
        _total(_entries(f"/proc/{one}/task") for one in living),
        _total(_entries(f"/proc/{one}/fd") for one in living),
        _max_open_files(pid),
        free,
        size,
    )


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _entries(directory: str) -> int | None:
    try:
        return len(os.listdir(directory))
    except OSError:
        return None


def _cpu_ms(pids: Iterable[int]) -> tuple[float, float] | None:
    """Source: proc_pid_stat(5): fields 14 and 15, counted behind the name, which may hold anything."""
    found = None
    for pid in pids:
        with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
            user, system = int(fields[11]) * 1000 / _TICKS, int(fields[12]) * 1000 / _TICKS
            found = (user, system) if found is None else (found[0] + user, found[1] + system)
    return found


def _network_bytes(pid: int) -> tuple[int | None, int | None]:
    """Of every interface but the loopback one, where the Runtime API is."""
    rx_bytes = tx_bytes = 0
    try:
        with open(f"/proc/{pid}/net/dev", "rb") as file:
            lines = file.read().splitlines()[2:]
    except OSError:
        return None, None
    for line in lines:
        name, _, counts = line.partition(b":")
        if name.strip() != b"lo":
            fields = counts.split()
            rx_bytes += int(fields[0])
            tx_bytes += int(fields[8])
    return rx_bytes, tx_bytes


def _max_open_files(pid: int) -> int | None:
    with suppress(OSError, ValueError), open(f"/proc/{pid}/limits") as file:
        for line in file:
            if line.startswith("Max open files"):
                return int(line.split()[3])
    return None


def _tmp_bytes(pid: int) -> tuple[int | None, int | None]:
    """Free and whole size of its ``/tmp``."""
    try:
        found = os.statvfs(f"/proc/{pid}/root/tmp")
    except OSError:
        return None, None
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
