"""``lambent runtimes``: lists what there is, and adds one with a pip that is made up."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from lambent.cli.failures import CliError
from lambent.cli.runtimes import CLIENT_PACKAGES, install, prepare

Run = Callable[..., Any]
OWN = f"python3.{sys.version_info.minor}"
OTHER = "3.10" if sys.version_info[:2] != (3, 10) else "3.11"


@dataclass
class FakePip:
    """Notes commands; puts packages into the target where there is one, or fails."""

    fails_with: str = ""
    commands: list[Sequence[str]] = field(default_factory=list)

    def __call__(self, command: Sequence[str]) -> tuple[int, str]:
        self.commands.append(command)
        if "--target" not in command:
            return 0, ""
        target = Path(command[command.index("--target") + 1])
        for name in CLIENT_PACKAGES:
            (target / name).mkdir(parents=True)
        return (1, self.fails_with) if self.fails_with else (0, "")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with another Python in it, and nothing added yet."""
    program = tmp_path / "home/.pyenv/versions" / f"{OTHER}.0" / "bin" / f"python{OTHER}"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return tmp_path / "home"


def test_lists_what_is_ready_and_what_can_be_added(run: Run, home: Path) -> None:
    """The platform's own Python is ready; another one is listed with how to add it."""
    done = run("runtimes", "ls")
    rows = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()}
    assert rows[OWN] == "ready"
    assert rows[f"python{OTHER}"] == "not"
    assert "lambent runtimes add python3." in done.stderr


def test_columns_line_up(run: Run, home: Path) -> None:
    """Paths begin in one column whatever the state."""
    lines = run("runtimes", "ls").stdout.splitlines()
    assert len({line.index(" /") for line in lines}) == 1


def test_adds_a_runtime(run: Run, home: Path) -> None:
    """Wheels for that version, in the platform's versions; then it is ready, and adding again does nothing."""
    pip = FakePip()
    assert prepare(f"python{OTHER}", pip)
    wheels, compiled = pip.commands
    assert wheels[wheels.index("--python-version") + 1] == OTHER
    assert list(wheels[-2:]) == [f"{name}=={metadata.version(name)}" for name in CLIENT_PACKAGES]
    assert Path(compiled[0]).name.startswith("python")
    assert "compileall" in compiled
    assert (home / ".local/share/lambent/runtimes" / f"python{OTHER}" / "awslambdaric").is_dir()
    assert f"python{OTHER}" in run("runtimes", "ls").stdout
    assert not prepare(OTHER, pip)
    assert len(pip.commands) == 2


def test_a_failed_pip_leaves_nothing(home: Path) -> None:
    """All or nothing: pip's own words are shown and no half of a runtime stays."""
    with pytest.raises(CliError, match="no matching distribution"):
        prepare(f"python{OTHER}", FakePip("ERROR: no matching distribution\n"))
    runtimes = home / ".local/share/lambent/runtimes"
    assert list(runtimes.iterdir()) == []


def test_an_older_addition_is_replaced_whole(tmp_path: Path) -> None:
    """Nothing of what was there before is left beside what is new."""
    target = tmp_path / "python3.12"
    (target / "old").mkdir(parents=True)
    install("3.12", "/usr/bin/python3.12", target, FakePip())
    assert sorted(path.name for path in target.iterdir()) == sorted(CLIENT_PACKAGES)


def test_ready_already(run: Run) -> None:
    """Adding the platform's own Python is no error."""
    done = run("runtimes", "add", OWN)
    assert (done.exit_code, done.stderr) == (0, f"{OWN} is ready already.\n")


@pytest.mark.parametrize("runtime", ["python2.7", "nodejs18.x", "3.99", "../x"])
def test_what_is_not_there_cannot_be_added(run: Run, runtime: str) -> None:
    """Told with where to get it and what there is."""
    done = run("runtimes", "add", runtime)
    assert done.exit_code == 2
    assert f"{runtime} is not on this machine." in done.stderr
    assert "lambent runtimes ls" in done.stderr
