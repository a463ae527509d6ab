"""Extensions beside a runtime in namespaces: the environment's first process becomes their supervisor.

See :mod:`lambent.node.zygote.extensions` for what that is.
"""

import os
import socket
from typing import Any

from lambent.node.linux import syscalls as sys_
from lambent.node.zygote.extensions import Supervisor, keep_open


def _be_dumpable() -> None:
    sys_.prctl(sys_.PR_SET_DUMPABLE, 1)


def supervise(request: "dict[str, Any]", fds: "list[int]", control: socket.socket) -> None:
    """Returns in the runtime's process, once every extension has registered.

    The supervisor is the function's user too, so it is not dumpable: its memory and files are closed to it.
    """
    output = fds[-1]
    keep_open({control.fileno(), fds[1], fds[2], fds[4], output})
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.close(null)
    supervisor = Supervisor(control, _be_dumpable)
    sys_.prctl(sys_.PR_SET_DUMPABLE, 0)
    supervisor.start("/opt/extensions", request["extensions"], request["extension_environ"], output)
    supervisor.serve()
