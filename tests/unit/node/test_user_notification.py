"""A real filter that asks, answered; and what is said of processes that are looked at."""

import os
import platform
import socket
import sys

import pytest

from lambent.node.linux import joined, seccomp
from lambent.node.linux import syscalls as sys_
from lambent.node.linux import user_notification as asked

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="needs Linux's seccomp",
)


def _ask(ours: socket.socket) -> None:
    """In a child: loads the filter, hands the listener over, and tells what each of two tries gave."""
    sys_.prctl(sys_.PR_SET_NO_NEW_PRIVS, 1)
    listener = sys_.load_seccomp_listener(seccomp.build_template_filter())
    socket.send_fds(ours, [b"listener"], [listener])
    os.close(listener)
    me = os.open("/dev/null", os.O_RDONLY)
    for _ in range(2):
        try:
            sys_.setns(me, seccomp.JOIN_FLAGS)
        except OSError as error:
            ours.send(str(error.errno).encode())


def test_who_asks_is_answered_and_known() -> None:
    """Denied is EPERM; what is let go on is the kernel's to judge (EINVAL: no namespace at all)."""
    if not asked.can_ask():
        pytest.skip("this kernel cannot ask")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        try:
            _ask(theirs)
        finally:
            os._exit(0)
    _, fds, _, _ = socket.recv_fds(ours, 64, 1)
    said = []
    for go_on in (False, True):
        question = asked.receive(fds[0])
        assert question is not None
        assert question.pid == pid
        asked.answer(fds[0], question, go_on=go_on)
        said.append(ours.recv(64))
    os.waitpid(pid, 0)
    os.close(fds[0])
    ours.close()
    theirs.close()
    assert said == [b"1", b"22"]


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user holds no capability")
def test_a_process_that_holds_a_capability_is_no_environment() -> None:
    """Whoever looks like root is refused, and so is one that is not filtered."""
    with pytest.raises(PermissionError, match="capabilities"):
        joined.check_powerless({os.getpid()})
    with pytest.raises(PermissionError):
        joined.check_joined(os.getpid(), os.getpid(), 0)


def test_who_is_gone_holds_nothing() -> None:
    """A process that ended while others were looked at is passed over."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    joined.check_powerless({pid})
