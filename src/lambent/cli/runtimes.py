"""``lambent runtimes``: what functions can run under here, Pythons, Node.js, Java and Ruby, and adding one."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lambent.cli import console
from lambent.cli.failures import EXIT_USAGE, CliError, reported

CLIENT_PACKAGES = ("awslambdaric", "boto3")
"""AWS's runtime client, and the SDK that AWS's Python runtimes bring along."""

Runner = Callable[[Sequence[str]], tuple[int, str]]
"""Runs a command: its exit code and what it wrote to standard error."""

app = typer.Typer(
    help="List the runtimes functions can use here, or add one.", no_args_is_help=True
)


@app.command("ls")
@reported
def ls() -> None:
    """List the Pythons found and the other runtimes that can be had, and whether functions can use them."""
    from lambent.node.nodejs.runtimes import (  # noqa: PLC0415
        NODE_RUNTIME_NAMES,
        find_nodes,
        prepared_node_dir,
    )
    from lambent.node.runtimes import find_executables, find_interpreters  # noqa: PLC0415

    usable = {interpreter.version for interpreter in find_interpreters()}
    screen = console.out()
    for version, executable in find_executables().items():
        state = "[green]ready    [/]" if version in usable else "[yellow]not added[/]"
        screen.print(f"python{version:<5} {state} ", end="")
        screen.print(executable, markup=False)
    nodes = {node.name: node for node in find_nodes()}
    for name in NODE_RUNTIME_NAMES:
        state = "[green]ready    [/]" if name in nodes else "[yellow]not added[/]"
        screen.print(f"{name:<11} {state} ", end="")
        place = nodes[name].executable if name in nodes else prepared_node_dir(name)
        screen.print(str(place), markup=False)
    list_programs(screen)
    missing = [version for version in find_executables() if version not in usable]
    if missing:
        console.err().print(f"Add one with: lambent runtimes add python{missing[-1]}", style="dim")


def list_programs(screen: Console) -> None:
    """The Java and Ruby runtimes: what each runs in, or that it is not added."""
    from lambent.node.java.runtimes import JAVA_RUNTIME_NAMES, find_javas  # noqa: PLC0415
    from lambent.node.prepared import prepared_dir  # noqa: PLC0415
    from lambent.node.ruby.runtimes import RUBY_RUNTIME_NAMES, find_rubies  # noqa: PLC0415

    places = {java.name: f"{java.executable} (Java {java.version})" for java in find_javas()}
    places |= {ruby.name: f"{ruby.executable} (Ruby {ruby.version})" for ruby in find_rubies()}
    for name in (*JAVA_RUNTIME_NAMES, *RUBY_RUNTIME_NAMES):
        state = "[green]ready    [/]" if name in places else "[yellow]not added[/]"
        screen.print(f"{name:<11} {state} ", end="")
        screen.print(places.get(name, str(prepared_dir(name))), markup=False)


@app.command("add")
@reported
def add(
    runtime: Annotated[
        str,
        typer.Argument(
            help="Such as python3.12, nodejs22.x, java17 or ruby3.4; images: what unpacks those.",
            show_default=False,
        ),
    ],
) -> None:
    """Install AWS's runtime client and SDK for a Python of this machine, or Node.js with them.

    For Java and Ruby, prepare what this machine has. Nothing is fetched for those. For container images, install
    skopeo and umoci with apt-get, as root.
    """
    if prepare(runtime, run_quietly):
        console.err().print(
            f"{runtime} is ready. A platform that runs sees it when it is started again."
        )
    else:
        console.err().print(f"{runtime} is ready already.")


def prepare(runtime: str, run: Runner) -> bool:
    """Makes ``runtime`` usable; False when it was. Raises CliError when this machine lacks it."""
    from lambent.cli import images  # noqa: PLC0415
    from lambent.cli.java_runtimes import prepare_java  # noqa: PLC0415
    from lambent.cli.node_runtimes import PINNED, prepare_node  # noqa: PLC0415
    from lambent.cli.ruby_runtimes import prepare_ruby  # noqa: PLC0415
    from lambent.node.java.runtimes import JAVA_RUNTIME_NAMES  # noqa: PLC0415
    from lambent.node.ruby.runtimes import RUBY_RUNTIME_NAMES  # noqa: PLC0415
    from lambent.node.runtimes import (  # noqa: PLC0415
        find_executables,
        find_interpreters,
        prepared_packages_dir,
    )

    if runtime in PINNED:
        return prepare_node(runtime, run)
    if runtime == images.NAME:
        return images.prepare_images(run)
    if runtime in JAVA_RUNTIME_NAMES:
        return prepare_java(runtime, run)
    if runtime in RUBY_RUNTIME_NAMES:
        return prepare_ruby(runtime, run)
    version = runtime.removeprefix("python")
    executable = find_executables().get(version)
    if executable is None:
        raise CliError(
            f"{runtime} is not on this machine.",
            "Install it first, with apt, pyenv or uv. What there is: lambent runtimes ls",
            EXIT_USAGE,
        )
    if any(interpreter.version == version for interpreter in find_interpreters()):
        return False
    install(version, executable, prepared_packages_dir(version), run)
    return True


def run_quietly(command: Sequence[str]) -> tuple[int, str]:
    """The :data:`Runner` of this machine."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def install(version: str, executable: str, target: Path, run: Runner) -> None:
    """Puts the client's packages into ``target``, all or nothing. Raises CliError when pip fails.

    They are wheels for ``version``, got by this interpreter's pip: the other may have none, or one that is
    too old for it. They are the versions the platform itself has, compiled by the interpreter they are for.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / target.name
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        wheels = ["--python-version", version, "--implementation", "cp", "--only-binary", ":all:"]
        pinned = [f"{name}=={metadata.version(name)}" for name in CLIENT_PACKAGES]
        code, said = run([*pip, *wheels, "--no-compile", "--target", str(fresh), *pinned])
        if code != 0:
            raise CliError(
                f"pip could not install {' and '.join(CLIENT_PACKAGES)} for {executable}:\n"
                + said.strip(),
                "It needs PyPI or the index that pip is configured with.",
            )
        run([executable, "-I", "-m", "compileall", "-q", str(fresh)])
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
