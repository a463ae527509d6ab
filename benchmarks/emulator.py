"""AWS's own emulator of one environment (RIE) under the official runtime client: the peer to be as quick as.

It has no API, isolation or log store, and takes one event at a time. ``scripts/rie`` fetches it.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from benchmarks.harness import Connection, free_port, invoke_bytes

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
EMULATOR = _CACHE / "lambent" / "aws-lambda-rie"
NAME = "function"
"""The only function name it answers to."""


class Emulator:
    """The emulator and its one runtime, ended with the ``with`` block."""

    def __init__(self, source: str) -> None:
        self._source = source

    def __enter__(self) -> Self:
        self.port = free_port()
        self._directory = tempfile.TemporaryDirectory(prefix="lambent-bench-")
        Path(self._directory.name, "app.py").write_text(self._source)
        command = [str(EMULATOR), "--log-level", "error"]
        command += ["--runtime-interface-emulator-address", f"127.0.0.1:{self.port}"]
        command += ["--runtime-api-address", f"127.0.0.1:{free_port()}"]
        self._process = subprocess.Popen(
            [*command, sys.executable, "-m", "awslambdaric", "app.handler"],
            cwd=self._directory.name,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline_s = time.monotonic() + 30
        while True:
            try:
                Connection(self.port).call(invoke_bytes(NAME, b'{"n": 1}'))
                break
            except OSError:
                if time.monotonic() > deadline_s:
                    self.__exit__()
                    raise
                time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()  # it ends its runtime
        self._process.wait(10)
        self._directory.cleanup()
