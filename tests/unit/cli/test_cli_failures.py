"""Expected failures of every command: a sentence, a remedy, an exit code, no traceback."""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from botocore.exceptions import SSLError

from lambent.cli.client import explain
from lambent.cli.failures import CliError, reported

Run = Callable[..., Any]
COMMANDS = (["ls"], ["invoke", "f", "-p", "{}"], ["logs", "f"], ["deploy", "."])


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address nobody listens at: bound, so that nobody else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


class _Stranger(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<html>some other server</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent."""


@pytest.fixture
def stranger() -> Iterator[str]:
    """A web server that is not Lambent."""
    with HTTPServer(("127.0.0.1", 0), _Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(5)


@pytest.fixture(autouse=True)
def in_source(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``deploy .`` has something to deploy."""
    monkeypatch.chdir(source)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
def test_no_platform(run: Run, nobody: str, command: list[str]) -> None:
    """Without a platform every command says how to start one."""
    done = run(*command, "--endpoint", nobody)
    assert done.exit_code == 1
    assert done.stderr == f"error: No Lambent at {nobody}. Start it with: lambent up\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
def test_some_other_server(run: Run, stranger: str, command: list[str]) -> None:
    """A server that is not Lambent is told from one, even if it answers 200."""
    done = run(*command, "--endpoint", stranger)
    assert done.exit_code in {1, 2}
    assert stranger in done.stderr or "parse" in done.stderr
    assert "Check --endpoint and AWS_ENDPOINT_URL." in done.stderr


@pytest.mark.parametrize(
    "endpoint", ["localhost:4566", "ftp://x", "http://", "http://h:99999", "http://h:x", "https:/x"]
)
def test_an_endpoint_that_is_none(run: Run, endpoint: str) -> None:
    """A malformed endpoint is a usage error with an example."""
    done = run("ls", "--endpoint", endpoint)
    assert done.exit_code == 2
    assert f"error: {endpoint} is not an endpoint." in done.stderr


def test_the_wrong_scheme() -> None:
    """https to a plain platform is told as a question of the endpoint."""
    failure = explain(SSLError(endpoint_url="https://127.0.0.1:4566", error="wrong version number"))
    assert failure is not None
    assert "wrong version number" in failure.message
    assert failure.remedy == "Check --endpoint and AWS_ENDPOINT_URL."


def test_a_profile_that_is_not_there(
    lambent: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The SDK's own settings are named when they are at fault."""
    monkeypatch.setenv("AWS_PROFILE", "nope")
    done = lambent("ls")
    assert done.exit_code == 1
    assert "Check AWS_PROFILE" in done.stderr


def test_a_file_that_cannot_be_used() -> None:
    """A file's error names the file."""

    def command() -> None:
        raise PermissionError(13, "Permission denied", "/x")

    with pytest.raises(typer.Exit) as ended:
        reported(command)()
    assert ended.value.exit_code == 1


def test_interruption_exits_with_130() -> None:
    """Ctrl-C is no failure to be explained."""

    def command() -> None:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as ended:
        reported(command)()
    assert ended.value.exit_code == 130


def test_a_bug_keeps_its_traceback() -> None:
    """What nobody expected is not hidden."""

    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        reported(command)()


def test_texts_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets in a message are printed, not obeyed."""

    def command() -> None:
        raise CliError("[red]x[/nope]", "[y]", 7)

    with pytest.raises(typer.Exit) as ended:
        reported(command)()
    assert ended.value.exit_code == 7
    assert capsys.readouterr().err == "error: [red]x[/nope]\n[y]\n"


def test_help_names_every_command(run: Run) -> None:
    """``lambent --help`` lists the commands, each one with help of its own."""
    listed = run("--help").stdout
    for command in ("up", "deploy", "invoke", "logs", "ls", "doctor", "runtimes", "demo"):
        assert command in listed
        assert run(command, "--help").exit_code == 0
    assert run("--version").stdout.startswith("lambent ")
