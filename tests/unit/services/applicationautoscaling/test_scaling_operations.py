"""The operations of Application Auto Scaling, and what they do to provisioned concurrency."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lambent.model.errors import AwsError
from lambent.model.provisioned import ProvisionedStatus
from lambent.services.applicationautoscaling.scaler import Scaler
from lambent.services.applicationautoscaling.tracking import Use

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f:live"
TRACKING = {
    "TargetValue": 0.5,
    "PredefinedMetricSpecification": {
        "PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"
    },
}


def _put_policy(place: Any, name: str = "p", **config: Any) -> Any:
    return place(
        "PutScalingPolicy", PolicyName=name, PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING | config,
    )  # fmt: skip


def _put_action(place: Any, schedule: str | None, name: str = "a", **more: Any) -> Any:
    action = {"ScalableTargetAction": {"MinCapacity": 5, "MaxCapacity": 9}} | more
    return place("PutScheduledAction", ScheduledActionName=name, Schedule=schedule, **action)


def test_registering_brings_the_capacity_within_bounds(place: Any) -> None:
    """Up to the least, down to the most; what is not said of a target that is there stays."""
    arn = place.register(3, 10)
    assert place.provisioned == 3
    assert place("RegisterScalableTarget", MaxCapacity=2, MinCapacity=1) == {
        "ScalableTargetARN": arn
    }
    assert place.provisioned == 2
    (target,) = place("DescribeScalableTargets", ResourceId=None)["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 2)
    assert target["SuspendedState"]["DynamicScalingInSuspended"] is False
    assert place("DescribeScalableTargets", account_id="1" * 12)["ScalableTargets"] == []
    place("RegisterScalableTarget", SuspendedState={"ScheduledScalingSuspended": True})
    (target,) = place("DescribeScalableTargets")["ScalableTargets"]
    assert target["SuspendedState"]["ScheduledScalingSuspended"] is True
    assert target["MaxCapacity"] == 2


def test_use_scales_out_and_in(place: Any) -> None:
    """Three busy periods add, fifteen idle ones take away, each as an activity with its cause."""
    place.register(2, 20)
    _put_policy(place)
    for _ in range(3):
        place.scaler.observe({ARN: Use(2, 2)})
    assert place.provisioned == 4
    for _ in range(14):
        place.scaler.observe({ARN: Use(0, 4)})
    assert place.provisioned == 4
    place.scaler.observe({ARN: Use(0, 4)})
    assert place.provisioned == 2
    shown = place("DescribeScalingActivities")["ScalingActivities"]
    assert [one["Description"][-2:] for one in shown] == ["2.", "4.", "2."]
    assert "AlarmHigh" in shown[1]["Cause"]
    assert "triggered policy p" in shown[1]["Cause"]
    assert [one["StatusCode"] for one in shown] == ["InProgress", "Overridden", "Overridden"]
    place.ready[ARN] = ProvisionedStatus(2, 2, "READY")
    latest = place("DescribeScalingActivities")["ScalingActivities"][0]
    assert (latest["StatusCode"], "EndTime" in latest) == ("Successful", True)


def test_suspension_and_missing_data(place: Any) -> None:
    """What is suspended does not scale; a period without data begins the counting anew."""
    place.register(2, 20)
    _put_policy(place)
    for use in ({ARN: Use(2, 2)}, {ARN: Use(2, 2)}, {}, {ARN: Use(2, 2)}, {ARN: Use(2, 2)}):
        place.scaler.observe(use)
    assert place.provisioned == 2
    place("RegisterScalableTarget", SuspendedState={"DynamicScalingOutSuspended": True})
    place.scaler.observe({ARN: Use(2, 2)})
    assert place.provisioned == 2


def test_what_lambda_refuses_is_a_failed_activity(place: Any) -> None:
    """More than the account has is not provisioned, and the activity says why."""
    place.register(1, 5000)
    place("RegisterScalableTarget", MinCapacity=2000)
    assert place.provisioned == 1
    failed = place("DescribeScalingActivities")["ScalingActivities"][0]
    assert failed["StatusCode"] == "Failed"
    assert "unreserved concurrency [1000]" in failed["StatusMessage"]


def test_scheduled_actions_run_at_their_times(place: Any) -> None:
    """Bounds change when the time comes, again and again, also after a restart; then it is over."""
    place.register(1, 10)
    _put_action(place, "rate(10 minutes)", EndTime=datetime(2026, 1, 31, 12, 25, tzinfo=UTC))
    assert place.scaler.run_due() == place.clock().timestamp() + 600
    assert place.provisioned == 1
    place.clock.advance(minutes=10)
    place.scaler = Scaler(place.plane, 1)
    place.scaler.run_due()
    assert place.provisioned == 5
    (target,) = place("DescribeScalableTargets")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (5, 9)
    cause = place("DescribeScalingActivities")["ScalingActivities"][0]["Cause"]
    assert "minimum capacity was set to 5 and maximum capacity was set to 9" in cause
    place.clock.advance(minutes=10)
    assert place.scaler.run_due() is None
    shown = place("DescribeScheduledActions")["ScheduledActions"]
    assert [one["ScheduledActionName"] for one in shown] == ["a"]


def test_deregistering_takes_everything_along(place: Any) -> None:
    """Policies and actions go with their target, the capacity stays."""
    place.register(2)
    _put_policy(place)
    _put_action(place, "rate(1 minute)")
    place("DeregisterScalableTarget")
    assert place("DescribeScalingPolicies")["ScalingPolicies"] == []
    assert place("DescribeScheduledActions")["ScheduledActions"] == []
    assert place.scaler.run_due() is None
    assert place.provisioned == 2


def test_policies_and_actions_are_listed_and_deleted(place: Any) -> None:
    """As they were put; pages hold what is asked for."""
    place.register()
    assert _put_policy(place)["Alarms"] == []
    (policy,) = place("DescribeScalingPolicies", PolicyNames=["p"])["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 0.5
    for name in ("a", "b", "c"):
        _put_action(place, "cron(0 8 * * ? *)", name, Timezone="UTC")
    page = place("DescribeScheduledActions", MaxResults=2)
    rest = place("DescribeScheduledActions", NextToken=page["NextToken"])
    names = [o["ScheduledActionName"] for p in (page, rest) for o in p["ScheduledActions"]]
    assert names == ["a", "b", "c"]
    assert "NextToken" not in rest
    place("DeleteScheduledAction", ScheduledActionName="a")
    place("DeleteScalingPolicy", PolicyName="p")
    assert place("DescribeScalingPolicies")["ScalingPolicies"] == []


def test_tags(place: Any) -> None:
    """On targets, by their ARN."""
    arn = place.register()
    place("TagResource", ResourceARN=arn, Tags={"a": "1", "b": "2"})
    place("UntagResource", ResourceARN=arn, TagKeys=["a", "z"])
    assert place("ListTagsForResource", ResourceARN=arn)["Tags"] == {"b": "2"}


BOUNDS = {"MinCapacity": 1, "MaxCapacity": 2}
STEP = {"PolicyName": "p"}


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("RegisterScalableTarget", {"ServiceNamespace": "ecs", **BOUNDS}, "NotImplementedException"),
        ("RegisterScalableTarget", {"ResourceId": "function:f", **BOUNDS}, "ValidationException"),
        ("RegisterScalableTarget", {"ResourceId": "function:g:live", **BOUNDS}, "ValidationException"),
        ("RegisterScalableTarget", {"ScalableDimension": "ecs:service:DesiredCount", **BOUNDS},
         "ValidationException"),
        ("RegisterScalableTarget", {"MinCapacity": 3, "MaxCapacity": 2}, "ValidationException"),
        ("RegisterScalableTarget", {"MinCapacity": -1, "MaxCapacity": 2}, "ValidationException"),
        ("RegisterScalableTarget", {"ResourceId": "function:f:1", "MinCapacity": 1},
         "ValidationException"),
        ("PutScalingPolicy", STEP, "NotImplementedException"),
        ("PutScalingPolicy", STEP | {"PolicyType": "PredictiveScaling"}, "NotImplementedException"),
        ("PutScalingPolicy", STEP | {"PolicyType": "TargetTrackingScaling"}, "ValidationException"),
        ("PutScalingPolicy", STEP | {"ResourceId": "function:f:1"}, "ObjectNotFoundException"),
        ("DeleteScalingPolicy", STEP, "ObjectNotFoundException"),
        ("DeleteScheduledAction", {"ScheduledActionName": "a"}, "ObjectNotFoundException"),
        ("DeregisterScalableTarget", {"ResourceId": "function:f:1"}, "ObjectNotFoundException"),
        ("DescribeScalableTargets", {"NextToken": "ä"}, "InvalidNextTokenException"),
        ("DescribeScalingActivities", {"MaxResults": 51}, "ValidationException"),
        ("ListTagsForResource", {"ResourceARN": "arn:x"}, "ResourceNotFoundException"),
    ],
)  # fmt: skip
def test_refusals(place: Any, operation: str, parameters: dict[str, Any], code: str) -> None:
    """What is not there, or not right, is refused with AWS's code, and nothing is written."""
    place.register()
    with pytest.raises(AwsError) as refused:
        place(operation, **parameters)
    assert refused.value.code == code
    assert len(place("DescribeScalableTargets", ResourceId=None)["ScalableTargets"]) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"schedule": "cron(* * * * * *)"},
        {"schedule": "at(2020-01-01T00:00:00)"},
        {"schedule": None},
        {"schedule": "rate(1 minute)", "Timezone": "Nowhere"},
        {"schedule": "rate(1 minute)", "ScalableTargetAction": {}},
        {
            "schedule": "rate(1 minute)",
            "ScalableTargetAction": {"MinCapacity": 2, "MaxCapacity": 1},
        },
        {"schedule": "rate(1 minute)", "EndTime": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
)
def test_schedules_that_are_none(place: Any, more: dict[str, Any]) -> None:
    """Are refused, and nothing is to run."""
    place.register()
    with pytest.raises(AwsError) as refused:
        _put_action(place, more.pop("schedule"), **more)
    assert refused.value.code == "ValidationException"
    assert place.scaler.run_due() is None


@pytest.mark.parametrize(
    "config",
    [
        {"TargetValue": 70.0},
        {
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
            }
        },
        {"PredefinedMetricSpecification": None},
        {"ScaleInCooldown": -1},
    ],
)
def test_configurations_that_cannot_be_followed(place: Any, config: dict[str, Any]) -> None:
    """Are refused rather than stored; so is a second policy."""
    place.register()
    with pytest.raises(AwsError):
        _put_policy(place, **config)
    _put_policy(place)
    with pytest.raises(AwsError, match="Only one TargetTrackingScaling"):
        _put_policy(place, "other")
