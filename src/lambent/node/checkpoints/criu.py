"""Which CRIU this host has, and whether it works here: looked for when SnapStart first needs it.

What it finds out about the kernel, 10 ms of work for each restore, is kept in a directory that environments which
are restored have at ``/run``; a CRIU from elsewhere than ``/usr``, which they do not see, lies there too.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

INSIDE = "/run"
"""Where environments have :attr:`Criu.tools`."""
LEAST = 4
LAUNCHER = Path(__file__).with_name("launcher.py")
SOURCE = Path(__file__).parents[3]
_DEADLINE_S = 20.0
_MOST_WORDS = 400
_MOST_BYTES = 64 * 1024 * 1024
_SEEN_INSIDE = "/usr/"
_HARMLESS = re.compile(
    r"RLIMIT_NOFILE for self|suspend(ing)? seccomp|Restoring FAILED|Dumping FAILED"
)
"""It has as many descriptors as the platform, and the filter denies nothing that CRIU does at the end."""
_PLACES = "/usr/local/sbin:/usr/sbin:/sbin"


class CriuError(Exception):
    """Why there is none to be used, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Criu:
    """``program``: its path inside an environment; ``tools``: the directory that is at :data:`INSIDE` there."""

    version: str
    program: str
    tools: Path


class CriuSearch:
    """``given``: a path or a name, by default ``criu``. ``tools``: a directory of its own, made by looking."""

    def __init__(self, given: str | None, tools: Path) -> None:
        self._given = given
        self._tools = tools
        self._found: Criu | None = None
        self._lock = threading.Lock()

    def find(self) -> Criu:
        """The one there is; looks again each time until it has found one. Waits for processes.

        Raises CriuError.
        """
        with self._lock:
            if self._found is None:
                self._found = self._look()
            return self._found

    def _look(self) -> Criu:
        place = f"{os.environ.get('PATH', os.defpath)}:{_PLACES}"
        found = shutil.which(self._given or "criu", path=place)
        if found is None:
            missing = f"there is no {self._given}" if self._given else "this host has none"
            raise CriuError(f"{missing} (install CRIU 4 or newer, or name one: --criu PATH)")
        path = Path(os.path.abspath(found))
        version = parse_version(_run([str(path), "--version"]))
        if version is None:
            raise CriuError(f"{path} does not say which version of CRIU it is")
        if int(version.partition(".")[0]) < LEAST:
            raise CriuError(
                f"{path} is CRIU {version}, too old for current kernels (name another one: --criu PATH)"
            )
        shutil.rmtree(self._tools, ignore_errors=True)
        self._tools.mkdir(parents=True)
        self._check(path, version)
        program = str(path)
        if not os.path.realpath(path).startswith(_SEEN_INSIDE):
            _copy(path.parent, self._tools / "criu")
            program = f"{INSIDE}/criu/{path.name}"
        self._tools.chmod(0o755)
        return Criu(version, program, self._tools)

    def _check(self, path: Path, version: str) -> None:
        order = json.dumps({"program": str(path), "tools": str(self._tools)})
        command = [sys.executable, "-I", "-S", str(LAUNCHER), str(SOURCE), "check", order]
        said = _run(command)
        if not (self._tools / "passed").exists():
            words = " ".join(said.split())[-_MOST_WORDS:]
            raise CriuError(
                f"{path} is CRIU {version}, and its `criu check` does not pass: {words}"
            )


def _copy(source: Path, target: Path) -> None:
    """Its directory is taken for what it needs. Raises CriuError where that is something else."""
    files = [file for file in source.iterdir() if file.is_file() or file.name == "lib"]
    sizes = (file.stat().st_size for place in (source, source / "lib") for file in place.glob("*"))
    if sum(sizes) > _MOST_BYTES:
        raise CriuError(f"{source} is too large to be a CRIU and its libraries (in ./lib) alone")
    target.mkdir()
    for file in files:
        if file.is_dir():
            shutil.copytree(file, target / file.name, symlinks=True)
        else:
            shutil.copy2(file, target / file.name)


def complaints(log: str) -> str:
    """What CRIU says is wrong, without what it says in any case; empty where it says nothing."""
    lines = [line for line in log.splitlines() if "Error" in line]
    return " ".join(line for line in lines if not _HARMLESS.search(line))[:_MOST_WORDS]


def parse_version(said: str) -> str | None:
    """``4.1.1`` of ``Version: 4.1.1``; None of anything else."""
    found = re.search(r"^Version:\s*(\d+(?:\.\d+)*)", said, re.MULTILINE | re.ASCII)
    return found[1] if found else None


def _run(command: list[str]) -> str:
    """What it printed, however it ended. Raises CriuError where it cannot be run."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CriuError(f"{command[0]} cannot be run: {error}") from error
    return done.stdout.decode(errors="replace")
