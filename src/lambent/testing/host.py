"""What a test leaves on its host: descriptors, processes and mounts, to compare before and after."""

import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def open_descriptors() -> dict[int, str]:
    """This process's open descriptors and what they lead to."""
    found = {}
    for entry in (_PROC / "self" / "fd").iterdir():
        with suppress(OSError):  # the one that lists
            found[int(entry.name)] = str(entry.readlink())
    return found


def descendants() -> set[int]:
    """The pids of this process's children and theirs, zombies included.

    Not those of a platform that is a child: other tests keep one, and it starts and ends what it likes.
    """
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    waiting = [os.getpid()]
    while waiting:
        more = children.get(waiting.pop(), [])
        found.update(more)
        waiting += [pid for pid in more if not _is_platform(pid)]
    return found


def _is_platform(pid: int) -> bool:
    with suppress(OSError):
        return b"lambent\0up\0" in (_PROC / str(pid) / "cmdline").read_bytes()
    return False


def processes_with(marker: str) -> set[int]:
    """The pids of all processes on this host whose command line contains ``marker``."""
    found = set()
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                if marker.encode() in (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
    return found


def mounts() -> int:
    """How many mounts this process sees."""
    return len((_PROC / "self" / "mountinfo").read_text().splitlines())
