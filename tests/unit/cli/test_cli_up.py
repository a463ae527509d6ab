"""``lambent up``: what it refuses, and what it says when it runs or cannot."""

import errno
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambent.cli.failures import CliError
from lambent.cli.up import (
    announce,
    default_data_dir,
    describe,
    isolation_text,
    loopback,
    network_text,
    runtimes_text,
    start_failure,
)
from lambent.settings import Settings

Run = Callable[..., Any]
HEALTH = {
    "version": "0.1.0",
    "endpoint": "http://127.0.0.1:4566",
    "data_dir": "/data/[x]",
    "sandbox": {
        "kind": "namespaces",
        "isolation": {
            "mount": True,
            "network": True,
            "user": False,
            "cgroup": "v2",
            "freeze": False,
        },
        "notices": ["a [notice]"],
    },
    "runtimes": [{"name": "python3.11", "executable": "/usr/bin/python3.11", "exact": True}],
}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "listens on 0.0.0.0 only with --access-keys"),
        (["--host", "192.168.1.5"], "listens on 192.168.1.5 only with --access-keys"),
        (["--host", "::"], "listens on :: only with --access-keys"),
        (["--host", "example.org"], "listens on example.org only with --access-keys"),
        (["--sandbox", "docker"], "docker"),
        (["--network", "bridge"], "bridge"),
        (["--port", "0"], "'--port'"),
        (["--port", "70000"], "'--port'"),
        (["--time-scale", "0"], "'--time-scale'"),
    ],
)
def test_refuses_what_it_cannot_do(run: Run, arguments: list[str], said: str) -> None:
    """A setting that cannot be obeyed is a usage error, before anything starts."""
    done = run("up", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_takes_loopback(host: str) -> None:
    """Any address of 127/8, that of IPv6, and their name."""
    assert loopback(host) == host


def test_a_port_in_use_names_who_has_it(run: Run, platform: Any, tmp_path: Path) -> None:
    """A Lambent at the port is told from another program, and the next port offered."""
    port = int(platform.url.rpartition(":")[2])
    done = run("up", "--port", str(port), "--data", str(tmp_path / "data"))
    assert done.exit_code == 1
    assert f"A Lambent (process 123) runs at {platform.url} already." in done.stderr
    assert f"lambent up --port {port + 1}" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as other:
        url = f"http://127.0.0.1:{other.getsockname()[1]}"
        other.close()
        settings = Settings(tmp_path, port=int(url.rpartition(":")[2]))
        failure = start_failure(OSError(errno.EADDRINUSE, "in use"), settings)
    assert f"Something else listens at {url} already." in failure.message


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/d"), "data directory /d cannot be"),
        (FileExistsError(errno.EEXIST, "File exists", "/d"), "data directory /d cannot be"),
        (PermissionError(errno.EACCES, "Permission denied"), "Not permitted to listen at"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign"), "could not start"),
    ],
)
def test_tells_why_it_did_not_start(error: OSError, said: str) -> None:
    """Each cause has its own sentence and remedy."""
    failure = start_failure(error, Settings(Path("/d"), port=80))
    assert said in failure.message
    assert "lambent" in failure.remedy


def test_a_data_directory_that_is_a_file(run: Run, tmp_path: Path) -> None:
    """The real start fails in words, on a port of its own."""
    (tmp_path / "file").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    done = run("up", "--port", str(port), "--data", str(tmp_path / "file"))
    assert done.exit_code == 1
    assert f"The data directory {tmp_path / 'file'} cannot be used: File exists." in done.stderr


def test_announces_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Endpoint, data, sandbox, notices and the line to paste, on standard error."""
    announce(HEALTH)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "ready at http://127.0.0.1:4566" in shown.err
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:4566\n" in shown.err
    assert "/data/[x]" in shown.err
    assert "a [notice]" in shown.err
    assert "NO ISOLATION" not in shown.err


def test_says_loudly_that_nothing_is_isolated() -> None:
    """Plain processes are announced as what they are."""
    sandbox = {"kind": "process", "isolation": {"mount": False}, "notices": []}
    lines = "\n".join(describe(HEALTH | {"sandbox": sandbox}))
    assert "NO ISOLATION" in lines
    assert "nothing is isolated" in lines


def test_lists_what_is_isolated_and_what_is_not() -> None:
    """Lacking separations are named; the user namespace is a means and not missed."""
    text = isolation_text(HEALTH["sandbox"]["isolation"])  # type: ignore[index]
    assert text.startswith("files, network; ")
    assert "without freezing" in text
    assert "user" not in text


def test_names_stand_ins() -> None:
    """A runtime another interpreter stands in for says so."""
    runtimes = [
        {"name": "python3.11", "executable": "/a", "exact": True},
        {"name": "python3.12", "executable": "/a", "exact": False},
    ]
    said = "python3.11; the nearest stands in for python3.12 (see lambent doctor)"
    assert runtimes_text(runtimes) == said
    assert runtimes_text(runtimes[:1]) == "python3.11"
    assert "lambent doctor" in runtimes_text([])


def test_data_directory_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """LAMBENT_DATA, then XDG_DATA_HOME, then the home directory."""
    monkeypatch.setenv("HOME", "/h")
    monkeypatch.setenv("LAMBENT_DATA", "~/here")
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    assert default_data_dir() == Path("/h/here")
    monkeypatch.delenv("LAMBENT_DATA")
    assert default_data_dir() == Path("/xdg/lambent")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_data_dir() == Path("/h/.local/share/lambent")


def test_no_host_is_looked_up() -> None:
    """A name other than localhost is refused without asking a name server."""
    with pytest.raises(CliError):
        loopback("loopback.example")


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"mode": "outbound", "interface": "lambent0"}, "through lambent0"),
        ({"mode": "outbound", "by": "slirp4netns"}, "outbound by slirp4netns"),
        ({"mode": "isolated"}, "nothing else"),
        ({"mode": "host"}, "the host's own"),
        ({}, "unknown"),
    ],
)
def test_says_what_functions_reach(network: dict[str, str], said: str) -> None:
    """Each kind of network has its words."""
    assert said in network_text(network)


def test_says_that_clocks_run_faster() -> None:
    """A platform whose retries come early says so; one at AWS's pace has nothing to say."""
    assert not any("faster" in line for line in describe(HEALTH | {"time_scale": 1}))
    (line,) = [line for line in describe(HEALTH | {"time_scale": 60}) if "faster" in line]
    assert "60 times faster" in line
