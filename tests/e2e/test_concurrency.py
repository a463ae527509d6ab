"""Reserved concurrency, as a caller sees it."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

SLEEPING = """
    import time, uuid
    me = uuid.uuid4().hex
    def handler(event, context):
        time.sleep(event)
        return me
"""
RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"


def reserve(function: Any, executions: int) -> None:
    """Reserves, and checks what is answered and shown."""
    call = {"FunctionName": function.name}
    put = function.client.put_function_concurrency(**call, ReservedConcurrentExecutions=executions)
    assert put["ReservedConcurrentExecutions"] == executions
    got = function.client.get_function_concurrency(**call)
    assert got["ReservedConcurrentExecutions"] == executions
    shown = function.client.get_function(**call)["Concurrency"]
    assert shown == {"ReservedConcurrentExecutions": executions}


def throttled(function: Any, event: Any = 0, **more: Any) -> dict[str, Any]:
    """The 429 that an invocation is answered with."""
    with pytest.raises(function.client.exceptions.TooManyRequestsException) as caught:
        function(event, **more)
    answer: dict[str, Any] = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert (answer["Error"]["Code"], answer["Error"]["Message"]) == (
        "TooManyRequestsException",
        "Rate Exceeded.",
    )
    assert answer["Type"] == "User"
    return answer


@contextmanager
def at_work(
    function: Any, count: int, seconds: float, busy: Callable[[], int], poll: Any
) -> Iterator[list[Any]]:
    """``count`` invocations under way, each of its own environment; they end within the block's end."""
    samples: list[int] = []  # one that has just answered counts as busy a moment longer

    def enough() -> bool:
        samples.append(busy())
        return len(samples) > 5

    poll(enough, 5, "six samples")
    before = min(samples)
    with ThreadPoolExecutor(count) as threads:
        answers = [threads.submit(function, seconds) for _ in range(count)]
        poll(lambda: busy() >= before + count, 20, f"{count} at work")
        yield answers


@pytest.fixture
def busy(platform: Any) -> Callable[[], int]:
    """How many environments are at work."""
    return lambda: int(platform.get_health()["environments"]["busy"])


def test_one_more_than_reserved_is_throttled(deploy: Callable[..., Any]) -> None:
    """Of four events at once with three reserved exactly one is 429 with the reason, three are answered."""
    function = deploy(SLEEPING, Timeout=30)
    reserve(function, 3)
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(function, 4) for _ in range(4)]
    errors = [error for call in calls if (error := call.exception()) is not None]
    assert len({call.result().payload for call in calls if call.exception() is None}) == 3
    (error,) = errors
    assert isinstance(error, ClientError)
    assert error.response["Error"]["Code"] == "TooManyRequestsException"
    assert error.response["Reason"] == RESERVED
    assert function(0).error is None, "there is room again"


def test_a_reservation_holds_for_all_versions_together(
    deploy: Callable[..., Any], busy: Callable[[], int], poll: Callable[..., Any]
) -> None:
    """A version and an alias count against the same reservation; another function does not."""
    function, other = deploy(SLEEPING, Timeout=30), deploy(SLEEPING, Timeout=30)
    function.client.publish_version(FunctionName=function.name)
    function.client.create_alias(FunctionName=function.name, Name="live", FunctionVersion="1")
    reserve(function, 1)
    with at_work(function, 1, 4, busy, poll) as answers:
        for qualifier in ("$LATEST", "1", "live"):
            assert throttled(function, Qualifier=qualifier)["Reason"] == RESERVED
        assert other(0).error is None
    assert answers[0].result().error is None
    assert function(0, Qualifier="live").error is None


def test_zero_stops_a_function_until_it_is_taken_back(
    deploy: Callable[..., Any], busy: Callable[[], int], poll: Callable[..., Any]
) -> None:
    """With 0 every invocation is 429 while work in progress ends well; without a reservation it runs."""
    function = deploy(SLEEPING, Timeout=30)
    first = function(0).payload
    with at_work(function, 1, 2, busy, poll) as answers:
        reserve(function, 0)
        assert throttled(function)["Reason"] == RESERVED
    assert answers[0].result().payload == first
    for _ in range(3):
        assert throttled(function)["Reason"] == RESERVED
    answer = function.client.delete_function_concurrency(FunctionName=function.name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "Concurrency" not in function.client.get_function(FunctionName=function.name)
    assert function(0).payload != first, "what there was has been let go"


def test_a_change_of_reservation_restarts_nothing(deploy: Callable[..., Any]) -> None:
    """The environment of before serves under a new reservation, and after it is gone."""
    function = deploy(SLEEPING)
    first = function(0).payload
    for executions in (5, 1):
        reserve(function, executions)
        assert function(0).payload == first
    function.client.delete_function_concurrency(FunctionName=function.name)
    assert function(0).payload == first


def test_reservations_leave_a_hundred(deploy: Callable[..., Any]) -> None:
    """More than the account can spare is refused in AWS's words, and nothing is kept."""
    function = deploy(SLEEPING)
    with pytest.raises(function.client.exceptions.InvalidParameterValueException) as refused:
        reserve(function, 901)
    assert refused.value.response["Error"]["Message"] == (
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100]."
    )
    got = function.client.get_function_concurrency(FunctionName=function.name)
    assert "ReservedConcurrentExecutions" not in got
    before = function.client.get_account_settings()["AccountLimit"]
    reserve(function, 100)
    after = function.client.get_account_settings()["AccountLimit"]
    key = "UnreservedConcurrentExecutions"
    assert before[key] - after[key] == 100
    assert after["ConcurrentExecutions"] == 1000


def test_a_reservation_survives_kill_nine(
    start_platform: Callable[..., Any], zip_of: Callable[..., bytes]
) -> None:
    """Once acknowledged it holds for the next process from its first invocation on."""
    platform = start_platform()
    client = platform.client("lambda")
    client.create_function(
        FunctionName="f", Runtime="python3.11", Role="arn:aws:iam::000000000000:role/e2e",
        Handler="app.handler", Code={"ZipFile": zip_of({"app.py": "def handler(e, c): return 1"})},
    )  # fmt: skip
    assert json.load(client.invoke(FunctionName="f")["Payload"]) == 1
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    os.kill(platform.pid, signal.SIGKILL)
    platform.process.wait()
    client.close()
    client = start_platform(platform.data_dir).client("lambda")
    with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
        client.invoke(FunctionName="f")
    assert caught.value.response["Reason"] == RESERVED
    client.delete_function_concurrency(FunctionName="f")
    assert json.load(client.invoke(FunctionName="f")["Payload"]) == 1
    client.close()
