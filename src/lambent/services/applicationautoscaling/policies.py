"""Scaling policies: target tracking of how much of the provisioned concurrency is in use."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambent.model.call import Call, Result
from lambent.model.errors import not_yet
from lambent.services.applicationautoscaling.faults import (
    DIMENSION,
    NAMESPACE,
    invalid,
    no_policy,
)
from lambent.services.applicationautoscaling.lookup import (
    after,
    check_namespace,
    page,
    place_of,
    resource_of,
)
from lambent.services.applicationautoscaling.targets import target_of
from lambent.store import scaling
from lambent.store.scaling import ScalingRecord

if TYPE_CHECKING:
    from lambent.services.applicationautoscaling.service import AutoScaling

_TYPE = "TargetTrackingScaling"
_METRIC = "LambdaProvisionedConcurrencyUtilization"
_TARGETS = (0.1, 0.9)
"""AWS: "a value between 10% and 90%", as a share. Source: Lambda's guide to provisioned concurrency."""
_MAX_COOLDOWN_S = 86_400 * 30


def put_scaling_policy(service: "AutoScaling", call: Call) -> Result:
    """``PutScalingPolicy``: a new one, or another configuration of one there is.

    No alarms are made: the use is looked at here, and CloudWatch has nothing to show.
    """
    parameters, place = call.parameters, place_of(call)
    resource_id, name = resource_of(call), parameters["PolicyName"]
    with service.plane.database.transaction() as cx:
        target_of(cx, place, resource_id)
        present = scaling.get_record(cx, place, "policy", resource_id, name)
        _check_type(parameters, present is None)
        config = parameters.get("TargetTrackingScalingPolicyConfiguration")
        config = _checked(config) if config is not None else None
        if config is None and present is None:
            raise invalid("A target tracking scaling policy needs a configuration.")
        others = scaling.list_of_resource(cx, place, "policy", resource_id)
        if present is None and others:
            raise invalid(
                "Only one TargetTrackingScaling policy for a given metric specification is allowed."
            )
        document = {
            "Arn": present.document["Arn"] if present else _new_arn(*place, resource_id, name),
            "Created": present.document["Created"] if present else service.now().timestamp(),
            "Config": config or (present.document["Config"] if present else {}),
        }
        record = ScalingRecord(*place, "policy", resource_id, name, document=document)
        scaling.put_record(cx, record)
    return Result({"PolicyARN": document["Arn"], "Alarms": []})


def describe_scaling_policies(service: "AutoScaling", call: Call) -> Result:
    """``DescribeScalingPolicies``, by resource and name."""
    check_namespace(call)
    parameters = call.parameters
    names, resource_id = parameters.get("PolicyNames"), parameters.get("ResourceId")
    cx = service.plane.database.connection
    found = [
        record
        for record in scaling.list_records(cx, place_of(call), "policy", after(call))
        if (not names or record.name in names) and resource_id in {None, record.resource_id}
    ]
    return Result(page(call, found, "ScalingPolicies", _shown))


def delete_scaling_policy(service: "AutoScaling", call: Call) -> Result:
    """``DeleteScalingPolicy``."""
    place, resource_id = place_of(call), resource_of(call)
    name = call.parameters["PolicyName"]
    with service.plane.database.transaction() as cx:
        policy = scaling.get_record(cx, place, "policy", resource_id, name)
        if policy is None:
            raise no_policy(resource_id, name)
        scaling.remove_record(cx, policy)
    return Result()


def _check_type(parameters: Mapping[str, Any], new: bool) -> None:
    # AWS: StepScaling is what a new policy is if nothing is said.
    kind = parameters.get("PolicyType", "StepScaling" if new else _TYPE)
    for member in (
        "StepScalingPolicyConfiguration",
        "PredictiveScalingPolicyConfiguration",
    ):
        if parameters.get(member) is not None:
            raise not_yet(member)
    if kind != _TYPE:
        raise not_yet(f"PolicyType {kind}")


def _checked(config: Mapping[str, Any]) -> dict[str, Any]:
    if config.get("CustomizedMetricSpecification") is not None:
        raise not_yet("CustomizedMetricSpecification")
    metric = config.get("PredefinedMetricSpecification")
    if metric is None or metric["PredefinedMetricType"] != _METRIC:
        raise invalid(f"The metric of scalable dimension {DIMENSION} must be {_METRIC}.")
    if metric.get("ResourceLabel") is not None:
        raise invalid(f"ResourceLabel must not be specified with {_METRIC}.")
    if not _TARGETS[0] <= config["TargetValue"] <= _TARGETS[1]:
        raise invalid(f"TargetValue must be between {_TARGETS[0]} and {_TARGETS[1]}.")
    for member in ("ScaleOutCooldown", "ScaleInCooldown"):
        if not 0 <= config.get(member, 0) <= _MAX_COOLDOWN_S:
            raise invalid(f"{member} must be between 0 and {_MAX_COOLDOWN_S}.")
    return dict(config)


def _new_arn(account_id: str, region: str, resource_id: str, name: str) -> str:
    return (
        f"arn:aws:autoscaling:{region}:{account_id}:scalingPolicy:{uuid.uuid4()}:"
        f"resource/{NAMESPACE}/{resource_id}:policyName/{name}"
    )


def _shown(record: ScalingRecord) -> dict[str, Any]:
    return {
        "PolicyARN": record.document["Arn"],
        "PolicyName": record.name,
        "ServiceNamespace": NAMESPACE,
        "ResourceId": record.resource_id,
        "ScalableDimension": DIMENSION,
        "PolicyType": _TYPE,
        "TargetTrackingScalingPolicyConfiguration": record.document["Config"],
        "Alarms": [],
        "CreationTime": datetime.fromtimestamp(record.document["Created"], UTC),
    }
