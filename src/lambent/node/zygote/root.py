"""The root file system every environment of a zygote starts from: tmpfs, read-only binds, no host paths.

Built once per zygote in its own mount namespace; each environment gets a copy with the namespace and
adds only what is its own (``/tmp``, ``/var/task``, ``/opt``, ``/proc``).
"""

import os

from lambent.node.linux import syscalls as sys_
from lambent.node.linux.init_program import write_init
from lambent.node.zygote import file_systems, rehearsal

HIDDEN = "/.lambent"
"""Holds what children still need while they set themselves up; they unmount it before any foreign code."""

SHARED = HIDDEN + "/fs"
"""Directories functions may share: one by number; see :mod:`lambent.node.zygote.file_systems`."""

INIT = HIDDEN + "/init"
"""Pid 1 of every environment; see :mod:`lambent.node.linux.init_program`."""

REHEARSED = HIDDEN + "/rehearsed"
"""The module that is imported before any function's; see :mod:`lambent.node.zygote.rehearsal`."""

_SYSTEM = ("usr", "bin", "sbin", "lib", "lib64", "lib32", "libx32")
_ETC = (
    "alternatives", "ca-certificates", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime",
    "mime.types", "os-release", "pki", "protocols", "services", "ssl", "timezone",
)  # fmt: skip
_DEVICES = ("null", "zero", "full", "random", "urandom")
_FILES = {
    "etc/hosts": "127.0.0.1 localhost sandbox.localdomain sandbox\n::1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_EMPTY = (
    "mnt",
    "tmp",
    "proc",
    "dev",
    "etc",
    "opt",
    "var/task",
    "var/runtime",
    "var/lang",
    "run",
    "sys",
    "root",
    "home",
)
FIRST_UID = 1_900_000_000
"""POLICY: far from any host's users. Each live environment has its own, so that per-user kernel limits
(inotify, pipes, signals) of one function never run out because of another."""


def build_root(
    root: str,
    binds: "dict[str, str]",
    code_root: str,
    uids: "list[int]",
    resolv_conf: str,
    shared: "list[str]",
) -> None:
    """Moves this process into a fresh root, mounted on the empty directory ``root``.

    ``binds``: path inside → path on the host (read-only); ``uids``: users that functions run as;
    ``resolv_conf``: how names are resolved inside; ``shared``: directories functions may mount read-write.

    Needs CAP_SYS_ADMIN over the current mount namespace, which must be this process's own.
    Raises OSError naming the mount that failed; the process is of no use after that.
    """
    sys_.mount("none", "/", "", sys_.MS_REC | sys_.MS_PRIVATE)
    sys_.mount("tmpfs", root, "tmpfs", sys_.MS_NOSUID, "size=16m,mode=755")
    for name in _EMPTY:
        os.makedirs(f"{root}/{name}", exist_ok=True)
    _bind_system(root)
    _write_files(root, uids, resolv_conf)
    _bind_devices(root)
    # Modules in ECMAScript's form are looked for in the directories above the code, NODE_PATH or not.
    os.symlink("/var/runtime/node_modules", f"{root}/var/node_modules")
    for inside, outside in sorted(binds.items()):
        _bind(outside, root + inside)
    write_init(root + INIT)
    os.makedirs(root + REHEARSED)
    with open(rehearsal.file_in(root + REHEARSED), "w") as file:
        file.write(rehearsal.SOURCE)
    _bind(code_root, root + HIDDEN + "/code")
    _bind("/proc", root + HIDDEN + "/proc", recursive=True)
    attributes = sys_.MOUNT_ATTR_RDONLY | sys_.MOUNT_ATTR_NOSUID
    os.makedirs(root + SHARED)
    sys_.mount_setattr_recursive(root, attributes)
    file_systems.bind_sources(root + SHARED, shared)
    os.chdir(root)
    sys_.pivot_root(".", ".")
    sys_.umount(".", sys_.MNT_DETACH)
    os.chdir("/")


def _bind_system(root: str) -> None:
    for name in _SYSTEM:
        path = "/" + name
        if os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
        elif os.path.isdir(path):
            _bind(path, root + path)
    for name in _ETC:
        path = "/etc/" + name
        if os.path.islink(path) and not os.path.realpath(path).startswith("/etc/"):
            os.symlink(os.path.realpath(path), root + path)
        elif os.path.exists(path):
            _bind(os.path.realpath(path), root + path)


def _write_files(root: str, uids: "list[int]", resolv_conf: str) -> None:
    users = "".join(f"sbx_user{u}:x:{u}:{u}::/tmp:/sbin/nologin\n" for u in uids)
    groups = "".join(f"sbx_user{u}:x:{u}:\n" for u in uids)
    files = {
        **_FILES,
        "etc/resolv.conf": resolv_conf,
        "etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\n" + users,
        "etc/group": "root:x:0:\n" + groups,
    }
    for name, text in files.items():
        with open(f"{root}/{name}", "w") as file:
            file.write(text)


def _bind_devices(root: str) -> None:
    for name in _DEVICES:
        _bind(f"/dev/{name}", f"{root}/dev/{name}")
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"{root}/dev/{name}")


def _bind(source: str, target: str, recursive: bool = False) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w"):
            pass
    sys_.mount(source, target, "", sys_.MS_BIND | (sys_.MS_REC if recursive else 0))
