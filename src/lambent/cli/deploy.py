"""``lambent deploy``: a directory becomes a function, or the function becomes that directory again.

Deploying the same twice changes nothing: code is compared by its hash, configuration by what was
asked. What is not asked for on an existing function stays as it is.
"""

import base64
import hashlib
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from lambent.cli import client, console, package
from lambent.cli.failures import EXIT_USAGE, CliError
from lambent.cli.health import fetch_health
from lambent.cli.ls import size_text
from lambent.cli.options import DEFAULT_ENDPOINT, EndpointOption

DEFAULT_ROLE = "arn:aws:iam::000000000000:role/lambda-role"
ACTIVE_TIMEOUT_S = 60.0
ACTIVE_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the function shall be; None leaves it as it is (or Lambda's default on a new one)."""

    name: str
    handler: str | None = None
    runtime: str | None = None
    memory_mib: int | None = None
    timeout_s: int | None = None
    environment: Mapping[str, str] | None = None
    role: str | None = None

    def configuration(self) -> dict[str, Any]:
        """The settings asked for, by Lambda's names."""
        values = {
            "Handler": self.handler,
            "Runtime": self.runtime,
            "MemorySize": self.memory_mib,
            "Timeout": self.timeout_s,
            "Environment": None if self.environment is None else {"Variables": self.environment},
            "Role": self.role,
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Deployed:
    """What came of it: ``change`` is ``created``, ``updated (code, …)`` or ``unchanged``."""

    configuration: Mapping[str, Any]
    change: str


def deploy(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The directory with the code.", show_default=False)
    ],
    *,
    name: Annotated[
        str | None, typer.Option(help="Default: the directory's name.", show_default=False)
    ] = None,
    handler: Annotated[
        str | None,
        typer.Option(help="module.function; found by itself as a rule.", show_default=False),
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="Such as python3.11; default: one this platform has.")
    ] = None,
    memory: Annotated[int | None, typer.Option(help="128-10240 MB.", show_default=False)] = None,
    timeout: Annotated[int | None, typer.Option(help="1-900 seconds.", show_default=False)] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="K=V", help="Replaces the function's variables.", show_default=False),
    ] = None,
    role: Annotated[
        str | None, typer.Option(help=f"Execution role; {DEFAULT_ROLE} on a new function.")
    ] = None,
    endpoint: EndpointOption = DEFAULT_ENDPOINT,
) -> None:
    """Zip a directory and create or update a function with it."""
    if not directory.is_dir():
        raise CliError(f"There is no directory {directory}.", exit_code=EXIT_USAGE)
    wanted = Wanted(
        name=name or function_name(directory),
        handler=handler,
        runtime=runtime,
        memory_mib=memory,
        timeout_s=timeout,
        environment=None if env is None else parse_environment(env),
        role=role,
    )
    with client.connected("lambda", endpoint) as functions:
        deployed = apply(functions, directory, wanted, endpoint)
    _announce(deployed)


def function_name(directory: Path) -> str:
    """A function name from the directory's: what Lambda does not take becomes ``-``."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", directory.resolve().name).strip("-")[:64]
    if not name:
        raise CliError(f"{directory} makes no function name.", "Give one: --name NAME", EXIT_USAGE)
    return name


def parse_environment(pairs: list[str]) -> dict[str, str]:
    """``["K=V"]`` as a mapping. Raises CliError for a pair without a name or ``=``."""
    variables = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise CliError(f"--env {pair} is not K=V.", "Such as --env LEVEL=INFO", EXIT_USAGE)
        variables[key] = value
    return variables


def apply(functions: Any, directory: Path, wanted: Wanted, endpoint: str) -> Deployed:
    """Makes the function what is wanted and waits until it can be called."""
    code = package.build(directory).content
    try:
        present = functions.get_function_configuration(FunctionName=wanted.name)
    except functions.exceptions.ResourceNotFoundException:
        return _create(functions, directory, wanted, code, endpoint)
    return _update(functions, directory, wanted, code, present)


def _create(
    functions: Any, directory: Path, wanted: Wanted, code: bytes, endpoint: str
) -> Deployed:
    settings = {
        "Handler": wanted.handler or package.find_handler(directory),
        "Runtime": wanted.runtime or choose_runtime(fetch_health(endpoint)),
        "Role": DEFAULT_ROLE,
        **wanted.configuration(),
    }
    functions.create_function(FunctionName=wanted.name, Code={"ZipFile": code}, **settings)
    return Deployed(wait_until_active(functions, wanted.name), "created")


def _update(
    functions: Any, directory: Path, wanted: Wanted, code: bytes, present: Mapping[str, Any]
) -> Deployed:
    changes = []
    settings = wanted.configuration()
    if wanted.handler is None and not package.defines(directory, str(present.get("Handler"))):
        settings["Handler"] = package.find_handler(directory)
    settings = {key: value for key, value in settings.items() if not _equal(present, key, value)}
    if base64.b64encode(hashlib.sha256(code).digest()).decode() != present["CodeSha256"]:
        functions.update_function_code(FunctionName=wanted.name, ZipFile=code)
        wait_until_active(functions, wanted.name)
        changes.append("code")
    if settings:
        functions.update_function_configuration(FunctionName=wanted.name, **settings)
        changes += settings
    change = f"updated ({', '.join(changes)})" if changes else "unchanged"
    return Deployed(wait_until_active(functions, wanted.name), change)


def _equal(present: Mapping[str, Any], key: str, value: Any) -> bool:
    """Whether a setting is what is asked for; AWS leaves an empty environment out."""
    if key == "Environment":
        return bool(present.get(key, {}).get("Variables", {}) == value["Variables"])
    return bool(present.get(key) == value)


def choose_runtime(health: Mapping[str, Any] | None) -> str:
    """A Python the platform has: this interpreter's version if it can, else the newest."""
    own = f"python3.{sys.version_info.minor}"
    exact = [
        str(runtime["name"])
        for runtime in (health or {}).get("runtimes", ())
        if runtime.get("exact") and re.fullmatch(r"python3\.\d+", str(runtime["name"]))
    ]
    if not exact or own in exact:
        return own
    return max(exact, key=lambda name: int(name.rpartition(".")[2]))


def wait_until_active(functions: Any, name: str) -> Mapping[str, Any]:
    """The configuration once the function can be called. Raises CliError if it never can."""
    deadline = time.monotonic() + ACTIVE_TIMEOUT_S
    while True:
        current: Mapping[str, Any] = functions.get_function_configuration(FunctionName=name)
        if "Failed" in (current.get("State"), current.get("LastUpdateStatus")):
            reason = (
                current.get("StateReason") or current.get("LastUpdateStatusReason") or "unknown"
            )
            raise CliError(f"{name} could not be made ready: {reason}", "Mend it and deploy again.")
        # Pending and InProgress end by themselves; Inactive is woken by the next call.
        if current.get("State") != "Pending" and current.get("LastUpdateStatus") != "InProgress":
            return current
        if time.monotonic() > deadline:
            raise CliError(
                f"{name} is still {current.get('State')} after {ACTIVE_TIMEOUT_S:.0f} s.",
                "See how it goes: lambent ls",
            )
        time.sleep(ACTIVE_POLL_S)


def _announce(deployed: Deployed) -> None:
    screen = console.err()
    current = deployed.configuration
    name = str(current["FunctionName"])
    colour = "dim" if deployed.change == "unchanged" else "green"
    screen.print(f"[bold]{name}[/] [{colour}]{deployed.change}[/]")
    facts = (
        str(current.get("Runtime")),
        str(current.get("Handler")),
        f"{current.get('MemorySize')} MB",
        f"{current.get('Timeout')} s",
        size_text(int(current.get("CodeSize", 0))),
    )
    screen.print("  " + ", ".join(facts), markup=False)
    screen.print(
        f"  lambent invoke {name} --payload '{{}}'\n  lambent logs {name} --follow", style="dim"
    )
    print(current["FunctionArn"])
