"""What a fork of a template takes along besides its memory: the files of ``/tmp``, and what was open.

AWS's snapshot has memory and disk. Here a fork has a ``/tmp`` of its own, empty, so the template's files are
copied into it; files open there are opened again, at the same place: one that two processes inherit is one file.
Network connections do not survive: each reads as closed by the other side, where on AWS it would be dead too.
"""

import contextlib
import os
import shutil
import socket
import stat
from typing import NamedTuple

_TMP = "/tmp"  # noqa: S108 - the function's own


class Luggage(NamedTuple):
    """``tmp``: the template's directory, or -1 where it is empty. ``files``: descriptor, path, flags, offset."""

    tmp: int
    files: "list[tuple[int, str, int, int]]"
    sockets: "list[int]"


def pack(kept: "set[int]") -> Luggage:
    """Looks at what there is, in the template's namespaces. ``kept``: descriptors that are not the function's."""
    files, sockets = [], []
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd <= 3 or fd in kept:  # the standard ones and the log's are replaced in any case
            continue
        try:
            mode = os.fstat(fd).st_mode
            if stat.S_ISSOCK(mode):
                sockets.append(fd)
            elif stat.S_ISREG(mode):
                path = os.readlink(f"/proc/self/fd/{fd}")
                if path.startswith(_TMP + "/"):
                    files.append((fd, path, _flags(fd), os.lseek(fd, 0, os.SEEK_CUR)))
        except OSError:
            continue  # the descriptor of the listing itself
    return Luggage(_open_tmp(), files, sockets)


def unpack(luggage: Luggage) -> None:
    """Puts it in place, in the fork's own namespaces."""
    if luggage.tmp >= 0:
        source = f"/proc/self/fd/{luggage.tmp}"
        with contextlib.suppress(
            shutil.Error
        ):  # a pipe or a socket, which nobody is at the other end of
            shutil.copytree(source, _TMP, symlinks=True, dirs_exist_ok=True)
        os.close(luggage.tmp)
    for fd, path, flags, offset in luggage.files:
        _reopen(fd, path, flags, offset)
    if luggage.sockets:
        ours, theirs = socket.socketpair()
        theirs.close()
        with ours:
            for fd in luggage.sockets:
                os.dup2(ours.fileno(), fd, inheritable=False)


def _open_tmp() -> int:
    with os.scandir(_TMP) as entries:
        is_empty = next(entries, None) is None
    return -1 if is_empty else os.open(_TMP, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _flags(fd: int) -> int:
    with open(f"/proc/self/fdinfo/{fd}") as file:
        for line in file:
            if line.startswith("flags:"):
                return int(line.split()[1], 8)
    return os.O_RDONLY


def _reopen(fd: int, path: str, flags: int, offset: int) -> None:
    """The same file of the new ``/tmp``; one that was deleted has its content in a file nobody else has."""
    kept = flags & (os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK)
    try:
        new = os.open(path, kept | os.O_CLOEXEC)
    except OSError:
        new = os.open(_TMP, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        size = os.fstat(fd).st_size
        done = 0
        with contextlib.suppress(OSError):  # open for writing alone
            while done < size:
                done += os.sendfile(new, fd, done, size - done)
    os.lseek(new, offset, os.SEEK_SET)
    os.dup2(new, fd, inheritable=not flags & os.O_CLOEXEC)
    os.close(new)
