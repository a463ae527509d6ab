"""``lambent runtimes add ruby3.4``, with interpreters that are made up."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lambent.cli.failures import CliError
from lambent.cli.ruby_runtimes import choose, find_executables, prepare_ruby
from lambent.node.prepared import prepared_dir
from lambent.node.ruby.runtimes import look


@pytest.fixture(autouse=True)
def data_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's is touched."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


class Machine:
    """Rubies by their paths, and what each says of itself."""

    def __init__(self, root: Path, **versions: str) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        for name, version in versions.items():
            program = root / name / "bin" / "ruby"
            program.parent.mkdir(parents=True, exist_ok=True)
            program.touch(mode=0o755)
            self.answers[str(program)] = {
                "ruby": version, "api": ".".join([*version.split(".")[:2], "0"]), "executable": str(program),
                "prefix": str(root / name), "client": None,
                "gem_path": [str(root / "empty"), str(root / "gems"), "/nowhere"],
            }  # fmt: skip
        (root / "gems" / "specifications").mkdir(parents=True, exist_ok=True)
        (root / "gems" / "specifications" / "a-1.gemspec").touch()
        (root / "empty").mkdir(exist_ok=True)

    def __call__(self, command: Sequence[str]) -> tuple[int, str]:
        answer = self.answers.get(command[0])
        return (0, f"a warning\n{json.dumps(answer)}\n") if answer else (127, "not found")

    def executables(self) -> list[str]:
        return [*self.answers, "/broken/ruby"]


def test_the_nearest_is_prepared_once(tmp_path: Path) -> None:
    """The release asked for, else the nearest; what it needs outside ``/usr`` is written down."""
    machine = Machine(tmp_path, a="3.1.2", b="3.3.5")
    assert prepare_ruby("ruby3.4", machine, machine.executables())
    found = look(prepared_dir("ruby3.4"), "ruby3.4")
    assert found is not None
    assert (found.version, found.client) == ("3.3.5", "")
    assert found.binds == (str(tmp_path / "b"),)
    assert found.gem_path == (str(tmp_path / "gems"),)
    assert found.mounted_gems == {"gems/0": str(tmp_path / "gems")}
    assert (found.runtime_dir / "gems/0").is_dir()
    assert (found.runtime_dir / "bootstrap.rb").is_file()
    assert not prepare_ruby("ruby3.4", machine, machine.executables())
    machine = Machine(tmp_path, a="3.1.2", b="3.3.6")
    assert prepare_ruby("ruby3.4", machine, machine.executables())


def test_awss_gem_is_used_where_it_is_installed(tmp_path: Path) -> None:
    """Its files are copied, and started as its own program does."""
    machine = Machine(tmp_path, a="3.4.0")
    library = tmp_path / "aws_lambda_ric-3.1.0" / "lib" / "aws_lambda_ric"
    library.mkdir(parents=True)
    (library / "bootstrap.rb").write_text("# AWS's\n")
    next(iter(machine.answers.values()))["client"] = ["3.1.0", str(library.parents[1])]
    assert prepare_ruby("ruby3.4", machine, machine.executables())
    found = look(prepared_dir("ruby3.4"), "ruby3.4")
    assert found is not None
    assert found.client == "aws_lambda_ric 3.1.0"
    assert (found.runtime_dir / "aws_lambda_ric/lib/aws_lambda_ric/bootstrap.rb").is_file()
    assert "Bootstrap.start" in (found.runtime_dir / "main.rb").read_text()
    assert not (found.runtime_dir / "bootstrap.rb").exists()


def test_without_any_ruby_it_says_so() -> None:
    """With what to install."""
    with pytest.raises(CliError, match=r"ruby3\.2 needs Ruby"):
        prepare_ruby("ruby3.2", lambda _: (127, ""), ["/broken/ruby"])


@pytest.mark.parametrize(
    ("name", "chosen"),
    [("ruby3.2", "3.2.10"), ("ruby3.3", "3.4.1"), ("ruby3.4", "3.4.1"), ("ruby4.0", "3.4.1")],
)
def test_the_latest_of_the_nearest_release(name: str, chosen: str) -> None:
    """The newer of two that are as near; 3.2.10 is after 3.2.9."""
    found = [{"ruby": version} for version in ("3.1.2", "3.2.9", "3.2.10", "3.4.1")]
    assert choose(name, found)["ruby"] == chosen


def test_only_rubies_are_asked() -> None:
    """Programs that are merely called so are left alone."""
    assert all(Path(path).name.startswith("ruby") or "ruby" in path for path in find_executables())
