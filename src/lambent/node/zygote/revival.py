"""How CRIU is started to restore a program into an empty environment (ADR 39): with no power over anything else.

The environment was made by :mod:`.shell`: every namespace of one, in a user namespace that knows two users, the
program's and the one CRIU is, who is its root. What CRIU reads was a function's memory; whatever it could be led
to do, it has capabilities in that user namespace alone, and no file of the host is its user's.
"""

import os
import signal
import socket
from typing import Any

from lambent.node.linux import syscalls as sys_
from lambent.node.linux.seccomp import JOIN_FLAGS
from lambent.node.zygote import isolate

_CONTROL, _SHELL, _IMAGES, _TOOLS, _STDOUT, _TELEMETRY, _ORDERS, _LOG, _CGROUP, _TASKS = range(10)
"""What comes with a request, by place; v1 groups to enter are last."""
_INSIDE_IMAGES, _INSIDE_STDOUT, _INSIDE_TELEMETRY, _INSIDE_ORDERS = 3, 4, 5, 6
_FIRST_FREE = 100
_TMP = "/tmp"  # noqa: S108 - the function's own


def start(request: "dict[str, Any]", fds: "list[int]") -> int:
    """A process in the environment's group whose sibling becomes CRIU, and then the program; its pid."""
    pid = sys_.fork(sys_.CLONE_PARENT, fds[_CGROUP])
    if pid == 0:
        _go(request, fds)
    return pid


def _go(request: "dict[str, Any]", fds: "list[int]") -> None:
    """Never returns."""
    try:
        sys_.set_signal(signal.SIGCHLD, 0)
        isolate.enter_cgroups(fds[_TASKS:])
        sys_.setns(fds[_SHELL], JOIN_FLAGS)
        if sys_.fork(sys_.CLONE_PARENT):  # in the pid namespace is who was born there
            os._exit(0)
        control = socket.socket(fileno=fds[_CONTROL])
        try:
            control.send(b"joined")
            _restore(request, fds)
        except OSError as error:
            control.send(f"error {error}".encode())
    finally:
        os._exit(1)


def _restore(request: "dict[str, Any]", fds: "list[int]") -> None:
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    sys_.attach_mount(fds[_TOOLS], "/run")
    _unpack(fds[_IMAGES], request["uid"])
    kept = [os.open(os.devnull, os.O_RDONLY), fds[_LOG], fds[_LOG]]
    kept += [fds[_IMAGES], fds[_STDOUT], fds[_TELEMETRY], fds[_ORDERS]]
    _keep(kept)
    pipes = zip(request["pipes"], (_INSIDE_STDOUT, _INSIDE_TELEMETRY, _INSIDE_ORDERS), strict=True)
    command = [
        request["program"], "restore", "--images-dir", f"/proc/self/fd/{_INSIDE_IMAGES}", "-v1",
        "--unprivileged", "--restore-detached", "--restore-sibling", "--manage-cgroups=ignore",
        "--tcp-close", "--file-locks", "--file-validation", "filesize", "--no-default-config",
    ]  # fmt: skip
    for pipe, fd in pipes:
        command += ["--inherit-fd", f"fd[{fd}]:pipe:[{pipe}]"]
    os.chdir("/")
    environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "XDG_RUNTIME_DIR": "/run"}
    os.execve(command[0], command, environ)  # noqa: S606 - no shell is wanted


def _keep(kept: "list[int]") -> None:
    """Has these as the first descriptors, and no others."""
    moved: list[int] = []
    for fd in kept:
        copy = os.dup(fd)
        while copy < _FIRST_FREE:
            copy = os.dup2(copy, _FIRST_FREE + len(moved))
        moved.append(copy)
    for number, fd in enumerate(moved):
        os.dup2(fd, number)
    os.closerange(len(moved), 65536)


def _unpack(images: int, uid: int) -> None:
    """The files of ``/tmp``, as the user they are of."""
    try:
        packed = os.open("tmp.tar", os.O_RDONLY, dir_fd=images)
    except FileNotFoundError:
        return
    import tarfile  # hardly ever needed, and every fork of a zygote would have it

    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            with os.fdopen(packed, "rb") as file, tarfile.open(fileobj=file, mode="r|") as archive:
                # By the user who packed them, and whose they are: there is nothing to be kept from.
                trusting = {"filter": "fully_trusted"} if hasattr(tarfile, "data_filter") else {}
                archive.extractall(_TMP, **trusting)  # type: ignore[arg-type]  # noqa: S202
            status = 0
        finally:
            os._exit(status)
    os.close(packed)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise OSError("the files of /tmp could not be put back")
