"""How a loaded stem cell becomes a function's: what it offers for that, and what the zygote does from outside.

The cell's program has no privileges any more, and reads standard input until its end; ADR 27 tells what it must
keep to. Whoever holds the other end, and its mount namespace, can make it a function's:

1. the node writes the function's variables into the pipe, and hands pipe and namespace to the zygote;
2. the zygote mounts code and layers there and closes the pipe, the last one to do so: the program goes on.
"""

import os
import socket
from typing import Any

from lambent.node.linux import syscalls as sys_


def offer(control: socket.socket) -> int:
    """In the cell: hands its mount namespace and the way to its standard input to the node; returns the latter."""
    reader, writer = os.pipe()
    namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    socket.send_fds(control, [b"waits"], [namespace, writer])
    os.close(namespace)
    os.close(writer)
    return reader


def assign(home: int, fds: "list[int]", wanted: "dict[str, Any]") -> None:
    """In the zygote: mounts what is a function's in the mount namespace ``fds[0]``, and is back in ``home``.

    ``fds[1]``, the way to the program's standard input, is closed and taken out as soon as all is mounted.
    ``task_dir`` and ``opt_dir`` are where they lie in the zygote's root, which a cell does not see: they get there
    as mounts that are nowhere yet. Raises OSError; the cell is of no use then.
    """
    trees = [(sys_.clone_mount(wanted["task_dir"]), "/var/task")]
    try:
        if wanted["opt_dir"]:
            trees.append((sys_.clone_mount(wanted["opt_dir"]), "/opt"))
        sys_.setns(fds[0], sys_.CLONE_NEWNS)
        try:
            for tree, target in trees:
                sys_.attach_mount(tree, target)
            flags = sys_.MS_REMOUNT | sys_.MS_NOSUID | sys_.MS_NODEV
            sys_.mount("", "/tmp", "", flags, f"size={wanted['tmp_mib']}m")  # noqa: S108 - inside
            os.close(fds.pop(1))  # the program goes on
        finally:
            sys_.setns(home, sys_.CLONE_NEWNS)
    finally:
        for tree, _ in trees:
            os.close(tree)
