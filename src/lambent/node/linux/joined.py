"""Looking at a process before it is trusted: what /proc says of its powers and of the namespaces it is in."""

import os

_POWERS = ("CapInh", "CapPrm", "CapEff", "CapAmb")
_NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts")


def check_joined(pid: int, init: int, uid: int) -> None:
    """That ``pid`` is in every namespace of ``init``, alone in its process, ``uid``, powerless and filtered.

    Raises PermissionError where it is not, FileNotFoundError or ProcessLookupError where it is gone.
    """
    check_restored(pid, init, uid)
    if _status(pid)["Threads"] != "1":
        raise PermissionError(f"process {pid} is more than it may be")


def check_restored(pid: int, init: int, uid: int) -> None:
    """The same of a process with any number of threads; see :func:`check_powerless` for those."""
    status = _status(pid)
    _check_powers(pid, status)
    if status["Uid"].split() != [str(uid)] * 4:
        raise PermissionError(f"process {pid} is more than it may be")
    if status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
        raise PermissionError(f"process {pid} is not filtered")
    for name in _NAMESPACES:
        if os.readlink(f"/proc/{pid}/ns/{name}") != os.readlink(f"/proc/{init}/ns/{name}"):
            raise PermissionError(f"process {pid} is not in the {name} namespace made for it")


def check_powerless(pids: "set[int]") -> None:
    """That no thread of these processes holds a capability. Those that are gone hold none.

    Raises PermissionError.
    """
    for pid in pids:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
            for thread in threads:
                _check_powers(pid, _status(pid, f"task/{thread}/"))
        except (FileNotFoundError, ProcessLookupError):
            continue


def _status(pid: int, thread: str = "") -> "dict[str, str]":
    with open(f"/proc/{pid}/{thread}status") as file:
        return {name: value.strip() for name, _, value in (line.partition(":") for line in file)}


def _check_powers(pid: int, status: "dict[str, str]") -> None:
    if any(int(status[name], 16) for name in _POWERS):
        raise PermissionError(f"process {pid} holds capabilities")
