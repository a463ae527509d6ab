"""What a process wakes itself with: socket pairs, pipes, counters with both ends in it, and epolls that wait.

An event loop made at initialisation has all of these. Inherited they would be one for all forks of a template:
each would be woken by its siblings, and poll what is theirs. So each fork gets its own, under the same numbers.
"""

import contextlib
import os
import select
import socket
import stat
from typing import NamedTuple

from lambent.node.linux import syscalls as sys_


class Wakers(NamedTuple):
    """By descriptor. ``pipes``: reading, writing ends; ``polls``: with number, events, data of what they watch."""

    pairs: "list[tuple[int, int, int]]"
    pipes: "list[tuple[list[int], list[int]]]"
    counters: "list[tuple[int, int, int]]"
    polls: "list[tuple[int, list[tuple[int, int, int]]]]"


def find(kept: "set[int]") -> Wakers:
    """Looks at what there is. ``kept``: descriptors that are not the function's."""
    found = Wakers([], [], [], [])
    sockets: dict[int, int] = {}
    pipes: dict[int, tuple[list[int], list[int]]] = {}
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 3 and fd not in kept:
            with contextlib.suppress(OSError, ValueError):  # that of the listing itself
                _look(fd, found, sockets, pipes)
    for inode, fd in sockets.items():
        # The kernel does not say who is at the other end; the two are made, and numbered, together.
        other = sockets.get(inode + 1)
        if other is not None:
            found.pairs.append((fd, other, _unnamed_unix(fd)))
    found.pipes.extend(ends for ends in pipes.values() if all(ends))
    return found


def _look(
    fd: int,
    found: Wakers,
    sockets: "dict[int, int]",
    pipes: "dict[int, tuple[list[int], list[int]]]",
) -> None:
    status, link = os.fstat(fd), os.readlink(f"/proc/self/fd/{fd}")
    if stat.S_ISSOCK(status.st_mode):
        if _unnamed_unix(fd):
            sockets[status.st_ino] = fd
    elif link.startswith("pipe:"):
        flags = int(_info(fd)["flags"][0], 8)
        pipes.setdefault(status.st_ino, ([], []))[flags & os.O_ACCMODE].append(fd)
    elif link == "anon_inode:[eventfd]":
        info = _info(fd)
        semaphore = os.EFD_SEMAPHORE if info.get("eventfd-semaphore") == ["1"] else 0
        found.counters.append((fd, int(info["eventfd-count"][0], 16), semaphore))
    elif link == "anon_inode:[eventpoll]":
        found.polls.append((fd, _watched(fd)))


def _unnamed_unix(fd: int) -> int:
    """The type of a UNIX socket without a name, 0 of every other socket."""
    looked = socket.socket(fileno=fd)
    try:
        is_unnamed = looked.family == socket.AF_UNIX and not looked.getsockname()
        return int(looked.type) if is_unnamed else 0
    finally:
        looked.detach()


def _info(fd: int) -> "dict[str, list[str]]":
    with open(f"/proc/self/fdinfo/{fd}") as file:
        return {name: value.split() for name, _, value in (line.partition(":") for line in file)}


def _watched(fd: int) -> "list[tuple[int, int, int]]":
    """``tfd: 3 events: 19 data: 3 …``: the first in decimal, the others in hexadecimal digits."""
    with open(f"/proc/self/fdinfo/{fd}") as file:
        words = [line.split() for line in file if line.startswith("tfd:")]
    return [(int(line[1]), int(line[3], 16), int(line[5], 16)) for line in words]


def renew(wakers: Wakers) -> None:
    """Puts a new one in the place of each."""
    for first, second, kind in wakers.pairs:
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        _replace(ours.detach(), [first])
        _replace(theirs.detach(), [second])
    for readers, writers in wakers.pipes:
        reader, writer = os.pipe()
        _replace(reader, readers)
        _replace(writer, writers)
    for fd, count, flags in wakers.counters:
        _replace(os.eventfd(count, flags), [fd])
    for fd, watched in wakers.polls:
        with select.epoll() as made:
            _replace(os.dup(made.fileno()), [fd])
        for number, events, data in watched:
            with contextlib.suppress(OSError):  # what cannot be watched any more
                sys_.epoll_add(fd, number, events, data)


def _replace(new: int, olds: "list[int]") -> None:
    for old in olds:
        os.set_blocking(new, os.get_blocking(old))
        os.dup2(new, old, inheritable=os.get_inheritable(old))
    os.close(new)
