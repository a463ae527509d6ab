"""Provisioned concurrency, as a caller sees it: real environments, ready before the event."""

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

SOURCE = """
    import os, time, uuid
    me = uuid.uuid4().hex
    def handler(event, context):
        time.sleep(event)
        return [me, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""
FAILING = """
    raise ValueError("no start")
    def handler(event, context): ...
"""


def provision(
    function: Any, qualifier: str, executions: int, poll: Any, status: str = "READY"
) -> Any:
    """Provisions, and waits until AWS's waiters would go on."""
    call = {"FunctionName": function.name, "Qualifier": qualifier}
    function.client.put_provisioned_concurrency_config(
        **call, ProvisionedConcurrentExecutions=executions
    )

    def settled() -> Any:
        got = function.client.get_provisioned_concurrency_config(**call)
        return got if got["Status"] == status else None

    return poll(settled, 20, status)


def test_provisioned_environments_are_there_before_the_event(
    deploy: Callable[..., Any], poll: Callable[..., Any]
) -> None:
    """Once READY events run on them at once, without Init Duration; what is more than they spills over."""
    function = deploy(SOURCE, Publish=True, Timeout=30)
    function.client.create_alias(FunctionName=function.name, Name="live", FunctionVersion="1")
    got = provision(function, "live", 2, poll)
    assert got["AvailableProvisionedConcurrentExecutions"] == 2
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(function, 0.7, Qualifier="live", LogType="Tail") for _ in range(3)]
        answers = [call.result() for call in calls]
    kinds = sorted(answer.payload[1] for answer in answers)
    assert kinds == ["on-demand", "provisioned-concurrency", "provisioned-concurrency"]
    for answer in answers:
        assert ("Init Duration" in answer.log) == (answer.payload[1] == "on-demand")
    assert function(0, Qualifier="1").payload[1] == "on-demand"


def test_they_follow_the_alias_and_go_when_told(
    deploy: Callable[..., Any], poll: Callable[..., Any], platform: Any
) -> None:
    """A moved alias has environments of its new version; a deleted config leaves none."""
    function = deploy(SOURCE, Publish=True)
    client, name = function.client, function.name
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    provision(function, "live", 1, poll)
    client.update_function_configuration(FunctionName=name, Description="next")
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    client.publish_version(FunctionName=name)
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")

    def moved() -> bool:
        answer = function(0, Qualifier="live")
        return bool(answer.version == "2" and answer.payload[1] == "provisioned-concurrency")

    poll(moved, 20, "the new version provisioned")
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="live")
    poll(lambda: function(0, Qualifier="live").payload[1] == "on-demand", 20, "none provisioned")


def test_a_failing_initialisation_is_told(
    deploy: Callable[..., Any], poll: Callable[..., Any]
) -> None:
    """The config is FAILED and says that it was the function's initialisation."""
    function = deploy(FAILING, Publish=True)
    got = provision(function, "1", 1, poll, status="FAILED")
    assert got["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"


def test_it_survives_a_restart(
    start_platform: Callable[..., Any],
    zip_of: Callable[..., bytes],
    poll: Callable[..., Any],
) -> None:
    """After a stop and a start the environments are made again by themselves."""
    platform = start_platform()
    client = platform.client("lambda")
    client.create_function(
        FunctionName="f",
        Runtime=f"python3.{sys.version_info.minor}",
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/r",
        Code={"ZipFile": zip_of({"app.py": SOURCE})},
        Publish=True,
    )
    client.put_provisioned_concurrency_config(
        FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    platform.stop()
    platform = start_platform(platform.data_dir)
    client = platform.client("lambda")

    def ready() -> bool:
        got = client.get_provisioned_concurrency_config(FunctionName="f", Qualifier="1")
        return bool(got["Status"] == "READY")

    poll(ready, 20, "READY again")
    answer = client.invoke(FunctionName="f", Qualifier="1", Payload=b"0")
    assert json.load(answer["Payload"])[1] == "provisioned-concurrency"
