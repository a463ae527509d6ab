"""``lambent doctor``: what this machine gives Lambent, and the command that mends what is missing."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from lambent.cli import console
from lambent.cli import doctor_checks as checks
from lambent.cli.client import checked_endpoint
from lambent.cli.doctor_checks import Finding
from lambent.cli.doctor_images import check_images
from lambent.cli.failures import EXIT_FAILED
from lambent.cli.health import fetch_health
from lambent.cli.options import DEFAULT_ENDPOINT, EndpointOption
from lambent.cli.up import default_data_dir

PROBE_TIMEOUT_S = 5.0
MARKS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "bad": "[bold red]bad [/]"}


class ThisHost:
    """The machine this runs on; see :class:`lambent.cli.doctor_checks.Host`."""

    def read_text(self, path: str) -> str | None:
        """The file's text; None when there is none to read."""
        try:
            return Path(path).read_text(errors="replace")
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return Path(path).exists()

    def which(self, name: str) -> str | None:
        """Where the program is found; None where it is not."""
        return shutil.which(name)

    def run(self, *command: str) -> str | None:
        """What the command prints; None when it fails or takes too long."""
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    def uid(self) -> int:
        """The effective user id."""
        return os.geteuid()

    def network_obstacle(self) -> str | None:
        """Makes a way out, and takes it down again."""
        from lambent.node.sandbox.connections import find_obstacle  # noqa: PLC0415

        return find_obstacle()


def doctor(
    *,
    data: Annotated[
        Path | None, typer.Option(help="The data directory to look at.", show_default=False)
    ] = None,
    endpoint: EndpointOption = DEFAULT_ENDPOINT,
) -> None:
    """Tell what this machine can and cannot do. Exits with 1 when Lambent cannot work here."""
    directory = (data or default_data_dir()).expanduser()
    findings = list(examine(ThisHost(), directory, checked_endpoint(endpoint)))
    show(findings)
    if any(finding.status == "bad" for finding in findings):
        raise typer.Exit(EXIT_FAILED)


def examine(host: checks.Host, data_dir: Path, url: str) -> Iterator[Finding]:
    """Every finding, in the order shown."""
    from lambent.cli.doctor_programs import check_javas, check_rubies  # noqa: PLC0415
    from lambent.cli.ruby_runtimes import find_executables as find_rubies_of_host  # noqa: PLC0415
    from lambent.node.java.jvms import find_jvms  # noqa: PLC0415
    from lambent.node.java.runtimes import find_javas  # noqa: PLC0415
    from lambent.node.nodejs.runtimes import find_nodes  # noqa: PLC0415
    from lambent.node.ruby.runtimes import find_rubies  # noqa: PLC0415
    from lambent.node.runtimes import find_executables, find_interpreters  # noqa: PLC0415

    yield checks.check_python(sys.version_info[:3])
    yield from checks.check_host(host)
    usable = {interpreter.version for interpreter in find_interpreters()}
    yield from checks.check_interpreters(find_executables(), usable)
    yield from checks.check_nodes({node.name: node.version for node in find_nodes()})
    yield from check_javas(find_javas(), find_jvms())
    yield from check_rubies(find_rubies(), find_rubies_of_host())
    yield check_images(host.which)
    place = existing_parent(data_dir)
    writable = os.access(place, os.W_OK)
    yield checks.check_disk(str(data_dir), shutil.disk_usage(place).free, writable=writable)
    health = fetch_health(url)
    accepts, free = (True, False) if health else probe_port(url)
    yield checks.check_port(url, health, accepts=accepts, free=free)


def existing_parent(directory: Path) -> Path:
    """The directory itself or the nearest one above that is there."""
    return next(place for place in (directory, *directory.absolute().parents) if place.is_dir())


def probe_port(url: str) -> tuple[bool, bool]:
    """Whether something accepts connections there, and whether the port could be listened at."""
    split = urlsplit(url)
    address = (split.hostname or "127.0.0.1", split.port or 80)
    try:
        socket.create_connection(address, timeout=1.0).close()
    except OSError:
        pass
    else:
        return True, False
    try:
        socket.create_server(address).close()
    except OSError:
        return False, False
    return False, True


def show(findings: Iterable[Finding]) -> None:
    """One line a finding, what mends it below."""
    screen = console.out()
    for finding in findings:
        screen.print(f"{MARKS[finding.status]} {finding.title:<11}", end=" ")
        screen.print(finding.detail, markup=False)
        if finding.remedy:
            screen.print(f"{'':17}→ {finding.remedy}", markup=False, style="cyan")
