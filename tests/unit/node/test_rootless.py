"""Pid 1 of an environment without root, as a process of its own."""

import os
import subprocess
import sys

import pytest

_GUARD = """
import os, socket
from lambent.node.linux import seccomp
from lambent.node.zygote import rootless
node, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
runtime_pid = os.fork()
if not runtime_pid:
    os._exit(0)
node.close()
rootless.stand_guard(runtime_pid, control, seccomp.build_filter())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
def test_a_runtime_that_outlives_its_node_ends_quietly() -> None:
    """Nobody is left to tell how it ended: no traceback in the platform's log."""
    if os.getuid():
        pytest.skip("its powers can be dropped by who has them: root")
    command = [sys.executable, "-c", _GUARD]
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
