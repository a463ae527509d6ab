"""Control groups: what this host offers, and where a platform's groups are made."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field

from lambent.node.linux.cgroup_files import read, try_write

_PREFIX = "lambent-"
_SUPERVISOR = "-supervisor"
_OURS = re.compile(rf"{_PREFIX}(\d+)({_SUPERVISOR})?")
_CONTROLLERS = ("memory", "cpu", "pids")
_ROUNDS = 5
"""POLICY: as often processes are moved of those that others started meanwhile."""


@dataclass(frozen=True)
class CgroupLayout:
    """Where groups can be made. ``v1``: controller → our directory there; ``v2``: ours, or None."""

    v2: "str | None"
    v2_controllers: frozenset[str]
    v1: "dict[str, str]" = field(default_factory=dict)

    def has(self, controller: str) -> bool:
        """Whether the controller can be used at all."""
        return controller in self.v2_controllers or controller in self.v1

    @property
    def version(self) -> str:
        """``v2``, ``v1`` or ``none``: where the limits are enforced."""
        if "memory" in self.v2_controllers:
            return "v2"
        return "v1" if self.v1 else "none"

    def remove(self) -> None:
        """Removes our directories; environments must be gone."""
        for directory in filter(None, (self.v2, *self.v1.values())):
            _remove_tree(directory)


def _remove_tree(directory: str) -> None:
    """Removes a group and the groups in it, as far as nobody lives there."""
    with suppress(OSError):
        with os.scandir(directory) as children:
            groups = [child.path for child in children if child.is_dir()]
        for group in groups:
            with suppress(OSError):
                os.rmdir(group)
        os.rmdir(directory)


def _remove_leftovers(parent: str) -> None:
    """Removes groups of platforms that were killed: their environments died with them, these stay."""
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            match = _OURS.fullmatch(entry.name)
            if match and not os.path.exists(f"/proc/{match[1]}"):
                _remove_tree(entry.path)


def _mounts(text: str) -> "tuple[str | None, dict[str, str]]":
    """From /proc/mounts: the v2 mount point, and controller → v1 mount point."""
    v2, v1 = None, {}
    for line in text.splitlines():
        _, target, kind, options, *_ = line.split()
        if kind == "cgroup2" and v2 is None:
            v2 = target
        elif kind == "cgroup":
            for name in set(options.split(",")) & set(_CONTROLLERS):
                v1[name] = target
    return v2, v1


def own_paths(text: str) -> "dict[str, str]":
    """From /proc/self/cgroup: controller (``""`` for v2) → our path in its hierarchy."""
    paths = {}
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            paths[name] = path
    return paths


def prepare_layout() -> CgroupLayout:
    """Makes ``lambent-PID`` under our own place in every hierarchy we may write to, and removes what

    platforms that were killed left there.

    Where nothing is writable (an unprivileged user without delegation) the layout is empty.
    """
    name = f"{_PREFIX}{os.getpid()}"
    v2_mount, v1_mounts = _mounts(read("/proc/mounts"))
    own = own_paths(read("/proc/self/cgroup"))
    v2, controllers = _prepare_v2(v2_mount, own.get("", "/"), name) if v2_mount else (None, set())
    v1 = {}
    for controller, target in v1_mounts.items():
        parent = target + own.get(controller, "/").rstrip("/")
        _remove_leftovers(parent)
        directory = f"{parent}/{name}"
        if controller not in controllers and _make(directory):
            v1[controller] = directory
    return CgroupLayout(v2, frozenset(controllers), v1)


def _prepare_v2(mount: str, own: str, name: str) -> "tuple[str | None, set[str]]":
    parent = _choose_parent(mount, own)
    _remove_leftovers(parent)
    directory = f"{parent}/{name}"
    if not _make(directory):
        return None, set()
    available = set(read(f"{parent}/cgroup.controllers").split()) & set(_CONTROLLERS)
    if available:
        _make_room(parent, f"{parent}/{name}{_SUPERVISOR}")
    got = {c for c in available if try_write(f"{parent}/cgroup.subtree_control", f"+{c}")}
    got = {c for c in got if try_write(f"{directory}/cgroup.subtree_control", f"+{c}")}
    return directory, got


def _choose_parent(mount: str, own: str) -> str:
    """The v2 group in which ours is made: the one delegated to us; for root, where none is, the top.

    What was started by a process that another platform moved is in that one's leaf, below the delegated group. And
    in a container ``own`` may be where the host sees it, which the container does not.
    """
    group = mount + own.rstrip("/")
    head, _, last = group.rpartition("/")
    if last.endswith(_SUPERVISOR) and _OURS.fullmatch(last):
        group = head
    is_ours = os.geteuid() != 0 or _is_delegated(group)
    return group if is_ours and os.path.isdir(group) else mount


def _is_delegated(group: str) -> bool:
    """Whether systemd was told ``Delegate=yes``, which it notes at the group (since 236, 251 for all to read).

    Source: systemd, "Control Group APIs and Delegation".
    """
    for attribute in ("trusted.delegate", "user.delegate"):
        with suppress(OSError):
            if os.getxattr(group, attribute) == b"1":
                return True
    return False


def _make_room(group: str, leaf: str) -> None:
    """Moves every process of the group to a leaf below it, us among them.

    A group with processes cannot hand controllers to groups in it ("no internal processes"), but for the very top,
    which has no cgroup.events. POLICY: what shares our group, as the shell we were started by, is moved along: the
    group is ours to divide, and without that nothing would be limited.
    """
    if not os.path.exists(f"{group}/cgroup.events"):
        return
    for _ in range(_ROUNDS):
        pids = read(f"{group}/cgroup.procs").split()
        if not pids or not _make(leaf):
            return
        moved = [try_write(f"{leaf}/cgroup.procs", pid) for pid in pids]
        if not any(moved):
            return


def _make(directory: str) -> bool:
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK)
