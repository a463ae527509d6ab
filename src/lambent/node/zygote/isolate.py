"""What a forked child does to itself before it runs foreign code, in the order that keeps it possible."""

import fcntl
import os
import resource
import socket

from lambent.node.linux import syscalls as sys_
from lambent.node.zygote.root import HIDDEN
from lambent.node.zygote.runtime_client import FD as RUNTIME_FD

_SIGKILL = 9
TELEMETRY_FD = 3
_MAX_PROCESSES = 1024
"""AWS: 1,024 processes and threads. Source: "Lambda quotas"."""
_MAX_OPEN_FILES = 1024
"""AWS: 1,024 file descriptors per environment. Source: "Lambda quotas"."""


def enter_cgroups(task_fds: "list[int]") -> None:
    """Joins v1 groups by writing this single thread's id to ``tasks``: no kernel-wide lock."""
    for fd in task_fds:
        os.write(fd, b"0")


def open_sockets(control: socket.socket, ports: "list[int]") -> None:
    """Hands listening sockets of this network namespace to the node outside."""
    sockets = [listening_socket(port) for port in ports]
    socket.send_fds(control, [b"sockets"], [s.fileno() for s in sockets])
    for listener in sockets:
        listener.close()


def listening_socket(port: int) -> socket.socket:
    """One on this network's loopback interface. Raises OSError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener


def mount_own(task_dir: "str | None", opt_dir: "str | None", tmp_mib: int, uid: int) -> None:
    """Code, layers, /tmp and /proc of this environment; then the way back to the node's files is cut."""
    if task_dir:
        sys_.mount(task_dir, "/var/task", "", sys_.MS_BIND)
    if opt_dir:
        sys_.mount(opt_dir, "/opt", "", sys_.MS_BIND)
    mount_new(tmp_mib, uid)
    sys_.umount(HIDDEN + "/code", sys_.MNT_DETACH)
    sys_.umount(HIDDEN + "/proc", sys_.MNT_DETACH)


def mount_new(tmp_mib: int, uid: int) -> None:
    """Its own /tmp and /proc. Mounts copied from a read-only, nosuid mount keep its flags; these two are new."""
    flags = sys_.MS_NOSUID | sys_.MS_NODEV
    sys_.mount("tmpfs", "/tmp", "tmpfs", flags, f"size={tmp_mib}m,mode=700,uid={uid},gid={uid}")  # noqa: S108 - inside
    sys_.mount("proc", "/proc", "proc", flags | sys_.MS_NOEXEC, "hidepid=2")


def mount_runtime(mounts: "dict[str, str]") -> None:
    """What another language's functions find where Python's find theirs: path inside → where it lies now.

    Like everything copied from the root these are read-only.
    """
    for inside, now in mounts.items():
        sys_.mount(now, inside, "", sys_.MS_BIND)


def keep_only(
    stdout: int, telemetry: int, report: int = -1, stdin: int = -1, runtime: int = -1
) -> int:
    """Leaves stdin (/dev/null where none is given), stdout, stderr and the telemetry pipe open, nothing else.

    ``report`` stays open too, under the number that is returned, until another program is executed; ``runtime`` as
    :data:`lambent.node.zygote.runtime_client.FD`.
    """
    if runtime >= 0:
        os.dup2(runtime, RUNTIME_FD, inheritable=False)
    if report >= 0:
        report = _above(report)
    os.dup2(stdin if stdin >= 0 else os.open("/dev/null", os.O_RDONLY), 0)
    first = _above(stdout) if stdout <= TELEMETRY_FD else stdout
    os.dup2(telemetry, TELEMETRY_FD)
    os.dup2(first, 1)
    os.dup2(first, 2)
    first = TELEMETRY_FD + 1
    for kept in sorted(fd for fd in (report, RUNTIME_FD if runtime >= 0 else -1) if fd >= 0):
        os.closerange(first, kept)
        first = kept + 1
    os.closerange(first, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    return report


def _above(fd: int) -> int:
    """The same under a number that none of the four kept descriptors overwrites; no program inherits it."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, TELEMETRY_FD + 1)


def limit_processes() -> None:
    """For want of a cgroup: what this user may run inside its own user namespace (Linux 5.14)."""
    resource.setrlimit(resource.RLIMIT_NPROC, (_MAX_PROCESSES, _MAX_PROCESSES))


def limit_resources() -> None:
    """Open files and core dumps; memory, CPU and processes are the cgroup's business."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, _MAX_OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def become(uid: int) -> None:
    """Changes to an unprivileged user of its own, with no groups and no way back."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def lock_down(seccomp_filter: bytes) -> None:
    """No capabilities, no new privileges, the seccomp filter, and death with the node."""
    sys_.prctl(sys_.PR_SET_PDEATHSIG, _SIGKILL)
    sys_.prctl(sys_.PR_SET_NO_NEW_PRIVS, 1)
    sys_.load_seccomp(seccomp_filter)


def lock_down_listening(seccomp_filter: bytes, control: socket.socket) -> None:
    """The same with a filter that asks: where it asks, whoever is at the other end of ``control`` gets to know."""
    sys_.prctl(sys_.PR_SET_PDEATHSIG, _SIGKILL)
    sys_.prctl(sys_.PR_SET_NO_NEW_PRIVS, 1)
    listener = sys_.load_seccomp_listener(seccomp_filter)
    socket.send_fds(control, [b"listener"], [listener])
    os.close(listener)
