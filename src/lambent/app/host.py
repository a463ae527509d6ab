"""What the platform takes of its host: a port, a directory, open files."""

import ctypes
import fcntl
import resource
import socket
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import IO

from lambent.invoke.room import RESERVE_SHARE, Room
from lambent.model.errors import PlatformFault
from lambent.node.linux import memory
from lambent.services.sts.access_keys import read_access_keys
from lambent.services.sts.credentials import Credentials
from lambent.settings import Settings

_MIB = 1024 * 1024


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Source: mallopt(3)."""
_KEPT_BYTES = 64 * 1024 * 1024
_FROM_THE_HEAP_BYTES = 16 * 1024 * 1024
"""POLICY: what is larger, no event is; it comes from the kernel and goes back at once."""


def raise_open_files() -> None:
    """An environment takes about ten descriptors here; the soft limit is often 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def keep_freed_memory() -> None:
    """Large buffers are made of memory that was freed before, up to 64 MiB of it, not of fresh pages each time.

    Left to itself glibc gives the pages of a 6 MB event back when it was handed on, and the kernel clears others
    for the next one. Elsewhere than on glibc nothing is changed.
    """
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _FROM_THE_HEAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def listen(settings: Settings) -> socket.socket:
    """The platform's port, bound first: a port in use should stop everything else from starting."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
    except OSError:
        listener.close()
        raise
    return listener


def open_data_dir(data_dir: Path, stack: AsyncExitStack) -> Path:
    """The directory, private and held by one platform at a time. Raises PlatformFault if it is not."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock: IO[str] = stack.enter_context(open(data_dir / "lock", "w"))  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PlatformFault(
            f"Another Lambent is using {data_dir}. Stop it, or choose another --data directory."
        ) from error
    return data_dir


def access_keys(settings: Settings) -> tuple[Credentials, ...]:
    """The operator's keys, none where nobody is asked for one. Raises PlatformFault when the file is no good."""
    if settings.access_keys is None:
        return ()
    try:
        return read_access_keys(settings.access_keys)
    except (OSError, ValueError) as error:
        raise PlatformFault(f"--access-keys: {error}") from error


def room_of(settings: Settings) -> Room:
    """What environments may have of the memory."""
    reserve_mib = settings.memory_reserve_mib
    return Room(
        int(memory.total_bytes() * RESERVE_SHARE) if reserve_mib is None else reserve_mib * _MIB,
        settings.max_memory_mib,
    )


def read_or_none(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
