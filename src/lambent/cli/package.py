"""A directory as a function's code: its handler, found by reading, and a reproducible zip."""

import ast
import io
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lambent.cli.failures import EXIT_USAGE, CliError
from lambent.model import limits

MODULES = ("lambda_function", "app", "main", "handler", "index", "function")
"""POLICY: where a handler is looked for first; then any module of the directory, by name."""
FUNCTIONS = ("lambda_handler", "handler", "main")
"""POLICY: what a handler is called, likeliest first; it takes the event and the context."""
EXCLUDED_DIRS = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "venv",
        "__pycache__",
        "node_modules",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".idea",
        ".vscode",
        ".aws-sam",
    }
)
EXCLUDED_SUFFIXES = (".pyc", ".pyo")
EXCLUDED_FILES = frozenset({".DS_Store", ".env"})
"""``.env`` holds secrets as a rule; use --env or Parameter Store."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""A zip can hold no earlier time; one time for all makes equal trees equal bytes."""


@dataclass(frozen=True, slots=True)
class Package:
    """A zip and what is in it."""

    content: bytes
    file_count: int


def find_handler(directory: Path) -> str:
    """``module.function`` of the handler in ``directory``, without importing anything.

    Raises CliError when there is none, or a candidate is no valid Python.
    """
    named = [directory / f"{name}.py" for name in MODULES]
    rest = sorted(path for path in directory.glob("*.py") if path not in named)
    for path in [*named, *rest]:
        if path.is_file() and (function := _handler_in(path, exact=path in rest)):
            return f"{path.stem}.{function}"
    raise CliError(
        f"No handler found in {directory}: no function such as lambda_handler(event, context) "
        "in any .py file.",
        "Name it: lambent deploy DIR --handler module.function",
        EXIT_USAGE,
    )


def defines(directory: Path, handler: str) -> bool:
    """Whether ``handler`` (``module.function``, ``folder/module.function``) is in ``directory``.

    In doubt (``import *``, Python newer than ours) it is: a handler that works is not replaced.
    """
    module, _, function = handler.rpartition(".")
    place = directory / module.replace(".", "/")
    for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
        if path.is_file():
            try:
                tree = ast.parse(path.read_bytes())
            except (SyntaxError, ValueError):
                return True
            return any(_may_bind(node, function) for node in ast.walk(tree))
    return False


def _may_bind(node: ast.AST, wanted: str) -> bool:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name == wanted
        case ast.Name(id=name, ctx=ast.Store()):
            return name == wanted
        case ast.alias(name=name, asname=other):
            return (other or name) in {wanted, "*"}
    return False


def _handler_in(path: Path, *, exact: bool) -> str | None:
    """The likeliest handler of a module; ``exact`` leaves out ``main``."""
    names = _names(path)
    for name in FUNCTIONS[:2] if exact else FUNCTIONS:
        if name in names:
            return name
    return None


def _names(path: Path) -> set[str]:
    """What a handler can be at top level: functions of two, assigned and imported names."""
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise CliError(
            f"{path} is not valid Python: {error.msg}, line {error.lineno}.",
            "Mend it, or name another handler: --handler module.function",
        ) from error
    except ValueError as error:  # null bytes
        raise CliError(f"{path} is not valid Python: {error}.") from error
    found: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) if _takes_event_and_context(node.args):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda(args=arguments)):
                found |= {name} if _takes_event_and_context(arguments) else set()
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Call() | ast.Attribute() | ast.Name()
            ):
                found.add(name)  # handler = Mangum(app), app.handle, main
            case ast.ImportFrom():
                found |= {alias.asname or alias.name for alias in node.names}
    return found


def _takes_event_and_context(arguments: ast.arguments) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    return required <= 2 and (positional >= 2 or arguments.vararg is not None)


def build(directory: Path) -> Package:
    """The zip of ``directory``: sorted, one time stamp, modes 755 or 644, without caches.

    Raises CliError when there is nothing to put in, or more than Lambda takes.
    """
    buffer = io.BytesIO()
    count, unzipped_bytes = 0, 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files(directory):
            info = zipfile.ZipInfo(path.relative_to(directory).as_posix(), EPOCH)
            executable = bool(path.stat().st_mode & stat.S_IXUSR)
            info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
            info.create_system = 3  # Unix, wherever this runs
            info.compress_type = zipfile.ZIP_DEFLATED
            unzipped_bytes += path.stat().st_size
            _check_size(directory, "unzipped", unzipped_bytes, limits.UNZIPPED)
            archive.writestr(info, path.read_bytes())
            count += 1
    if not count:
        raise CliError(
            f"{directory} holds no files.", "Give the directory with the code.", EXIT_USAGE
        )
    content = buffer.getvalue()
    _check_size(directory, "zipped", len(content), limits.ZIP_UPLOAD)
    return Package(content, count)


def _check_size(directory: Path, state: str, size_bytes: int, limit: limits.Limit) -> None:
    if size_bytes > limit.value:
        raise CliError(
            f"{directory} is more than Lambda takes: over {limit.value >> 20} MiB {state}.",
            "Leave out what the function does not need, or move dependencies into a layer.",
        )


def files(directory: Path) -> Iterator[Path]:
    """The files that go in, sorted. Links to files are followed, links to directories are not."""
    found: list[Path] = []
    for folder, subfolders, names in os.walk(directory):
        subfolders[:] = [each for each in subfolders if each not in EXCLUDED_DIRS]
        found += [
            Path(folder) / name
            for name in names
            if name not in EXCLUDED_FILES and not name.endswith(EXCLUDED_SUFFIXES)
        ]
    yield from sorted(path for path in found if path.is_file())
