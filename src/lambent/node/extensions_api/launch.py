"""What is started as external extensions, and with which environment variables."""

import os
from collections.abc import Mapping
from pathlib import Path

_RUNTIME_ONLY = {
    "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
}  # fmt: skip
"""AWS: "specific to the runtime process". Source: "Using the Lambda Extensions API to create extensions"."""


def extension_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The function's variables without those of its runtime; AWS leaves out all that begin with ``_``."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("_") and name not in _RUNTIME_ONLY
    }


def find_extensions(opt_dir: Path) -> tuple[str, ...]:
    """The names of the files in its ``extensions``, in order. AWS: every file there, none in a directory below."""
    try:
        with os.scandir(opt_dir / "extensions") as entries:
            return tuple(sorted(entry.name for entry in entries if entry.is_file()))
    except (FileNotFoundError, NotADirectoryError):
        return ()
