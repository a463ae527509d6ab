"""Control groups: what this host offers, and one group per execution environment.

Controllers are taken from v2 where v2 has them, else from their v1 hierarchy. Freezing and killing
use v2's ``cgroup.freeze`` and ``cgroup.kill`` wherever a v2 hierarchy is mounted, controllers or not.

Tested on a host with v1 controllers beside an empty v2 hierarchy; v2 controllers are written after the
kernel's documentation.
"""

import os
from contextlib import suppress
from dataclasses import dataclass, field

from lambent.node.linux.cpu_share import PERIOD_US, VCPU_MIB, cpu_quota_us

_MIB = 1024 * 1024
_PREFIX = "lambent-"
_CONTROLLERS = ("memory", "cpu", "pids")


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
        for child in os.scandir(directory):
            if child.is_dir():
                os.rmdir(child.path)
        os.rmdir(directory)


def _remove_leftovers(parent: str) -> None:
    """Removes groups of platforms that were killed: their environments died with them, these stay."""
    with suppress(OSError):
        for entry in os.scandir(parent):
            pid = entry.name.removeprefix(_PREFIX)
            if pid != entry.name and pid.isdecimal() and not os.path.exists(f"/proc/{pid}"):
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


def _own_paths(text: str) -> "dict[str, str]":
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
    v2_mount, v1_mounts = _mounts(_read("/proc/mounts"))
    own = _own_paths(_read("/proc/self/cgroup"))
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
    # A group with processes cannot hand controllers to children, so root works under the top; a
    # user with a delegated group makes room by moving itself to a leaf.
    parent = mount if os.geteuid() == 0 else mount + own.rstrip("/")
    _remove_leftovers(parent)
    directory = f"{parent}/{name}"
    if not _make(directory):
        return None, set()
    available = set(_read(f"{parent}/cgroup.controllers").split()) & set(_CONTROLLERS)
    if available and os.geteuid() != 0:
        leaf = f"{parent}/{name}-supervisor"
        if _make(leaf):
            _try_write(f"{leaf}/cgroup.procs", "0")
    got = {c for c in available if _try_write(f"{parent}/cgroup.subtree_control", f"+{c}")}
    got = {c for c in got if _try_write(f"{directory}/cgroup.subtree_control", f"+{c}")}
    return directory, got


def _make(directory: str) -> bool:
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK)


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _try_write(path: str, text: str) -> bool:
    try:
        _write(path, text)
    except OSError:
        return False
    return True


class Cgroup:
    """One environment's group: limits at birth, then freeze, thaw, peak and kill.

    ``v2_fd`` is the v2 directory for ``clone3`` (-1 without v2); ``v1_task_fds`` are ``tasks`` files the
    child writes ``0`` to.
    """

    def __init__(self, layout: CgroupLayout, name: str) -> None:
        self._directories = {c: f"{d}/{name}" for c, d in layout.v1.items()}
        self._v2 = f"{layout.v2}/{name}" if layout.v2 else None
        self._on_v2 = layout.v2_controllers
        self.v2_fd = self._freeze_fd = self._peak_fd = -1
        self._has_quota = False
        self.v1_task_fds: list[int] = []

    def create(self, memory_mib: int, max_pids: int) -> None:
        """Makes the group with its limits. CPU: a weight in proportion to memory; see :meth:`limit_cpu`."""
        for directory in self._directories.values():
            os.mkdir(directory)
        if self._v2:
            os.mkdir(self._v2)
            self.v2_fd = os.open(self._v2, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._freeze_fd = os.open(f"{self._v2}/cgroup.freeze", os.O_WRONLY | os.O_CLOEXEC)
        for controller in ("memory", "cpu", "pids"):
            getattr(self, f"_limit_{controller}")(memory_mib, max_pids)
        self.v1_task_fds = [
            os.open(f"{d}/tasks", os.O_WRONLY | os.O_CLOEXEC)
            for d in set(self._directories.values())
        ]

    def resize(self, memory_mib: int) -> None:
        """Less memory than it was created with, and the weight that goes with that. Raises OSError."""
        self._limit_memory(memory_mib, 0)
        self._limit_cpu(memory_mib, 0)

    def _limit_memory(self, memory_mib: int, _: int) -> None:
        if "memory" in self._on_v2:
            _write(f"{self._v2}/memory.max", str(memory_mib * _MIB))
            _try_write(f"{self._v2}/memory.swap.max", "0")
            _try_write(f"{self._v2}/memory.oom.group", "1")
            peak = f"{self._v2}/memory.peak"
        elif "memory" in self._directories:
            directory = self._directories["memory"]
            _write(f"{directory}/memory.limit_in_bytes", str(memory_mib * _MIB))
            _try_write(f"{directory}/memory.memsw.limit_in_bytes", str(memory_mib * _MIB))
            peak = f"{directory}/memory.max_usage_in_bytes"
        else:
            return
        if self._peak_fd >= 0:
            return
        with suppress(OSError):  # memory.peak: Linux 5.19
            self._peak_fd = os.open(peak, os.O_RDONLY | os.O_CLOEXEC)

    def _limit_cpu(self, memory_mib: int, _: int) -> None:
        # 1,024 shares (v1) and weight 100 (v2) are the kernel's "one".
        if "cpu" in self._on_v2:
            _write(f"{self._v2}/cpu.weight", str(max(1, memory_mib * 100 // VCPU_MIB)))
        elif "cpu" in self._directories:
            shares = max(2, memory_mib * 1024 // VCPU_MIB)
            _write(f"{self._directories['cpu']}/cpu.shares", str(shares))

    def limit_cpu(self, memory_mib: int) -> None:
        """From here on a quota in proportion to memory; what one period leaves over the next one may use."""
        quota_us = cpu_quota_us(memory_mib)
        if "cpu" in self._on_v2:
            self._has_quota = _try_write(f"{self._v2}/cpu.max", f"{quota_us} {PERIOD_US}")
            _try_write(f"{self._v2}/cpu.max.burst", str(quota_us))  # Linux 5.14
        elif "cpu" in self._directories:
            directory = self._directories["cpu"]
            _try_write(f"{directory}/cpu.cfs_period_us", str(PERIOD_US))
            self._has_quota = _try_write(f"{directory}/cpu.cfs_quota_us", str(quota_us))
            _try_write(f"{directory}/cpu.cfs_burst_us", str(quota_us))

    def _lift_quota(self) -> None:
        """What has used up its share must be able to die all the same: that takes CPU too."""
        if self._has_quota:
            self._has_quota = False
            if "cpu" in self._on_v2:
                _try_write(f"{self._v2}/cpu.max", f"max {PERIOD_US}")
            else:
                _try_write(f"{self._directories['cpu']}/cpu.cfs_quota_us", "-1")

    def _limit_pids(self, _: int, max_pids: int) -> None:
        if "pids" in self._on_v2:
            _write(f"{self._v2}/pids.max", str(max_pids))
        elif "pids" in self._directories:
            _write(f"{self._directories['pids']}/pids.max", str(max_pids))

    def close_birth_fds(self) -> None:
        """Closes what only the child's birth needed."""
        for fd in (*self.v1_task_fds, self.v2_fd):
            if fd >= 0:
                os.close(fd)
        self.v1_task_fds, self.v2_fd = [], -1

    @property
    def can_freeze(self) -> bool:
        """Whether freezing works here."""
        return self._freeze_fd >= 0

    def freeze(self) -> None:
        """Stops every process of the group where it stands."""
        if self._freeze_fd >= 0:
            os.pwrite(self._freeze_fd, b"1", 0)

    def thaw(self) -> None:
        """Lets them go on."""
        if self._freeze_fd >= 0:
            os.pwrite(self._freeze_fd, b"0", 0)

    def memory_peak_bytes(self) -> int:
        """The most memory the group ever used, from the kernel; 0 where it cannot tell."""
        if self._peak_fd < 0:
            return 0
        return int(os.pread(self._peak_fd, 32, 0))

    def cpu_ms(self) -> tuple[float, float] | None:
        """User and system time of all it ever had; None where no hierarchy of its own tells."""
        if self._v2:  # Linux 4.15: also without the cpu controller
            found = dict(
                line.partition(" ")[::2] for line in _read(f"{self._v2}/cpu.stat").splitlines()
            )
            names, unit_ms = ("user_usec", "system_usec"), 0.001
        else:
            directory = self._directories.get("cpu", "")  # beside it on nearly every host
            text = _read(f"{directory}/cpuacct.stat")
            found = dict(line.partition(" ")[::2] for line in text.splitlines())
            names, unit_ms = ("user", "system"), 1000 / os.sysconf("SC_CLK_TCK")
        if not found.keys() >= set(names):
            return None
        return int(found[names[0]]) * unit_ms, int(found[names[1]]) * unit_ms

    def oom_kills(self) -> int:
        """How often the kernel killed in this group for want of memory."""
        if "memory" in self._on_v2:
            text = _read(f"{self._v2}/memory.events")
        else:
            text = _read(f"{self._directories.get('memory', '')}/memory.oom_control")
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
        return 0

    def pids(self) -> "set[int]":
        """Who lives in it."""
        if self._v2:
            return set(map(int, _read(f"{self._v2}/cgroup.procs").split()))
        return {int(p) for d in self._directories.values() for p in _read(f"{d}/tasks").split()}

    def adopt(self, pid: int) -> None:
        """Takes a process of one thread, born elsewhere, into the v2 group; the others it entered by itself.

        Waits for a kernel-wide lock, some milliseconds after an idle moment. Raises OSError.
        """
        if self._v2:
            _write(f"{self._v2}/cgroup.procs", str(pid))

    def holds(self, pid: int) -> bool:
        """Whether the process is in every group of the environment."""
        paths = _own_paths(_read(f"/proc/{pid}/cgroup"))
        wanted = {**self._directories, **({"": self._v2} if self._v2 else {})}
        return all(
            directory.endswith(paths.get(name, "/")) and paths.get(name, "/") != "/"
            for name, directory in wanted.items()
        )

    def kill(self) -> None:
        """SIGKILL to all of it, where the kernel offers that in one step."""
        self._lift_quota()
        if self._v2:
            _try_write(f"{self._v2}/cgroup.kill", "1")

    def close(self) -> None:
        """Closes every descriptor; the group itself stays until :meth:`remove`."""
        self.close_birth_fds()
        for fd in (self._freeze_fd, self._peak_fd):
            if fd >= 0:
                os.close(fd)
        self._freeze_fd = self._peak_fd = -1

    def remove(self) -> bool:
        """Removes the directories; False while a process is still leaving (call again)."""
        done = True
        for directory in {*self._directories.values(), *filter(None, (self._v2,))}:
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                continue
            except OSError:
                done = False
        return done
