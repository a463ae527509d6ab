"""A function's runtime as a plain process, without isolation: what ``--sandbox process`` starts."""

import fcntl
import json
import os
import socket
import sys
from typing import Any

from lambent.node.zygote import entrypoint, runtime, runtime_client, signals
from lambent.node.zygote.extensions import Supervisor, keep_open

_TELEMETRY_FD = 3


def _execute(request: "dict[str, Any]") -> None:
    """Becomes another program, or tells the node why not. Never returns."""
    environ, entry = request["environ"], request["entry"]
    os.chdir(request["task_dir"])
    report = fcntl.fcntl(request["report_fd"], fcntl.F_DUPFD_CLOEXEC, _TELEMETRY_FD + 1)
    telemetry = int(environ.pop("_LAMBDA_TELEMETRY_LOG_FD"))
    has_client = "bootstraps" not in entry
    if has_client:
        os.dup2(telemetry, _TELEMETRY_FD)
        environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(_TELEMETRY_FD)
    os.closerange(_TELEMETRY_FD + has_client, report)
    os.closerange(report + 1, 65536)
    os.write(report, entrypoint.execute(entry, environ).encode())
    os._exit(1)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        from lambent.node.linux import syscalls

        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, 9)


def _supervise(request: "dict[str, Any]") -> None:
    """Returns in the runtime's process, once every extension has registered."""
    output, report = request["extension_fd"], request["report_fd"]
    telemetry = int(request["environ"]["_LAMBDA_TELEMETRY_LOG_FD"])
    control = socket.socket(fileno=request["control_fd"])
    keep_open({control.fileno(), output, report, telemetry, request["runtime_fd"]})
    supervisor = Supervisor(control, _die_with_parent)
    directory = f"{request['opt_dir']}/extensions"
    supervisor.start(directory, request["extensions"], request["extension_environ"], output)
    supervisor.serve()
    control.close()


def main() -> None:
    """Reads the request (JSON) from stdin and becomes the function's runtime."""
    signals.restore()
    request = json.load(sys.stdin)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    _die_with_parent()
    if request["extensions"]:
        _supervise(request)
    if request["entry"]:
        _execute(request)
    # The runtime client's C part reads its address when it is imported.
    os.environ["AWS_LAMBDA_RUNTIME_API"] = request["environ"]["AWS_LAMBDA_RUNTIME_API"]
    os.chdir(request["task_dir"])
    # The node's descriptors that came along are none of the function's business.
    environ = request["environ"]
    runtime_fd = fcntl.fcntl(request["runtime_fd"], fcntl.F_DUPFD_CLOEXEC, runtime_client.FD + 1)
    os.dup2(int(environ["_LAMBDA_TELEMETRY_LOG_FD"]), _TELEMETRY_FD)
    os.dup2(runtime_fd, runtime_client.FD, inheritable=False)
    os.closerange(_TELEMETRY_FD + 1, runtime_client.FD)
    os.closerange(runtime_client.FD + 1, 65536)
    environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(_TELEMETRY_FD)
    ahead = runtime.load_client(request["runtime_paths"])
    runtime.run(environ, request["search"], ahead, runtime_client.FD)
