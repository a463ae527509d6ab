"""Application Auto Scaling with boto3: use and schedules move what is provisioned."""

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

RUNTIME = f"python3.{sys.version_info.minor}"
ROLE = "arn:aws:iam::000000000000:role/e2e"
SLEEPER = """
import time

def handler(event, context):
    time.sleep(event)
"""
SCALE = 600
"""A period is 0.1 s: out after 0.3 s, in after 1.5 s."""
FAMILY = {
    "ServiceNamespace": "lambda",
    "ScalableDimension": "lambda:function:ProvisionedConcurrency",
}


@pytest.fixture
def fast(start_platform: Callable[..., Any]) -> Any:
    """A platform of its own whose clocks are fast."""
    return start_platform(None, "--time-scale", str(SCALE))


@pytest.fixture
def clients(fast: Any) -> Iterator[tuple[Any, Any]]:
    """Lambda's and Application Auto Scaling's."""
    made = fast.client("lambda"), fast.client("application-autoscaling")
    yield made
    for one in made:
        one.close()


def _deploy(client: Any, zip_of: Any) -> dict[str, str]:
    client.create_function(
        FunctionName="f", Runtime=RUNTIME, Role=ROLE, Handler="app.handler",
        Code={"ZipFile": zip_of({"app.py": SLEEPER})}, Publish=True, Timeout=30,
    )  # fmt: skip
    client.get_waiter("function_active_v2").wait(FunctionName="f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    return {**FAMILY, "ResourceId": "function:f:live"}


def _provisioned(client: Any) -> tuple[int, str]:
    shown = client.list_provisioned_concurrency_configs(FunctionName="f")
    configs = shown["ProvisionedConcurrencyConfigs"]
    if not configs:
        return 0, "none"
    return configs[0]["RequestedProvisionedConcurrentExecutions"], configs[0]["Status"]


def test_use_moves_what_is_provisioned(clients: Any, zip_of: Any, poll: Any) -> None:
    """Two environments become four under load, and two again when it is over; real ones, and listed so."""
    client, scaling = clients
    family = _deploy(client, zip_of)
    scaling.register_scalable_target(**family, MinCapacity=2, MaxCapacity=8)
    poll(lambda: _provisioned(client) == (2, "READY"), 20, "two to be ready")
    scaling.put_scaling_policy(
        **family, PolicyName="half", PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 0.5, "PredefinedMetricSpecification": {
                "PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"
            },
        },
    )  # fmt: skip
    load = [
        threading.Thread(
            target=client.invoke,
            kwargs={"FunctionName": "f", "Qualifier": "live", "Payload": b"4"},
        )
        for _ in range(2)
    ]
    for thread in load:
        thread.start()
    poll(lambda: _provisioned(client) == (4, "READY"), 20, "four to be ready")
    for thread in load:
        thread.join()
    poll(lambda: _provisioned(client) == (2, "READY"), 20, "two to be left")
    shown = scaling.describe_scaling_activities(ServiceNamespace="lambda")["ScalingActivities"]
    assert [one["Description"] for one in shown] == [
        f"Setting desired concurrency to {wanted}." for wanted in (2, 4, 2)
    ]
    assert shown[0]["StatusCode"] == "Successful"


def test_schedules_survive_kill(
    fast: Any, clients: Any, zip_of: Any, poll: Any, start_platform: Any
) -> None:
    """An action whose time comes while the platform is dead runs when it is back, once."""
    client, scaling = clients
    family = _deploy(client, zip_of)
    scaling.register_scalable_target(**family, MinCapacity=0, MaxCapacity=8)
    soon = datetime.now(UTC) + timedelta(seconds=2)
    scaling.put_scheduled_action(
        **family, ScheduledActionName="up", Schedule=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        ScalableTargetAction={"MinCapacity": 3},
    )  # fmt: skip
    assert _provisioned(client) == (0, "none")
    fast.process.kill()
    fast.process.wait()
    poll(lambda: datetime.now(UTC) > soon, 10, "the time to pass")
    again = start_platform(None, "--time-scale", str(SCALE))
    client, scaling = again.client("lambda"), again.client("application-autoscaling")
    poll(lambda: _provisioned(client) == (3, "READY"), 20, "three to be ready")
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"]
    assert target["MinCapacity"] == 3
    scaling.put_scheduled_action(
        **family, ScheduledActionName="down", Schedule="rate(1 hour)",
        ScalableTargetAction={"MinCapacity": 0, "MaxCapacity": 0},
    )  # fmt: skip
    poll(lambda: _provisioned(client) == (0, "none"), 20, "an hour, which is six seconds here")
    client.close()
    scaling.close()
