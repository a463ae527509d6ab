"""The entry point ``lambent``: gathers the commands, each from its own file."""

from typing import Annotated

import typer

from lambent import __version__
from lambent.cli import runtimes
from lambent.cli.demo import demo
from lambent.cli.deploy import deploy
from lambent.cli.dlq import dlq
from lambent.cli.doctor import doctor
from lambent.cli.failures import reported
from lambent.cli.fidelity import fidelity
from lambent.cli.invoke import invoke
from lambent.cli.logs import logs
from lambent.cli.ls import ls
from lambent.cli.sources import app as sources_app
from lambent.cli.up import up

app = typer.Typer(
    name="lambent",
    help="AWS Lambda on your own machines.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"lambent {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """AWS Lambda on your own machines: the real API, the real execution semantics."""


for command in (up, deploy, invoke, logs, ls, dlq, doctor, fidelity, demo):
    app.command()(reported(command))
app.add_typer(runtimes.app, name="runtimes")
app.add_typer(sources_app, name="sources")


def main() -> None:
    """Runs the command line; ends the process with the command's exit code."""
    app()
