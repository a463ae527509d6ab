"""Becoming another program: a custom ``bootstrap``, Node.js, or a wrapper script that starts the runtime.

Everything of isolation is done before and survives the exec: namespaces, user, filter, limits.
"""

import os
import signal
from typing import Any

from lambent.node.zygote import container

_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def execute(entry: "dict[str, Any]", environ: "dict[str, str]") -> str:
    """Replaces this process. Returns only when it could not, with the reason in AWS's words.

    ``entry`` is :func:`lambent.node.entrypoint.choose_entry`'s. Source of the words: AWS's runtime
    interface emulator (``rapidcore/standalone``, ``bootstrap.go``), which has them from Go, and recordings.
    """
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    if "entry_point" in entry:
        return container.execute(entry, environ)
    if "wrapper" in entry:
        path = entry["wrapper"]
        _check_wrapper(path)
        command = [path, *entry["command"]]
    elif "command" in entry:
        command = entry["command"]
    else:
        found = [path for path in entry["bootstraps"] if os.path.isfile(path)]
        if not found:
            return f"Couldn't find valid bootstrap(s): [{' '.join(entry['bootstraps'])}]"
        command = found[:1]
    try:
        os.execve(command[0], command, environ)  # noqa: S606 - that is what this is for
    except OSError as error:
        return f"fork/exec {command[0]}: {os.strerror(error.errno or 0).lower()}"


def _check_wrapper(path: str) -> None:
    """AWS: a shell script looks for it, which says so and ends (best known)."""
    if not os.path.isfile(path):
        os.write(2, f"{path}: does not exist\n".encode())
        os._exit(127)
    if not os.access(path, os.X_OK):
        os.write(2, f"{path}: is not an executable\n".encode())
        os._exit(126)
