"""Which interpreters this host has, and what a function's ``Runtime`` runs under here.

An interpreter counts when the official runtime client is installed for it: the platform's own always is;
others are prepared with ``lambent runtimes add python3.X``. Looking is cheap: no process is started.
"""

import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from lambent.node.java.runtimes import (
    JAVA_RUNTIME_NAMES,
    JavaRuntime,
    choose_java,
    find_javas,
    is_java,
)
from lambent.node.nodejs.runtimes import (
    NODE_RUNTIME_NAMES,
    NodeRuntime,
    choose_node,
    find_nodes,
    is_node,
)
from lambent.node.ruby.runtimes import (
    RUBY_RUNTIME_NAMES,
    RubyRuntime,
    choose_ruby,
    find_rubies,
    is_ruby,
)

_CLIENT = "awslambdaric"
_SDK = "boto3"
_VERSIONS = tuple(f"3.{minor}" for minor in range(10, 15))
RUNTIME_NAMES = tuple(f"python{version}" for version in _VERSIONS)
"""The Python runtimes that AWS offers and awslambdaric supports."""
_PROVIDED = "provided."


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One usable interpreter. ``packages``: name inside ``/var/runtime`` → path on the host."""

    version: str
    executable: str
    prefix: str
    packages: dict[str, str]
    build: str = ""
    """Which build it is, 64 hex digits: another one after an upgrade of it or of the runtime client."""

    @property
    def runtime(self) -> str:
        """AWS's name for it, ``python3.11``."""
        return f"python{self.version}"


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """What a runtime name gets here. ``notice`` says so when it is not the interpreter asked for.

    ``interpreter`` is what environments are forked from; ``node`` what runs in those of ``nodejs22.x``,
    ``java`` and ``ruby`` likewise.
    """

    interpreter: Interpreter
    notice: str | None
    node: NodeRuntime | None = None
    java: JavaRuntime | None = None
    ruby: RubyRuntime | None = None

    @property
    def executable(self) -> str:
        """What runs the function, on the host."""
        return (self.node or self.java or self.ruby or self.interpreter).executable


def prepared_packages_dir(version: str) -> Path:
    """Where ``lambent runtimes add`` puts the runtime client for an interpreter that is not ours."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "lambent" / "runtimes" / f"python{version}"


def find_executables() -> dict[str, str]:
    """Version → executable, for every interpreter in the usual places (prepared or not)."""
    found: dict[str, str] = {}
    for version in _VERSIONS:
        for path in _candidates(version):
            if os.access(path, os.X_OK):
                found.setdefault(version, os.path.realpath(path))
    found[_own_version()] = _own_executable()
    return dict(sorted(found.items(), key=lambda item: _minor(item[0])))


def _candidates(version: str) -> Iterable[Path]:
    name = f"python{version}"
    for directory in (
        "/usr/local/bin",
        "/usr/bin",
        "/opt/homebrew/bin",
        f"/opt/python/{version}/bin",
    ):
        yield Path(directory) / name
    home = Path.home()
    for root, pattern in (
        (".pyenv/versions", f"{version}.*"),
        (".local/share/uv/python", f"cpython-{version}.*"),
    ):
        yield from (p / "bin" / name for p in sorted((home / root).glob(pattern), reverse=True))


def find_interpreters() -> list[Interpreter]:
    """Every interpreter functions can run under here, oldest first; the platform's own is among them."""
    found = []
    for version, executable in find_executables().items():
        if version == _own_version():
            packages = _installed_packages()
            prefix = sys.base_prefix
        else:
            packages = _prepared_packages(prepared_packages_dir(version))
            prefix = str(Path(executable).parents[1])
        if packages:
            build = _build(executable, packages)
            found.append(Interpreter(version, executable, prefix, packages, build))
    return found


def is_python(runtime: str) -> bool:
    """Whether a runtime name is one of Python."""
    return runtime.startswith("python")


def is_provided(runtime: str) -> bool:
    """Whether the function brings its runtime along: AWS's OS-only runtimes, and images, which name none."""
    return runtime.startswith(_PROVIDED) or not runtime


def python_command(interpreter: Interpreter) -> list[str]:
    """How it is started: without what the host has installed for itself."""
    return [interpreter.executable, "-s", "-S", "-X", "utf8"]


def runtime_label(runtime: str, choice: RuntimeChoice) -> str:
    """What ``INIT_START`` says: ``python:3.11``, ``nodejs:22``, ``java:17``, ``ruby:3.4`` or
    ``provided:al2023``."""
    if is_provided(runtime):
        return runtime.replace(".", ":")
    if choice.node is not None:
        return choice.node.name.removesuffix(".x").replace("nodejs", "nodejs:")
    if choice.java is not None:
        return f"java:{choice.java.release}"
    if choice.ruby is not None:
        return f"ruby:{choice.ruby.release}"
    return f"python:{choice.interpreter.version}"


def choose_interpreter(
    runtime: str, found: Sequence[Interpreter], nodes: Sequence[NodeRuntime] | None = None
) -> RuntimeChoice:
    """The interpreter for ``python3.X``: that one, else the nearest (the newer of two).

    For ``provided.*`` the one whose zygote is up first, only to fork from; it has no build to pin. For Node.js the
    same, with the prepared runtime of ``nodes`` (this host's), if there is any, and its build; so for Java and
    Ruby.
    Raises LookupError for a runtime that is none of these.
    """
    if is_node(runtime):
        node, notice = choose_node(runtime, find_nodes() if nodes is None else nodes)
        forked = replace(found[0], build=node.build if node else "")
        return RuntimeChoice(forked, notice, node)
    if is_java(runtime):
        java, notice = choose_java(runtime, find_javas())
        forked = replace(found[0], build=java.build if java else "")
        return RuntimeChoice(forked, notice, java=java)
    if is_ruby(runtime):
        ruby, notice = choose_ruby(runtime, find_rubies())
        forked = replace(found[0], build=ruby.build if ruby else "")
        return RuntimeChoice(forked, notice, ruby=ruby)
    if is_provided(runtime):
        return RuntimeChoice(replace(found[0], build=""), None)
    if not runtime.startswith("python3."):
        raise LookupError(runtime)
    wanted = int(runtime.removeprefix("python3."))
    nearest = min(found, key=lambda i: (abs(_minor(i.version) - wanted), -_minor(i.version)))
    if nearest.runtime == runtime:
        return RuntimeChoice(nearest, None)
    notice = (
        f"{runtime} is not on this host; the function runs under {nearest.runtime} "
        f"({nearest.executable}). Install python{runtime.removeprefix('python')} and run: "
        f"lambent runtimes add {runtime}"
    )
    return RuntimeChoice(nearest, notice)


def missing_runtime(runtime: str) -> str | None:
    """Why functions of a runtime cannot run here at all; None where they can, or where AWS's refusal is due."""
    if runtime in NODE_RUNTIME_NAMES:
        node, notice = choose_node(runtime, find_nodes())
        return None if node is not None else notice
    if runtime in JAVA_RUNTIME_NAMES:
        java, notice = choose_java(runtime, find_javas())
        return None if java is not None else notice
    if runtime in RUBY_RUNTIME_NAMES:
        ruby, notice = choose_ruby(runtime, find_rubies())
        return None if ruby is not None else notice
    return None


def _build(executable: str, packages: Iterable[str]) -> str:
    """A digest of what an upgrade would change: the interpreter's file, the packages with their versions.

    The versions are in the names of the ``.dist-info`` directories.
    """
    file = Path(executable).stat()
    known = (executable, str(file.st_size), str(file.st_mtime_ns), *sorted(packages))
    return hashlib.sha256("\0".join(known).encode()).hexdigest()


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


def _own_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _own_executable() -> str:
    base = getattr(sys, "_base_executable", None) or sys.executable
    return os.path.realpath(base)


def _installed_packages() -> dict[str, str]:
    """The runtime client, boto3 and all they need, found by their installation records."""
    packages: dict[str, str] = {}
    waiting, seen = [_CLIENT, _SDK], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        distribution = metadata.distribution(name)
        for file in distribution.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__"):
                packages[top] = str(distribution.locate_file(top))
        waiting += [
            _requirement_name(r) for r in distribution.requires or () if "extra ==" not in r
        ]
    return {name: path for name, path in packages.items() if Path(path).exists()}


def _requirement_name(requirement: str) -> str:
    for index, character in enumerate(requirement):
        if not (character.isalnum() or character in "-_."):
            return requirement[:index]
    return requirement


def _prepared_packages(directory: Path) -> dict[str, str]:
    if not (directory / _CLIENT).is_dir():
        return {}
    return {entry.name: str(entry) for entry in directory.iterdir() if entry.name != "bin"}
