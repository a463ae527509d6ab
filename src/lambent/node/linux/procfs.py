"""What /proc tells of a process, for hosts whose cgroups do not."""

from contextlib import suppress


def peak_resident_bytes(pid: int) -> int:
    """The process's resident high-water mark; 0 when it is gone or the host does not tell."""
    with suppress(OSError, ValueError), open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def first_child(pid: int) -> int:
    """The pid of its first child; 0 when there is none."""
    with (
        suppress(OSError, ValueError, IndexError),
        open(f"/proc/{pid}/task/{pid}/children") as file,
    ):
        return int(file.read().split()[0])
    return 0


def parent_of(pid: int) -> int:
    """The process that forked it, or took it over; 0 when it is gone."""
    with suppress(OSError, ValueError), open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("PPid:"):
                return int(line.split()[1])
    return 0


def pids_by_namespace(pid: int) -> list[int]:
    """A process's ids, from ours down to that in its own pid namespace. Raises OSError when it is gone."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("NSpid:"):
                return [int(part) for part in line.split()[1:]]
    return [pid]
