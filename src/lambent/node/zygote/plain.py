"""A function's runtime as a plain process, without isolation: what ``--sandbox process`` starts."""

import json
import os
import sys

from lambent.node.zygote import runtime

_TELEMETRY_FD = 3


def main() -> None:
    """Reads the request (JSON) from stdin and becomes the function's runtime."""
    request = json.load(sys.stdin)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if sys.platform == "linux":
        from lambent.node.linux import syscalls

        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, 9)
    # The runtime client's C part reads its address when it is imported.
    os.environ["AWS_LAMBDA_RUNTIME_API"] = request["environ"]["AWS_LAMBDA_RUNTIME_API"]
    os.chdir(request["task_dir"])
    # The node's descriptors that came along are none of the function's business.
    environ = request["environ"]
    os.dup2(int(environ["_LAMBDA_TELEMETRY_LOG_FD"]), _TELEMETRY_FD)
    os.closerange(_TELEMETRY_FD + 1, 65536)
    environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(_TELEMETRY_FD)
    runtime.run(environ, request["search"], runtime.load_client(request["runtime_paths"]))
