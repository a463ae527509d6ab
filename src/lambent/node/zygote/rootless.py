"""Isolation for an ordinary user: everything happens inside a user namespace of that user's own.

Without rights over the host's pid namespace the zygote cannot come back from a new one, so here pid 1 is a fork
of the zygote: it sets the environment up, forks the runtime, reaps what is left to it, and tells the
node how the runtime ended.
"""

import contextlib
import os
import signal
import socket
from collections.abc import Callable

from lambent.node.linux import syscalls as sys_

INSIDE_UID = 1000
"""What a function sees as its user id; outside it is the user who runs the platform."""


def enter_user_namespace(inside_uid: int) -> None:
    """A new user namespace in which this user is ``inside_uid`` and nobody else exists."""
    uid, gid = os.getuid(), os.getgid()
    sys_.unshare(sys_.CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside_uid} {uid} 1"),
        ("gid_map", f"{inside_uid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def make_apart(make: "Callable[[], int]", flags: int = 0) -> "tuple[int, int]":
    """The process id ``make`` gives, from a process of its own, and that one's, which ends.

    For what this process would not come back from: another pid namespace for its children. With ``CLONE_PARENT``
    in ``flags`` our parent is the parent of that process too, and has to reap it. 0 where it could not be made.
    """
    told, telling = os.pipe()
    try:
        apart = sys_.fork(flags)
        if apart == 0:
            try:
                os.write(telling, str(make()).encode())
            finally:
                os._exit(0)
        os.close(telling)
        telling = -1
        return int(os.read(told, 20) or 0), apart
    finally:
        os.close(told)
        if telling >= 0:
            os.close(telling)


def stand_guard(runtime_pid: int, control: socket.socket, seccomp_filter: bytes) -> None:
    """Pid 1's life: reap until the runtime is gone, tell how it ended, and end the namespace.

    Never returns. SIGKILL from the node, or the node's death, ends it earlier. Outside it is the same user as
    the function, so it is not dumpable (set before the fork): its memory and files are closed to the
    function, and it is as powerless itself.
    """
    sys_.prctl(sys_.PR_SET_PDEATHSIG, signal.SIGKILL)
    sys_.prctl(sys_.PR_SET_NO_NEW_PRIVS, 1)
    sys_.load_seccomp(seccomp_filter)
    sys_.drop_capabilities_bounding()
    sys_.drop_capabilities()
    os.dup2(control.fileno(), 3)
    os.closerange(4, 65536)
    while True:
        pid, status = os.wait()
        if pid == runtime_pid:
            break
    code = os.waitstatus_to_exitcode(status)
    text = f"exit {max(code, 0)} {max(-code, 0)}"
    # A node that has given the environment up does not listen any more.
    with contextlib.suppress(OSError):
        socket.socket(fileno=3).send(text.encode())
    os._exit(0)
