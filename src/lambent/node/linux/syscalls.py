"""The system calls Python does not offer, through ctypes. Each raises OSError with the call's name.

Source: the kernel's uapi headers (``linux/sched.h``, ``linux/mount.h``, ``linux/prctl.h``).
"""

import ctypes
import os
import platform
import struct

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4
MOUNT_ATTR_IDMAP = 0x100000
CLONE_PARENT = 0x8000
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = 0x200000, 0x1000000
CLONE_INTO_CGROUP = 0x200000000
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 1, 24, 28, 38
PR_SET_DUMPABLE, PR_SET_NAME, PR_GET_TID_ADDRESS, PR_CAP_AMBIENT = 4, 15, 40, 47
PR_SET_KEEPCAPS, CAP_SYS_ADMIN = 8, 1 << 21
AT_FDCWD, AT_RECURSIVE, AT_EMPTY_PATH = -100, 0x8000, 0x1000
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = 1, 4

SYS_CLONE3, SYS_MOUNT_SETATTR = 435, 442
SYS_OPEN_TREE, SYS_MOVE_MOUNT = 428, 429
_IS_X86 = platform.machine() == "x86_64"
SYS_PIVOT_ROOT = 155 if _IS_X86 else 41
SYS_CAPSET = 126 if _IS_X86 else 91
SYS_CLONE, SYS_SECCOMP = (56, 317) if _IS_X86 else (220, 277)
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER = 1, 8

_libc = ctypes.CDLL(None, use_errno=True)
_held = ctypes.PyDLL(None, use_errno=True)  # keeps the GIL: for calls that return twice
_libc.mount.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_ulong, ctypes.c_char_p]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_libc.unshare.argtypes = [ctypes.c_int]
_libc.setns.argtypes = [ctypes.c_int, ctypes.c_int]
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_libc.signal.argtypes, _libc.signal.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
_held.syscall.restype = ctypes.c_long
_libc.syscall.restype = ctypes.c_long


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """mount(2)."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode() or None, flags, data.encode() or None
    )
    _check(result, f"mount {source} on {target}")


def umount(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    _check(_libc.umount2(target.encode(), flags), f"umount {target}")


def unshare(flags: int) -> None:
    """unshare(2): new namespaces for this process (a new pid namespace: for its next children)."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """setns(2)."""
    _check(_libc.setns(fd, kind), "setns")


def prctl(option: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> int:
    """prctl(2)."""
    return _check(_libc.prctl(option, a, b, c, d), f"prctl {option}")


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    result = _libc.syscall(SYS_PIVOT_ROOT, new_root.encode(), put_old.encode())
    _check(result, f"pivot_root {new_root}")


def mount_setattr_recursive(path: str, set_attributes: int) -> None:
    """mount_setattr(2) on a whole tree of mounts (Linux 5.12)."""
    attributes = struct.pack("QQQQ", set_attributes, 0, 0, 0)
    result = _libc.syscall(
        SYS_MOUNT_SETATTR, AT_FDCWD, path.encode(), AT_RECURSIVE, attributes, len(attributes)
    )
    _check(result, f"mount_setattr {path}")


def clone_mount(path: str) -> int:
    """open_tree(2): a copy of the mount at ``path`` that is nowhere yet, by descriptor."""
    flags = OPEN_TREE_CLONE | os.O_CLOEXEC
    return _check(_libc.syscall(SYS_OPEN_TREE, AT_FDCWD, path.encode(), flags), f"clone {path}")


def clone_mount_apart(path: str) -> int:
    """The same, read-only and without set-user-id programs, for another mount namespace than this one.

    Nothing that is mounted here later shows in it. mount_setattr(2): Linux 5.12.
    """
    tree = clone_mount(path)
    given = struct.pack("QQQQ", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, MS_PRIVATE, 0)
    try:
        result = _libc.syscall(SYS_MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, given, len(given))
        _check(result, f"mount_setattr {path}")
    except OSError:
        os.close(tree)
        raise
    return tree


def set_mount_attributes(tree: int, attributes: int, user_namespace: int) -> None:
    """mount_setattr(2) on a mount that is nowhere yet, with the ids of a user namespace (Linux 5.12)."""
    given = struct.pack("QQQQ", attributes | MOUNT_ATTR_IDMAP, 0, 0, user_namespace)
    result = _libc.syscall(SYS_MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, given, len(given))
    _check(result, "map the ids of a mount")


def attach_mount(tree: int, target: str) -> None:
    """move_mount(2): puts what :func:`clone_mount` gave on ``target``."""
    result = _libc.syscall(
        SYS_MOVE_MOUNT, tree, b"", AT_FDCWD, target.encode(), MOVE_MOUNT_F_EMPTY_PATH
    )
    _check(result, f"mount on {target}")


def _tid_address() -> int:
    """Where libc keeps this thread's id: clone3 has to refresh it in the child, as fork does."""
    address = ctypes.c_ulong(0)
    try:
        prctl(PR_GET_TID_ADDRESS, ctypes.addressof(address))
    except OSError:
        return 0
    return address.value


def fork(flags: int, cgroup_fd: int = -1) -> int:
    """clone3(2) in the manner of fork: 0 in the child, its pid in the parent.

    ``cgroup_fd`` (a v2 directory) puts the child into that cgroup without the kernel-wide lock that
    writing ``cgroup.procs`` waits for (7–20 ms after an idle moment).

    The caller has one thread only and holds no lock, so Python's at-fork hooks (``PyOS_AfterFork_Child``) are left
    out: there is nothing to mend but ``random``'s state, and they would copy 0.7 MB of shared pages.
    """
    tid = _tid_address()
    if cgroup_fd >= 0:
        flags |= CLONE_INTO_CGROUP
    if tid:
        flags |= CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID
    exit_signal = 0 if flags & CLONE_PARENT else 17
    arguments = struct.pack("11Q", flags, 0, tid, 0, exit_signal, 0, 0, 0, 0, 0, max(cgroup_fd, 0))
    return _check(int(_held.syscall(SYS_CLONE3, arguments, len(arguments))), "clone3")


def fork_copy() -> int:
    """clone(2) in the manner of fork, for a process whose filter lets no ``clone3`` through.

    As :func:`fork`: one thread, no lock held, no hooks.
    """
    tid = _tid_address()
    flags = 17 | (CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID if tid else 0)
    # The order of the last two arguments differs: child's id, then TLS; and the other way round.
    last = (tid, 0) if _IS_X86 else (0, tid)
    arguments = [ctypes.c_ulong(value) for value in (flags, 0, 0, *last)]
    return _check(int(_held.syscall(SYS_CLONE, *arguments)), "clone")


def epoll_add(epoll: int, fd: int, events: int, data: int) -> None:
    """epoll_ctl(2), to watch a descriptor with any data, not only its number."""
    event = struct.pack("=IQ" if _IS_X86 else "=IxxxxQ", events, data)  # packed on x86 alone
    _check(_libc.epoll_ctl(epoll, 1, fd, event), "epoll_ctl")


def set_signal(number: int, disposition: int) -> None:
    """signal(2) with ``SIG_DFL`` (0) or ``SIG_IGN`` (1), behind the back of Python's own table."""
    if _libc.signal(number, disposition) == ctypes.c_void_p(-1).value:
        _check(-1, f"signal {number}")


def clear_environ() -> None:
    """clearenv(3): no variable is left, for what is written in C. Python remembers its own."""
    _check(-_libc.clearenv(), "clearenv")


def drop_capabilities_bounding() -> None:
    """Empties the bounding set, so that no exec can ever gain a capability. Before the uid changes."""
    for capability in range(_last_capability() + 1):
        prctl(PR_CAPBSET_DROP, capability)


def _last_capability() -> int:
    try:
        with open("/proc/sys/kernel/cap_last_cap") as file:
            return int(file.read())
    except OSError:
        return 40  # CAP_CHECKPOINT_RESTORE, the last one up to Linux 6.18


def drop_capabilities() -> None:
    """Empties the permitted, effective and inheritable sets."""
    keep_capabilities(0)


def keep_capabilities(mask: int) -> None:
    """Leaves those of the first 32 that are in ``mask``, and can still be had, permitted and effective."""
    header = struct.pack("Ii", 0x20080522, 0)
    data = struct.pack("6I", mask, mask, 0, 0, 0, 0)
    _check(_libc.syscall(SYS_CAPSET, header, data), "capset")


def load_seccomp(program: bytes) -> None:
    """Installs a BPF program (see :mod:`lambent.node.linux.seccomp`) over this process, for good."""
    fprog = _describe_filter(program)
    result = _libc.syscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, 0, fprog)
    _check(result, "seccomp")


def load_seccomp_listener(program: bytes) -> int:
    """The same, for a program that asks for some calls: the descriptor on which it asks (Linux 5.5)."""
    fprog, flags = _describe_filter(program), SECCOMP_FILTER_FLAG_NEW_LISTENER
    return _check(_libc.syscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, flags, fprog), "seccomp")


def _describe_filter(program: bytes) -> bytes:
    """A ``struct sock_fprog``, good for as long as ``program`` lives.

    A ctypes buffer would be a type of its own for this length: making one copies 30 pages that a child shares.
    """
    address = ctypes.c_void_p.from_buffer(ctypes.c_char_p(program)).value
    return struct.pack("HxxxxxxQ", len(program) // 8, address)
