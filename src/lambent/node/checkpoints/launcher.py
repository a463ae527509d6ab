"""What is done about checkpoints with the platform's own power, in a process of its own.

``python -I -S launcher.py SOURCE check|dump ORDER``, as root. It runs on nothing but the standard library and the
module of system calls that lies in ``SOURCE``. Ends with status 0 where all went well.

``check``: whether CRIU works, and what it finds out about the kernel; as files in ``tools``.

``dump``: one frozen process without children, that can have none, is written down from inside its namespaces, and
left stopped; then, as its user, what lies in its ``/tmp``. CRIU reads what the kernel says of it. (The real user
is the function's: reading another user's limits takes CAP_SYS_RESOURCE, which containers have not.)
"""

import json
import os
import resource
import sys
import tarfile

_SIGKILL = 9
_TMP = "/tmp"  # noqa: S108 - the function's own
_MIB = 1024 * 1024


def check(order: "dict[str, object]", sys_: "object") -> int:
    """See the module."""
    tools = os.open(str(order["tools"]), os.O_RDONLY | os.O_DIRECTORY)
    sys_.unshare(sys_.CLONE_NEWNS)  # type: ignore[attr-defined]
    sys_.mount("none", "/", "", sys_.MS_REC | sys_.MS_PRIVATE)  # type: ignore[attr-defined]
    sys_.mount("tmpfs", "/run", "tmpfs", 0, "size=1m")  # type: ignore[attr-defined]
    status = _run([str(order["program"]), "check"])
    for name in os.listdir("/run"):  # noqa: PTH208 - nothing more is imported than is needed
        with open(f"/run/{name}", "rb") as source:
            _write(tools, name, source.read())
    if status == 0:
        _write(tools, "passed", b"")
    return status


def dump(order: "dict[str, object]", sys_: "object") -> int:
    """See the module."""
    uid = int(str(order["uid"]))
    images = os.open(str(order["images"]), os.O_RDONLY | os.O_DIRECTORY)
    tools = sys_.clone_mount(str(order["tools"]))  # type: ignore[attr-defined]
    there = os.pidfd_open(int(str(order["pid"])))
    sys_.setns(there, int(str(order["namespaces"])))  # type: ignore[attr-defined]
    sys_.attach_mount(tools, "/run")  # type: ignore[attr-defined]
    command = [
        str(order["program"]), "dump", "--tree", str(order["pid_there"]),
        "--images-dir", f"/proc/self/fd/{images}", "--log-file", "dump.log", "-v1",
        "--leave-stopped", "--manage-cgroups=ignore", "--tcp-close", "--skip-in-flight", "--file-locks",
        "--network-lock", "skip", "--no-default-config",
    ]  # fmt: skip
    os.set_inheritable(images, True)
    status = _run(command, uid)
    return status or _pack(images, uid, int(str(order["tmp_mib"])))


def _run(command: "list[str]", uid: int = 0) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            if uid:
                os.setresgid(uid, 0, 0)
                os.setresuid(uid, 0, 0)
            os.execve(command[0], command, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})  # noqa: S606
        finally:
            os._exit(127)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _pack(images: int, uid: int, tmp_mib: int) -> int:
    if not os.listdir(_TMP):  # noqa: PTH208
        return 0
    packed = os.open("tmp.tar", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=images)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            # Holes in files are nothing there, and something here.
            most_bytes = 2 * tmp_mib * _MIB
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
            with os.fdopen(packed, "wb") as file, tarfile.open(fileobj=file, mode="w|") as archive:
                archive.add(_TMP, ".")
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _write(directory: int, name: str, content: bytes) -> None:
    with open(os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=directory), "wb") as file:
        file.write(content)


def main(arguments: "list[str]") -> int:
    """The status."""
    source, what, text = arguments
    sys.path.insert(0, source)
    from lambent.node.linux import syscalls as sys_  # noqa: PLC0415 - only now it can be found

    sys_.prctl(sys_.PR_SET_PDEATHSIG, _SIGKILL)
    os.umask(0o022)
    return (check if what == "check" else dump)(json.loads(text), sys_)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
