"""Answering a seccomp filter that asks: the other side of ``SECCOMP_RET_USER_NOTIF``.

Source: seccomp_unotify(2), ``linux/seccomp.h``. To let a call go on (``CONTINUE``) needs Linux 5.5.
"""

import fcntl
import os
import struct
from contextlib import suppress
from dataclasses import dataclass

_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_CONTINUE = 1
_EPERM = 1


@dataclass(frozen=True, slots=True)
class Question:
    """A process that waits in a system call. ``pid``: the thread's, as we see it."""

    id: int
    pid: int


def receive(listener: int) -> Question | None:
    """The next question; None where whoever asked is gone. Raises OSError."""
    buffer = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer)
    except FileNotFoundError:
        return None
    number, pid, *_ = _NOTIFICATION.unpack(buffer)
    return Question(number, pid)


def answer(listener: int, question: Question, *, go_on: bool) -> None:
    """Lets the call go on, or has it fail with EPERM. One that is gone meanwhile is nobody's."""
    flags, error = (_CONTINUE, 0) if go_on else (0, -_EPERM)
    with suppress(FileNotFoundError):
        fcntl.ioctl(listener, _SEND, _ANSWER.pack(question.id, 0, error, flags))


def can_ask() -> bool:
    """Whether the kernel knows it."""
    with suppress(OSError), open("/proc/sys/kernel/seccomp/actions_avail") as file:
        return "user_notif" in file.read().split() and _release() >= (5, 8)
    return False


def _release() -> tuple[int, ...]:
    """The kernel's; 5.8 is also the first that joins namespaces by a pidfd."""
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
