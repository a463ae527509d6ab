"""``lambent invoke``: the event in, the result out, the log beside it, the exit code."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
LOG = base64.b64encode(b"START RequestId: 1\nREPORT RequestId: 1\tDuration: 1.00 ms\t\n").decode()


@pytest.fixture
def function(platform: Any, lambent: Run, source: Path) -> Any:
    """A function ``hello`` that answers with its event."""
    lambent("deploy", str(source))
    platform.requests.clear()
    return platform


def test_prints_the_result_and_nothing_else(function: Any, lambent: Run) -> None:
    """Standard output is the payload alone, standard error the log with its tabs."""
    function.invocation = lambda event: ({"X-Amz-Log-Result": LOG}, b'{"a":  1}')
    done = lambent("invoke", "hello", "--payload", "{}")
    assert (done.exit_code, done.stdout) == (0, '{"a":  1}\n')
    assert done.stderr == base64.b64decode(LOG).decode()


@pytest.mark.parametrize("option", ["--payload", "-p"])
def test_sends_the_payload_as_given(function: Any, lambent: Run, option: str) -> None:
    """The event's bytes are the caller's, spaces and letters beyond ASCII included."""
    lambent("invoke", "hello", option, '{"key":  "ü"}')
    assert function.requests[-1][2]["event"] == '{"key":  "ü"}'.encode()


def test_reads_the_event_from_a_file(function: Any, lambent: Run, tmp_path: Path) -> None:
    """--file names a file."""
    (tmp_path / "event.json").write_text("[1]")
    assert lambent("invoke", "hello", "--file", str(tmp_path / "event.json")).stdout == "[1]\n"


@pytest.mark.parametrize("arguments", [[], ["--file", "-"]])
def test_reads_the_event_from_standard_input(
    function: Any, lambent: Run, arguments: list[str]
) -> None:
    """A pipe is the event; an empty one is {}."""
    assert lambent("invoke", "hello", *arguments, stdin="[2]\n").stdout == "[2]\n"
    assert lambent("invoke", "hello", *arguments, stdin="").stdout == "{}\n"


def test_passes_qualifier_context_and_log_type(function: Any, lambent: Run) -> None:
    """The qualifier is in the query, the client context and the log type in headers."""
    lambent("invoke", "hello", "-p", "1", "--qualifier", "live", "--client-context", '{"c": 1}')
    assert function.requests[-1][2]["query"] == {"Qualifier": ["live"]}
    headers = function.headers[-1]
    assert json.loads(base64.b64decode(headers["x-amz-client-context"])) == {"c": 1}
    assert headers["x-amz-log-type"] == "Tail"
    lambent("invoke", "hello", "-p", "1", "--no-tail")
    assert "x-amz-log-type" not in function.headers[-1]


def test_a_failing_function_exits_with_1(function: Any, lambent: Run) -> None:
    """Type, message and stack go to standard error; standard output stays empty."""
    error = {"errorMessage": "no [/red] stock", "errorType": "[/]Odd", "stackTrace": ["  File 1\n"]}
    function.invocation = lambda event: (
        {"X-Amz-Function-Error": "Unhandled"},
        json.dumps(error).encode(),
    )
    done = lambent("invoke", "hello", "-p", "{}")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "[/]Odd: no [/red] stock\n    File 1\n"


def test_a_failure_that_is_no_document_is_shown_as_it_is(function: Any, lambent: Run) -> None:
    """An error payload of any JSON is printed after AWS's word for it."""
    function.invocation = lambda event: ({"X-Amz-Function-Error": "Handled"}, b'"why"')
    done = lambent("invoke", "hello", "-p", "{}")
    assert (done.exit_code, done.stderr) == (1, 'Handled: "why"\n')


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--payload", "{"], "--payload is not JSON"),
        (["--payload", "[" * 100_000], "--payload is nested too deeply"),
        (["--file", "nowhere.json"], "Cannot read nowhere.json: No such file or directory."),
        (["--file", "utf16.json"], "utf16.json is not UTF-8"),
        (["--payload", "1", "--file", "x"], "Give either --payload or --file."),
        (["--payload", "1", "--client-context", "{"], "--client-context is not JSON"),
    ],
)
def test_what_cannot_be_sent_exits_with_2(
    function: Any,
    lambent: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    """A bad event is refused before the function is called."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "utf16.json").write_bytes('{"a": 1}'.encode("utf-16"))
    done = lambent("invoke", "hello", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert function.requests == []


def test_an_unknown_function_is_told_with_a_remedy(lambent: Run) -> None:
    """AWS's error in one line, and the command that lists what there is."""
    done = lambent("invoke", "nope", "-p", "{}")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ResourceNotFoundException: Function not found: arn:aws:")
    assert "lambent ls" in done.stderr
