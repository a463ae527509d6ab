"""Pid 1 of a template: parent, in the end, of all that is forked from it, and the one who learns how they end.

What is forked from a template is the node's to run, but cannot be its child: only a fork through libc is safe in a
process that may have threads, and that gives no choice of parents. So whoever forks it exits, it is left to pid 1,
and pid 1 tells the node. It holds no privilege, and nothing of a function ever runs in it.
"""

import contextlib
import os
import select
import signal
import socket

from lambent.node.linux import syscalls as sys_


def stand(lifeline: int, reports: int, seccomp_filter: bytes) -> None:
    """Reaps, and sends ``<pid here> <status>`` of each child to ``reports``, until the lifeline is closed.

    Never returns. The status is wait(2)'s.
    """
    wakes, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    os.set_blocking(wakes, False)
    _keep(lifeline, reports, wakes, wakeup)
    sys_.prctl(sys_.PR_SET_DUMPABLE, 0)
    sys_.prctl(sys_.PR_SET_NO_NEW_PRIVS, 1)
    sys_.load_seccomp(seccomp_filter)
    sys_.drop_capabilities_bounding()
    sys_.drop_capabilities()
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    node = socket.socket(fileno=reports)
    while True:
        ready, _, _ = select.select([lifeline, wakes], [], [])
        if lifeline in ready:
            os._exit(0)
        with contextlib.suppress(BlockingIOError):
            os.read(wakes, 4096)
        _reap(node)


def _reap(node: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            # A node that has given the template up does not listen any more.
            with contextlib.suppress(OSError):
                node.send(f"{pid} {status}".encode())


def _keep(*kept: int) -> None:
    """Closes every other descriptor; what is printed goes nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    first = 3
    for fd in sorted(kept):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, 65536)
