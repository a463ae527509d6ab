"""``lambent up``: runs the platform in the foreground until Ctrl-C."""

import errno
import ipaddress
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from lambent.cli import console
from lambent.cli.failures import EXIT_USAGE, CliError
from lambent.cli.file_systems import known_file_systems
from lambent.cli.health import fetch_health
from lambent.cli.images import known_images, known_registry
from lambent.cli.stem_cells import known_number
from lambent.model.errors import PlatformFault
from lambent.settings import NetworkChoice, SandboxChoice, Settings

SANDBOXES: tuple[SandboxChoice, ...] = ("auto", "namespaces", "process")
NETWORKS: tuple[NetworkChoice, ...] = ("auto", "outbound", "isolated")


def default_data_dir() -> Path:
    """``$LAMBENT_DATA``, else ``$XDG_DATA_HOME/lambent``, else ``~/.local/share/lambent``."""
    if chosen := os.environ.get("LAMBENT_DATA"):
        return Path(chosen).expanduser()
    share = os.environ.get("XDG_DATA_HOME")
    return (Path(share) if share else Path.home() / ".local" / "share") / "lambent"


def up(
    *,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; loopback only, unless --access-keys is given."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 4566,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Where functions, versions and logs are kept. Default: $LAMBENT_DATA, else "
            "$XDG_DATA_HOME/lambent, else ~/.local/share/lambent.",
            show_default=False,
        ),
    ] = None,
    sandbox: Annotated[
        str,
        typer.Option(help="auto, namespaces (isolated) or process (not isolated)."),
    ] = "auto",
    network: Annotated[
        str,
        typer.Option(
            help="What functions reach: outbound (what this machine reaches; without root it takes "
            "slirp4netns or pasta), isolated (the platform alone), or auto: outbound where this "
            "machine can."
        ),
    ] = "auto",
    cpu_limit: Annotated[
        bool,
        typer.Option(
            "--cpu-limit/--no-cpu-limit",
            help="Give functions CPU in proportion to memory, as AWS does, or all there is.",
        ),
    ] = True,
    stem_cells: Annotated[
        str,
        typer.Option(
            metavar="auto|N",
            help="Keep this many environments of each Python in use ready for any function, 0 to "
            "128. auto: two, and as many as were started at once in the last ten minutes, where "
            "there is memory to spare.",
        ),
    ] = "auto",
    loaded_stem_cells: Annotated[
        str,
        typer.Option(
            metavar="auto|N",
            help="Keep this many of each other runtime and memory size in use loaded and ready: "
            "Node.js, Java, Ruby; 0 to 128. auto: one, and as above.",
        ),
    ] = "auto",
    criu: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="The CRIU, 4 or newer, that SnapStart of Java needs; default: the one in PATH.",
        ),
    ] = None,
    time_scale: Annotated[
        int,
        typer.Option(
            min=1,
            max=3600,
            help="Run the retry clocks of asynchronous events this many times faster; for tests.",
        ),
    ] = 1,
    neighbours: Annotated[
        bool,
        typer.Option(
            "--neighbours/--no-neighbours",
            help="Have moto, embedded and in memory, serve AWS services that Lambent does not host.",
        ),
    ] = True,
    neighbour: Annotated[
        list[str] | None,
        typer.Option(
            help="A service served by a real endpoint: s3=https://minio.example:9000. Requests are "
            "signed with the credentials found here; with ,unsigned after the URL they are not. "
            "May be given several times.",
            show_default=False,
        ),
    ] = None,
    file_system: Annotated[
        list[str] | None,
        typer.Option(
            help="A directory here that functions share as an EFS access point: ARN=/host/dir. "
            "May be given several times.",
            show_default=False,
        ),
    ] = None,
    access_keys: Annotated[
        Path | None,
        typer.Option(
            help="Answer only requests signed with a key of this file, in the form of "
            "~/.aws/credentials; functions sign with keys of their own.",
            show_default=False,
        ),
    ] = None,
    memory_reserve: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="MiB of memory kept free: below it idle environments are ended, and soon no other "
            "starts. Default: a twentieth of what there is.",
            show_default=False,
        ),
    ] = None,
    max_memory: Annotated[
        int | None,
        typer.Option(
            min=128,
            help="MiB that the memory sizes of all live environments may come to. Default: what "
            "really is free decides.",
            show_default=False,
        ),
    ] = None,
    code_storage: Annotated[
        int,
        typer.Option(
            min=1,
            help="MiB that the zips of all versions and layers of a region may come to.",
        ),
    ] = 75 * 1024,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Where container images lie: DIR/NAME, an OCI layout, or the archive DIR/NAME.tar, stands "
            "for the repository NAME in Amazon ECR.",
            show_default=False,
        ),
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(
            help="The registry that stands for Amazon ECR: https://registry.example/prefix. Its "
            "credentials are skopeo's.",
            show_default=False,
        ),
    ] = None,
    allow_reset: Annotated[
        bool, typer.Option("--allow-reset", help="Let clients wipe everything; for test suites.")
    ] = False,
) -> None:
    """Start the platform here; Ctrl-C stops it."""
    from lambent.app import serve  # noqa: PLC0415 - the platform itself: `--help` does without

    settings = Settings(
        data_dir=(data or default_data_dir()).expanduser().absolute(),
        host=host if access_keys else loopback(host),
        port=port,
        sandbox=known_sandbox(sandbox),
        network=known_network(network),
        access_keys=access_keys and access_keys.expanduser().absolute(),
        memory_reserve_mib=memory_reserve,
        max_memory_mib=max_memory,
        code_storage_mib=code_storage,
        allow_reset=allow_reset,
        cpu_limit=cpu_limit,
        stem_cells=known_number("--stem-cells", stem_cells),
        loaded_stem_cells=known_number("--loaded-stem-cells", loaded_stem_cells),
        criu=criu,
        time_scale=time_scale,
        neighbours=neighbours,
        neighbour_endpoints=known_neighbours(neighbour or []),
        file_systems=known_file_systems(file_system or []),
        images=known_images(images),
        registry=known_registry(registry),
    )
    try:
        serve(settings, announce)
    except PlatformFault as fault:
        raise CliError(fault.message, "See what this machine can do: lambent doctor") from fault
    except OSError as error:
        raise start_failure(error, settings) from error
    except sqlite3.Error as error:
        raise CliError(
            f"The data in {settings.data_dir} cannot be used: {error}.",
            "Choose another directory: lambent up --data DIR",
        ) from error
    console.err().print("Stopped.")


def loopback(host: str) -> str:
    """``host`` when it is loopback. Raises CliError otherwise: anybody could call."""
    try:
        safe = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        safe = False
    if not safe:
        raise CliError(
            f"Lambent listens on {host} only with --access-keys: without them "
            "anyone who reached that address could run code here.",
            "Give --access-keys FILE, or use --host 127.0.0.1 and an SSH tunnel: "
            "ssh -L 4566:127.0.0.1:4566 HOST",
            EXIT_USAGE,
        )
    return host


def known_neighbours(texts: list[str]) -> dict[str, str]:
    """Service → endpoint. Raises CliError for what is none, or stands for a service hosted here."""
    from lambent.neighbours.routing import parse_neighbour  # noqa: PLC0415
    from lambent.server.fidelity import AWAITED, REGISTRIES  # noqa: PLC0415

    found = {}
    for text in texts:
        try:
            service, _ = parse_neighbour(text)
        except ValueError as error:
            raise CliError(f"--neighbour {text}: {error}.", "", EXIT_USAGE) from error
        if service in {*REGISTRIES, *AWAITED}:
            raise CliError(f"{service} is hosted here; it has no neighbour.", "", EXIT_USAGE)
        found[service] = text.partition("=")[2]
    return found


def known_sandbox(name: str) -> SandboxChoice:
    """``name`` as a sandbox. Raises CliError when there is none of that name."""
    for sandbox in SANDBOXES:
        if name == sandbox:
            return sandbox
    raise CliError(f"There is no sandbox {name}.", f"One of: {', '.join(SANDBOXES)}", EXIT_USAGE)


def known_network(name: str) -> NetworkChoice:
    """``name`` as a network. Raises CliError when there is none of that name."""
    for network in NETWORKS:
        if name == network:
            return network
    raise CliError(f"There is no network {name}.", f"One of: {', '.join(NETWORKS)}", EXIT_USAGE)


def start_failure(error: OSError, settings: Settings) -> CliError:
    """Why the platform did not start, from the operating system's error."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        other = fetch_health(url)
        who = f"A Lambent (process {other.get('pid')}) runs" if other else "Something else listens"
        return CliError(
            f"{who} at {url} already.",
            f"Use it, stop it, or choose another port: lambent up --port {settings.port % 65535 + 1}",
        )
    if error.filename is not None:
        return CliError(
            f"The data directory {settings.data_dir} cannot be used: {error.strerror}.",
            "Choose another: lambent up --data DIR",
        )
    if error.errno == errno.EACCES:
        return CliError(
            f"Not permitted to listen at {url}.",
            "Ports below 1024 need root; choose another: lambent up --port 4566",
        )
    return CliError(f"The platform could not start: {error}", "See why: lambent doctor")


def announce(health: Mapping[str, Any]) -> None:
    """Says on standard error what runs now. ``health``: what ``GET /_lambent/health`` answers."""
    from rich.panel import Panel  # noqa: PLC0415

    screen = console.err()
    lines = describe(health)
    if screen.is_terminal:
        screen.print(Panel("\n".join(lines), title="[bold]Lambent[/]", expand=False))
    else:
        screen.print("\n".join(lines))


def describe(health: Mapping[str, Any]) -> list[str]:
    """The lines of the announcement, in rich's markup."""
    from rich.markup import escape  # noqa: PLC0415

    sandbox = health["sandbox"]
    endpoint = str(health["endpoint"])
    colour = "bold red" if sandbox["kind"] == "process" else "green"
    lines = [
        f"Lambent {health['version']} is ready at [bold cyan]{endpoint}[/]",
        "",
        f"data      {escape(str(health['data_dir']))}",
        f"sandbox   [{colour}]{sandbox['kind']}[/]: {isolation_text(sandbox['isolation'])}",
        f"network   {escape(network_text(sandbox.get('network', {})))}",
        f"runtimes  {escape(runtimes_text(health['runtimes']))}",
    ]
    if told := neighbours_text(health.get("neighbours") or {}):
        lines.append(f"also      {escape(told)}")
    scale = int(health.get("time_scale", 1))
    if scale != 1:
        lines.append(
            f"[bold yellow]clocks[/]    {scale} times faster: retries, back-off and the age of "
            "asynchronous events"
        )
    if sandbox["kind"] == "process":
        lines += ["", *_process_warning()]
    lines += [f"[yellow]note[/]      {escape(str(notice))}" for notice in sandbox["notices"]]
    if health.get("authentication") == "signatures":
        lines.append("access    every request must be signed with a known key")
    lines += ["", f"[bold]export AWS_ENDPOINT_URL={endpoint}[/]", "[dim]Ctrl-C stops it.[/]"]
    return lines


def _process_warning() -> list[str]:
    return [
        "[bold white on red] NO ISOLATION [/]",
        "[bold red]Functions run as you, with your files, your network and your processes.[/]",
        "[bold red]Run only code you trust. `lambent doctor` says what a real sandbox needs.[/]",
    ]


def isolation_text(isolation: Mapping[str, Any]) -> str:
    """What is separated and limited, then what is not."""
    words = {
        "mount": "files",
        "read_only_root": "read-only root",
        "pid": "processes",
        "network": "network",
        "ipc": "IPC",
        "uts": "host name",
        "unprivileged_uid": "own user id",
        "user": "user namespace",
        "seccomp": "system calls",
        "memory_limit": "memory limit",
        "cpu_limit": "CPU limit",
        "pids_limit": "process limit",
        "freeze": "freezing",
    }
    given = [word for key, word in words.items() if isolation.get(key)]
    # A user namespace is one of two ways to an unprivileged user id, not a lack of its own.
    lacking = [w for k, w in words.items() if k in isolation and not isolation[k] and k != "user"]
    text = ", ".join(given) or "nothing is isolated"
    return f"{text}; [yellow]without {', '.join(lacking)}[/]" if lacking else text


def network_text(network: Mapping[str, Any]) -> str:
    """What functions reach, in words."""
    way = (
        f"by {network['by']}" if "by" in network else f"by NAT, through {network.get('interface')}"
    )
    words = {
        "outbound": f"outbound {way}",
        "isolated": "isolated: functions reach this platform and nothing else",
        "host": "the host's own",
    }
    return words.get(str(network.get("mode")), "unknown")


def neighbours_text(neighbours: Mapping[str, Any]) -> str:
    """Who serves what is not hosted here; empty where nobody does."""
    parts = [f"{service} at {url}" for service, url in neighbours.get("endpoints", {}).items()]
    embedded = neighbours.get("embedded")
    if embedded and embedded.get("installed"):
        parts.append("S3, DynamoDB, Kinesis and others emulated by moto, in memory, from first use")
    return "; ".join(parts)


def runtimes_text(runtimes: list[dict[str, Any]]) -> str:
    """``python3.11; the nearest stands in for python3.12 (see lambent doctor)``."""
    found = [str(r["name"]) for r in runtimes if r.get("exact")]
    others = [str(r["name"]) for r in runtimes if not r.get("exact")]
    if not found:
        return "none found; see lambent doctor"
    text = ", ".join(found)
    return (
        f"{text}; the nearest stands in for {', '.join(others)} (see lambent doctor)"
        if others
        else text
    )
