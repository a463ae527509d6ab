"""``lambent deploy``: creates, updates, and leaves alone what is as asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambent.cli.deploy import choose_runtime, function_name, parse_environment
from lambent.cli.failures import CliError

Run = Callable[..., Any]


def test_creates_the_function(lambent: Run, platform: Any, source: Path) -> None:
    """A directory becomes a function of its name; the ARN alone goes to standard output."""
    done = lambent("deploy", str(source))
    assert (done.exit_code, done.stdout) == (0, platform.functions["hello"]["FunctionArn"] + "\n")
    assert "hello created" in done.stderr
    assert platform.functions["hello"]["Handler"] == "lambda_function.lambda_handler"
    assert platform.functions["hello"]["Runtime"].startswith("python3.")


def test_takes_every_option(lambent: Run, platform: Any, source: Path) -> None:
    """Name, handler, runtime, memory, timeout, environment and role reach the API."""
    role = "arn:aws:iam::000000000000:role/other"
    options = ["--name", "n", "--handler", "a.b", "--runtime", "python3.12", "--memory", "256"]
    options += ["--timeout", "9", "--env", "LEVEL=INFO", "--env", "URL=a=b", "--role", role]
    assert lambent("deploy", str(source), *options).exit_code == 0
    made = platform.functions["n"]
    assert (made["Handler"], made["Runtime"], made["Role"]) == ("a.b", "python3.12", role)
    assert (made["MemorySize"], made["Timeout"]) == (256, 9)
    assert made["Environment"] == {"Variables": {"LEVEL": "INFO", "URL": "a=b"}}


def test_same_again_changes_nothing(lambent: Run, platform: Any, source: Path) -> None:
    """A second deploy of the same directory with the same options sends no change."""
    options = ("--memory", "256", "--env", "LEVEL=INFO")
    lambent("deploy", str(source), *options)
    before = platform.changes()
    done = lambent("deploy", str(source), *options)
    assert "hello unchanged" in done.stderr
    assert platform.changes() == before


def test_updates_only_what_differs(lambent: Run, platform: Any, source: Path) -> None:
    """Changed code is a code update, a changed setting a configuration update, and neither the other."""
    lambent("deploy", str(source))
    (source / "data.txt").write_text("new")
    assert "updated (code)" in lambent("deploy", str(source)).stderr
    assert "updated (Timeout)" in lambent("deploy", str(source), "--timeout", "7").stderr
    assert [change.rpartition("/")[2] for change in platform.changes()[1:]] == [
        "code",
        "configuration",
    ]


def test_keeps_what_is_not_asked_for(lambent: Run, platform: Any, source: Path) -> None:
    """Options left out leave an existing function's settings as they are, its handler too."""
    package = source / "app"
    package.mkdir()
    (package / "__init__.py").write_text("def run(event, context): ...")
    lambent("deploy", str(source), "--handler", "app.run", "--env", "A_KEY=1", "--memory", "512")
    (package / "more.py").write_text("")
    assert "updated (code)" in lambent("deploy", str(source)).stderr
    kept = platform.functions["hello"]
    assert (kept["Handler"], kept["MemorySize"]) == ("app.run", 512)
    assert kept["Environment"] == {"Variables": {"A_KEY": "1"}}


def test_follows_a_handler_that_moved(lambent: Run, platform: Any, source: Path) -> None:
    """A handler that is gone from the directory is looked for again."""
    lambent("deploy", str(source))
    (source / "lambda_function.py").rename(source / "app.py")
    assert "updated (code, Handler)" in lambent("deploy", str(source)).stderr
    assert platform.functions["hello"]["Handler"] == "app.lambda_handler"


def test_waits_until_the_function_is_active(lambent: Run, platform: Any, source: Path) -> None:
    """It comes back when the function can be called."""
    platform.pending_reads = 3
    # The first read is of a function that is not there, so all three see it pending.
    assert lambent("deploy", str(source)).exit_code == 0
    assert platform.pending_reads == 0


def test_says_why_a_function_failed(lambent: Run, platform: Any, source: Path) -> None:
    """A function that cannot be made ready is an error with AWS's reason."""
    lambent("deploy", str(source))
    platform.functions["hello"] |= {"State": "Failed", "StateReason": "no such layer"}
    done = lambent("deploy", str(source))
    assert done.exit_code == 1
    assert "hello could not be made ready: no such layer" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "There is no directory nowhere."),
        ([".", "--env", "X"], "--env X is not K=V."),
        ([".", "--memory", "5"], "valid min value: 128"),
        ([".", "--memory", "much"], "Invalid value for '--memory'"),
    ],
)
def test_usage_errors_exit_with_2(
    lambent: Run,
    platform: Any,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    """What cannot be tried is refused in words, and nothing is changed."""
    monkeypatch.chdir(source)
    done = lambent("deploy", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert platform.changes() == []


@pytest.mark.parametrize(
    ("directory", "name"),
    [("my app", "my-app"), ("a.b", "a-b"), ("x" * 80, "x" * 64), ("-ok_1-", "ok_1")],
)
def test_makes_a_function_name(directory: str, name: str) -> None:
    """What Lambda does not take in a name becomes a dash."""
    assert function_name(Path("/tmp") / directory) == name


def test_no_name_can_be_made_of_symbols_alone() -> None:
    """A directory without a letter needs --name."""
    with pytest.raises(CliError, match="makes no function name"):
        function_name(Path("/tmp/***"))


@pytest.mark.parametrize("pair", ["=1", "K", ""])
def test_refuses_half_a_variable(pair: str) -> None:
    """A variable needs a name and an equals sign."""
    with pytest.raises(CliError, match="is not K=V"):
        parse_environment([pair])


def test_chooses_a_runtime_the_platform_has() -> None:
    """The newest exact Python where this interpreter's is not there; never one that is stood in for."""
    runtimes = [
        {"name": "python3.9", "exact": True},
        {"name": "python3.10", "exact": True},
        {"name": "python3.99", "exact": False},
    ]
    assert choose_runtime({"runtimes": runtimes}) == "python3.10"
    assert choose_runtime(None).startswith("python3.")
