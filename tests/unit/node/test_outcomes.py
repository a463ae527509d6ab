"""The words of a failure, exactly as AWS writes them."""

import json

import pytest

from lambent.node import outcomes
from lambent.node.environ import build_environ
from lambent.node.sandbox.contract import ExitStatus
from lambent.testing.node import make_spec


@pytest.mark.parametrize(
    ("how", "clean", "oom", "error_type", "message"),
    [
        (
            "exit status 1", False, False, "Runtime.ExitError",
            "RequestId: r Error: Runtime exited with error: exit status 1",
        ),
        (
            "exit status 0", True, False, "Runtime.ExitError",
            "RequestId: r Error: Runtime exited without providing a reason",
        ),
        (
            "signal: killed", False, True, "Runtime.OutOfMemory",
            "RequestId: r Error: Runtime exited with error: signal: killed",
        ),
    ],
)  # fmt: skip
def test_an_exit_is_told_as_aws_tells_it(
    how: str, clean: bool, oom: bool, error_type: str, message: str
) -> None:
    """Type and message of an exit: with an error, without a reason, out of memory."""
    failure = outcomes.exited("r", how, clean, oom)
    assert json.loads(failure.payload()) == {"errorType": error_type, "errorMessage": message}
    assert failure.log_line == f"{message}\n{error_type}\n"
    assert failure.status == "error"


def test_too_large_a_response_names_the_limit() -> None:
    """6 MiB and 100 bytes, in AWS's sentence."""
    assert json.loads(outcomes.response_too_large().payload()) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
    }


def test_an_init_timeout_is_a_timeout() -> None:
    """It has the sandbox's type, the deadline in the message and the status of a timeout."""
    failure = outcomes.init_timed_out("r", 10.0)
    assert (failure.error_type, failure.status) == ("Sandbox.Timedout", "timeout")
    assert failure.message == "RequestId: r Error: Init timed out after 10.00 seconds"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (ExitStatus(0), "exit status 0"),
        (ExitStatus(3), "exit status 3"),
        (ExitStatus(signal=9), "signal: killed"),
        (ExitStatus(signal=11), "signal: segmentation fault"),
        (ExitStatus(signal=6), "signal: aborted"),
        (ExitStatus(signal=60), "signal: 60"),
    ],
)
def test_an_exit_status_has_go_words(status: ExitStatus, words: str) -> None:
    """Codes and signals are described as Go does, because AWS's messages are Go's."""
    assert status.describe() == words


def test_the_platform_variables_win() -> None:
    """A function's own variables are there, but never in place of the platform's or the credentials."""
    spec = make_spec(
        environment={"MINE": "1", "AWS_REGION": "x", "_HANDLER": "x", "TZ": "x", "AWS_ACCESS_KEY_ID": "x"}
    )  # fmt: skip
    environ = build_environ(spec, "2026/01/31/[$LATEST]ab", {"AWS_ACCESS_KEY_ID": "ASIA"})
    assert environ["MINE"] == "1"
    assert environ["AWS_ACCESS_KEY_ID"] == "ASIA"
    assert environ["TZ"] == ":UTC"
    expected = {
        "_HANDLER": "app.handler",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/31/[$LATEST]ab",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }
    assert environ.items() >= expected.items()
    assert all(isinstance(value, str) for value in environ.values())
