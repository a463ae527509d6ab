"""Control groups: one group per execution environment.

Controllers are taken from v2 where v2 has them, else from their v1 hierarchy. Freezing and killing
use v2's ``cgroup.freeze`` and ``cgroup.kill`` wherever a v2 hierarchy is mounted, controllers or not.
"""

import os
from contextlib import suppress

from lambent.node.linux.cgroup_files import read as _read
from lambent.node.linux.cgroup_files import try_write as _try_write
from lambent.node.linux.cgroup_files import write as _write
from lambent.node.linux.cgroup_layout import CgroupLayout, own_paths, prepare_layout
from lambent.node.linux.cpu_share import PERIOD_US, VCPU_MIB, cpu_quota_us

__all__ = ["Cgroup", "CgroupLayout", "prepare_layout"]

_MIB = 1024 * 1024


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

    def forbid_forks(self) -> None:
        """No process or thread can be made in it any more. Raises OSError where that cannot be had."""
        if "pids" not in self._on_v2 and "pids" not in self._directories:
            raise OSError("no control group counts processes here")
        self._limit_pids(0, 0)

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

    def is_frozen(self) -> bool:
        """Whether all of it stands still, which takes a moment."""
        return bool(self._v2) and "frozen 1" in _read(f"{self._v2}/cgroup.events")

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
        paths = own_paths(_read(f"/proc/{pid}/cgroup"))
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
