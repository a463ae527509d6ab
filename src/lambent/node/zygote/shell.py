"""An empty environment: every namespace, mount and listening socket of one, and nobody in it but pid 1.

A template has no privilege to make this for what is forked from it, so it is made here, by trusted code, and what
is forked joins it (:mod:`lambent.node.zygote.template`). Its namespaces belong to a user namespace that the
template's user owns: that is what lets a process of that user in, and nobody else's.

Made by two processes. The first has the zygote's privileges and prepares the mounts; the second is pid 1,
already inside, and becomes the program that waits for the lifeline to be closed.
"""

import os
import signal
import socket
import struct
from typing import Any

from lambent.node.linux import syscalls as sys_
from lambent.node.zygote import isolate, network, root, rootless

_INSIDE = (
    sys_.CLONE_NEWUSER
    | sys_.CLONE_NEWNS
    | sys_.CLONE_NEWPID
    | sys_.CLONE_NEWNET
    | sys_.CLONE_NEWIPC
    | sys_.CLONE_NEWUTS
)


def make(
    request: "dict[str, Any]",
    control: socket.socket,
    lifeline: int,
    seccomp_filter: bytes,
    user_namespace: int,
) -> None:
    """Makes one, in a process with a mount namespace of its own, and the template's pid namespace. Never returns.

    ``user_namespace``: without root, the template's; -1 with root.

    Sends the listening sockets to ``control``, then ``shell`` with a descriptor of pid 1; when that is closed, it
    can be joined.
    """
    # Who makes a user namespace owns it; from its parent the owner may enter. Without root that is one user in all
    # environments: what keeps the others out is that this one's parent is the template's own.
    if user_namespace >= 0:
        uid = rootless.INSIDE_UID
        sys_.setns(user_namespace, sys_.CLONE_NEWUSER)
    else:
        uid = request["uid"]
        os.setresuid(-1, uid, -1)
    request["uid"] = uid
    go, going = os.pipe()
    pid = sys_.fork(_INSIDE | sys_.CLONE_PARENT)
    if pid == 0:
        os.close(going)
        _be_inside(request, control, lifeline, go, seccomp_filter)
    if user_namespace < 0:
        os.setresuid(-1, 0, -1)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{name}", "w") as file:
            file.write(f"{uid} {uid} 1\n{_keeper_line(request)}")
    os.write(going, b"1")
    os._exit(0)


def _keeper_line(request: "dict[str, Any]") -> str:
    """Who is root there where CRIU is to restore (:mod:`.revival`)."""
    return f"0 {request['keeper']} 1\n" if "keeper" in request else ""


def _be_inside(
    request: "dict[str, Any]", control: socket.socket, lifeline: int, go: int, seccomp_filter: bytes
) -> None:
    """Pid 1. Never returns."""
    try:
        if os.read(go, 1):
            _prepare(request, control, lifeline, seccomp_filter)
    except OSError as error:
        control.send(f"error {error}".encode())
    finally:
        os._exit(1)


def _prepare(
    request: "dict[str, Any]", control: socket.socket, lifeline: int, seccomp_filter: bytes
) -> None:
    uid = request["uid"]
    if os.getuid() != uid:  # without root there is nobody else to become
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    flags = sys_.MS_NOSUID | sys_.MS_NODEV | sys_.MS_NOEXEC
    sys_.mount("proc", "/proc", "proc", flags, "hidepid=2")  # over the one of all processes
    socket.sethostname(request["hostname"])
    network.connect(network.Way(**request["network"]))
    isolate.open_sockets(control, request["ports"])
    _count_from(request["first_pid"])
    socket.send_fds(control, [b"shell"], [os.pidfd_open(os.getpid())])
    null = os.open(os.devnull, os.O_WRONLY)
    for fd, source in ((0, lifeline), (1, null), (2, null)):
        os.dup2(source, fd)
    os.dup2(control.fileno(), 3, inheritable=False)  # closed by the exec: nobody can join before
    os.closerange(4, 65536)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    sys_.prctl(sys_.PR_SET_NO_NEW_PRIVS, 1)
    sys_.load_seccomp(seccomp_filter)
    sys_.drop_capabilities_bounding()
    sys_.drop_capabilities()
    os.execve(root.INIT, ["init"], {})  # noqa: S606 - no shell is wanted


def _count_from(pid: int) -> None:
    """Has process ids begin there, so that what joins has another one than the template and its siblings.

    Libraries tell a fork by its id (OpenSSL's randomness does): in a fresh namespace all would have the same.
    """
    try:
        with open("/proc/sys/kernel/ns_last_pid", "w") as file:
            file.write(str(pid))
    except OSError:
        return  # a kernel without checkpoints; what it cannot tell apart is reseeded by name


def move_network(make: str, pid_at: int, pid: int, configure: str, count: int) -> None:
    """Puts an interface into the network of a process, and sets it up there; this process is back afterwards.

    The arguments are :class:`lambent.node.zygote.network.Way`'s. Raises OSError.
    """
    message = bytearray.fromhex(make)
    struct.pack_into("=I", message, pid_at, pid)
    between = os.open(f"{root.HIDDEN}/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        network.exchange(network.open_socket(), message, 1)
        there = os.open(f"{root.HIDDEN}/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            sys_.setns(there, sys_.CLONE_NEWNET)
        finally:
            os.close(there)
        network.exchange(network.open_socket(), bytes.fromhex(configure), count)
    finally:
        sys_.setns(between, sys_.CLONE_NEWNET)
        os.close(between)
