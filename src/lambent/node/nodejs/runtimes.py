"""Which Node.js runtimes this host has: those that ``lambent runtimes add`` has prepared.

A prepared one is a directory: ``bin/node``; ``runtime``, which functions find at ``/var/runtime`` (AWS's client,
the SDK, ``index.mjs`` that starts them); and ``versions.json``, written last. Looking starts no process.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MAJORS = (20, 22, 24)
NODE_RUNTIME_NAMES = tuple(f"nodejs{major}.x" for major in MAJORS)
"""AWS's that its client runs under, and that there are wheels of Node.js for."""
VERSIONS_FILE = "versions.json"
_PREFIX = "nodejs"


@dataclass(frozen=True, slots=True)
class NodeRuntime:
    """One prepared runtime. ``version`` is Node's own, ``build`` 64 hex digits, another one after an upgrade."""

    name: str
    version: str
    root: Path
    build: str

    @property
    def major(self) -> int:
        """22 for ``nodejs22.x``."""
        return _major(self.name)

    @property
    def executable(self) -> str:
        """``node``, on the host."""
        return str(self.root / "bin" / "node")

    @property
    def runtime_dir(self) -> Path:
        """What functions find at ``/var/runtime``."""
        return self.root / "runtime"


def is_node(runtime: str) -> bool:
    """Whether a runtime name is one of Node.js."""
    return runtime.startswith(_PREFIX)


def prepared_node_dir(name: str) -> Path:
    """Where ``lambent runtimes add`` puts ``nodejs22.x``."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "lambent" / "runtimes" / name


@cache
def find_nodes() -> tuple[NodeRuntime, ...]:
    """The prepared ones, oldest first, as they are when this is first asked."""
    found = (look(prepared_node_dir(name), name) for name in NODE_RUNTIME_NAMES)
    return tuple(node for node in found if node is not None)


def look(root: Path, name: str) -> NodeRuntime | None:
    """What is prepared there; None where nothing whole is."""
    try:
        text = (root / VERSIONS_FILE).read_text()
    except OSError:
        return None
    if not os.access(root / "bin" / "node", os.X_OK):
        return None
    build = hashlib.sha256(text.encode()).hexdigest()
    return NodeRuntime(name, json.loads(text)["node"], root, build)


def choose_node(name: str, found: Sequence[NodeRuntime]) -> tuple[NodeRuntime | None, str | None]:
    """The runtime for ``nodejs22.x``: that one, else the nearest, the newer of two, and what to say of it then.

    None where there is none at all. Raises LookupError for a name that is none of AWS's that are served.
    """
    if name not in NODE_RUNTIME_NAMES:
        raise LookupError(name)
    add = f"Run: lambent runtimes add {name}"
    if not found:
        return None, f"{name} is not on this host. {add}"
    wanted = _major(name)
    nearest = min(found, key=lambda n: (abs(_major(n.name) - wanted), -_major(n.name)))
    if nearest.name == name:
        return nearest, None
    return nearest, f"{name} is not on this host; the function runs under {nearest.name}. {add}"


def node_command(executable: str, runtime_dir: str, memory_mib: int) -> list[str]:
    """How a function is started: with the flags AWS gives (best known), the heap within the function's memory."""
    return [
        executable,
        "--expose-gc",
        "--max-http-header-size=81920",
        f"--max-semi-space-size={max(1, memory_mib * 5 // 100)}",
        f"--max-old-space-size={memory_mib * 90 // 100}",
        f"{runtime_dir}/index.mjs",
    ]


def node_path(runtime_dir: str, opt_dir: str, task_dir: str, major: int) -> str:
    """Where ``require`` looks besides the function's own ``node_modules``. Source: AWS's ``NODE_PATH``."""
    modules = f"{opt_dir}/nodejs/node{major}/node_modules:{opt_dir}/nodejs/node_modules"
    return f"{modules}:{runtime_dir}/node_modules:{runtime_dir}:{task_dir}"


def _major(name: str) -> int:
    return int(name.removeprefix(_PREFIX).partition(".")[0])
