"""How much memory is left on this machine, or in the group this process is in."""

import os
from contextlib import suppress
from pathlib import Path

_KIB = 1024
_UNLIMITED = 1 << 60


def total_bytes() -> int:
    """What this process and its children can have at most."""
    return min(_meminfo(b"MemTotal:"), *(limit for limit, _ in _groups()), _UNLIMITED)


def available_bytes() -> int:
    """What can still be had without swapping: of the machine, and of every group with a limit above this process.

    Where ``/proc`` does not tell, as on macOS, without end.
    """
    left = [limit - used for limit, used in _groups()]
    return max(0, min(_meminfo(b"MemAvailable:"), *left, _UNLIMITED))


def _meminfo(name: bytes) -> int:
    text = _read_meminfo()
    start = text.find(name)
    return int(text[start + len(name) :].split(None, 1)[0]) * _KIB if start >= 0 else _UNLIMITED


_MEMINFO = -1


def _read_meminfo() -> bytes:
    """Opened once: that takes as long as reading it, and each cold start reads it."""
    global _MEMINFO  # noqa: PLW0603
    try:
        if _MEMINFO < 0:
            _MEMINFO = os.open("/proc/meminfo", os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(_MEMINFO, 4096, 0)
    except OSError:
        return b""


def _groups() -> list[tuple[int, int]]:
    """Limit and use of each limited group this process is in, page cache that can go not counted as used."""
    found = []
    for directory, limit, used in _limited_groups():
        with suppress(OSError, ValueError):
            found.append((int((directory / limit).read_bytes()), _used(directory, used)))
    return found


def _used(directory: Path, name: str) -> int:
    used = int((directory / name).read_bytes())
    for line in (directory / "memory.stat").read_bytes().splitlines():
        if line.startswith((b"inactive_file ", b"total_inactive_file ")):
            return max(0, used - int(line.split()[1]))
    return used


_LIMITED: list[tuple[Path, str, str]] | None = None


def _limited_groups() -> list[tuple[Path, str, str]]:
    """Looked up once: groups above a running process seldom change."""
    global _LIMITED  # noqa: PLW0603
    if _LIMITED is None:
        _LIMITED = [
            (directory, limit, used)
            for directory, limit, used in _own_groups(Path("/proc/self/cgroup"))
            if _is_limited(directory / limit)
        ]
    return _LIMITED


def _is_limited(path: Path) -> bool:
    try:
        text = path.read_text().strip()
    except OSError:
        return False
    return text.isdecimal() and int(text) < _UNLIMITED


def _own_groups(listing: Path) -> list[tuple[Path, str, str]]:
    """The groups of this process and those above them, v1's memory controller and v2's tree."""
    try:
        lines = listing.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            roots = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")]
            names = ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            roots = [Path("/sys/fs/cgroup/memory")]
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        for root in roots:
            own = root / path.lstrip("/")
            above = (own, *own.parents)
            found += [(one, *names) for one in above[: above.index(root) + 1]]
    return found
