"""The zygote's root without the way to the node's files: where a child starts that is told everything at once.

Who unmounts something waits until every processor has let go of it (``synchronize_rcu_expedited``): 0.05 to
0.3 ms each time on a quiet machine, milliseconds on a busy one. A child that is born here has nothing to unmount;
code and layers come with it as mounts that are nowhere yet.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from lambent.node.linux import syscalls as sys_
from lambent.node.zygote.container import IMAGES
from lambent.node.zygote.root import HIDDEN, SHARED

_WAYS = (IMAGES, SHARED, f"{HIDDEN}/code", f"{HIDDEN}/proc")
_PLACES = {"task_dir": "/var/task", "opt_dir": "/opt"}
_MORE = ("mounts", "image", "file_system")
"""What lies in the zygote's root and is not mounted by descriptor."""

Trees = Sequence[tuple[int, str]]
"""Mounts by descriptor, and where they are to be."""


class BareRoot:
    """A mount namespace beside the zygote's own, ``home``. Needs CAP_SYS_ADMIN over both. Raises OSError."""

    def __init__(self, home: int) -> None:
        self._home = home
        sys_.unshare(sys_.CLONE_NEWNS)
        try:
            self._namespace = os.open(f"{HIDDEN}/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            for way in _WAYS:
                with suppress(OSError):  # not every zygote has images and shared file systems
                    sys_.umount(way, sys_.MNT_DETACH)
        finally:
            sys_.setns(home, sys_.CLONE_NEWNS)

    @contextmanager
    def entered(self, request: "dict[str, Any]") -> "Iterator[Trees | None]":
        """For a fork that ``request`` asks for: what the child is to mount with :func:`mount`.

        None, and nothing entered, where the child needs more of the zygote's root than code and layers.
        """
        wanted = _trees(request)
        if wanted is None:
            yield None
            return
        trees: list[tuple[int, str]] = []
        try:
            trees.extend((sys_.clone_mount(path), target) for path, target in wanted)
            sys_.setns(self._namespace, sys_.CLONE_NEWNS)
            try:
                yield trees
            finally:
                sys_.setns(self._home, sys_.CLONE_NEWNS)
        finally:
            for tree, _ in trees:
                os.close(tree)


def _trees(request: "dict[str, Any]") -> "list[tuple[str, str]] | None":
    """Where what is a function's lies, and where it is to be."""
    if request.get("python_cell"):
        return []
    rest = request["rest"]
    if rest is None or "template" in request:
        return None
    if any(rest.get(name) for name in _MORE):
        return None
    return [(rest[name], target) for name, target in _PLACES.items() if rest[name]]


def mount(trees: Trees) -> None:
    """In the child: puts everything in its place."""
    for tree, target in trees:
        sys_.attach_mount(tree, target)
        os.close(tree)
