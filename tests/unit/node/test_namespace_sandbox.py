"""An environment's end, put together from two witnesses: the kernel, and what was said on the control socket."""

import os
import socket
import subprocess

import pytest

from lambent.node.linux.cgroups import Cgroup, CgroupLayout
from lambent.node.sandbox.contract import ExitStatus
from lambent.node.sandbox.namespace_sandbox import NamespaceSandbox
from lambent.testing.host import open_descriptors
from lambent.testing.loop import on_loop, until


class Owner:
    """Counts the slots that came back."""

    rootless = False

    def __init__(self) -> None:
        self.released: list[int] = []

    def release(self, slot: int) -> None:
        self.released.append(slot)

    def settled(self) -> None:
        """Nothing is made ahead here."""


@pytest.mark.parametrize("is_early", [False, True], ids=["heard", "not heard yet"])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], ExitStatus(3)),
        ([b"exit 0 11"], ExitStatus(signal=11)),
        ([b"not-started no bootstrap"], ExitStatus(1, not_started="no bootstrap")),
        ([b"not-mounted it is gone"], ExitStatus(1, not_mounted="it is gone")),
        ([b"not-started no bootstrap", b"exit 1 0"], ExitStatus(1, not_started="no bootstrap")),
    ],
)
@on_loop
async def test_what_was_said_is_how_it_ended(
    is_early: bool, said: list[bytes], expected: ExitStatus
) -> None:
    """Whether the process is gone before its control socket is listened to, or after, its words count."""
    before = open_descriptors()
    owner = Owner()
    sandbox = NamespaceSandbox(owner, 7, Cgroup(CgroupLayout(None, frozenset()), "1"))
    control, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.setblocking(False)
    lifeline_child, lifeline = os.pipe()
    process = subprocess.Popen(["/bin/sh", "-c", "read x; exit 3"], stdin=lifeline_child)  # noqa: ASYNC220 - once
    sandbox.adopt(process.pid, lifeline)
    if not is_early:
        sandbox.listen_to(control)
    for message in said:
        child.send(message)
    child.close()
    os.close(lifeline_child)
    os.write(lifeline, b"go\n")
    await until(lambda: owner.released == [7])
    assert sandbox.exited.done() != is_early
    if is_early:
        sandbox.listen_to(control)
    assert await sandbox.exited == expected
    await until(lambda: open_descriptors() == before)
    process.returncode = 3  # the sandbox has reaped it


@on_loop
async def test_what_wakes_up_in_an_environment_does_not_push_the_platform_away() -> None:
    """Its processes are scheduled as batch work, their share of CPU as it was."""
    owner = Owner()
    sandbox = NamespaceSandbox(owner, 7, Cgroup(CgroupLayout(None, frozenset()), "1"))
    lifeline_child, lifeline = os.pipe()
    process = subprocess.Popen(["/bin/sh", "-c", "read x; exit 3"], stdin=lifeline_child)  # noqa: ASYNC220 - once
    sandbox.adopt(process.pid, lifeline)
    assert os.sched_getscheduler(process.pid) == os.SCHED_BATCH
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == os.getpriority(os.PRIO_PROCESS, 0)
    os.close(lifeline_child)
    sandbox.kill()
    await until(lambda: owner.released == [7])
    process.returncode = 3  # the sandbox has reaped it
