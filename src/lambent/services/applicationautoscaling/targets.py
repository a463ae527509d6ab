"""Scalable targets: versions and aliases whose provisioned concurrency may move between two bounds."""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambent.model.call import Call, Result
from lambent.model.errors import AwsError
from lambent.services.applicationautoscaling.faults import (
    DIMENSION,
    NAMESPACE,
    invalid,
    limit_exceeded,
    not_registered,
)
from lambent.services.applicationautoscaling.lookup import (
    after,
    check_namespace,
    page,
    place_of,
    resource_of,
)
from lambent.services.applicationautoscaling.scaler import bounds_cause
from lambent.services.applicationautoscaling.tags import check_tags
from lambent.store import scaling, tags
from lambent.store.scaling import ScalingRecord

if TYPE_CHECKING:
    from lambent.services.applicationautoscaling.service import AutoScaling

_MAX_TARGETS = 1_500
"""AWS: scalable targets of a resource type, by default. Source: "Quotas for Application Auto Scaling"."""
_MAX_CAPACITY = 10_000_000
_SUSPENSIONS = (
    "DynamicScalingInSuspended",
    "DynamicScalingOutSuspended",
    "ScheduledScalingSuspended",
)


def register_scalable_target(service: "AutoScaling", call: Call) -> Result:
    """``RegisterScalableTarget``: new, or with other bounds, which the capacity is brought within at once."""
    parameters, place = call.parameters, place_of(call)
    resource_id = resource_of(call)
    cx = service.plane.database.connection
    present = scaling.get_record(cx, place, "target", resource_id)
    before = {} if present is None else present.document
    low = parameters.get("MinCapacity", before.get("Min"))
    high = parameters.get("MaxCapacity", before.get("Max"))
    _check_bounds(low, high)
    if present is None and len(scaling.list_records(cx, place, "target")) >= _MAX_TARGETS:
        raise limit_exceeded(f"No more than {_MAX_TARGETS} scalable targets are allowed.")
    given_tags = parameters.get("Tags", {})
    check_tags(given_tags)
    if present is not None and given_tags:
        raise invalid("Tags can only be given to a new scalable target; use TagResource.")
    document = {
        "Arn": before.get("Arn") or _new_arn(*place),
        "Created": before.get("Created", service.now().timestamp()),
        "Min": low,
        "Max": high,
        "Suspended": _suspended(parameters.get("SuspendedState"), before.get("Suspended", {})),
        "Role": parameters.get("RoleARN") or before.get("Role") or _role(place[0]),
    }
    target = ScalingRecord(*place, "target", resource_id, document=document)
    _check_function(service, target)
    with service.plane.database.transaction() as cx:
        scaling.put_record(cx, target)
        tags.put_tags(cx, document["Arn"], given_tags)
    service.scaler.keep_within_bounds(target, bounds_cause(low, high))
    return Result({"ScalableTargetARN": document["Arn"]})


def describe_scalable_targets(service: "AutoScaling", call: Call) -> Result:
    """``DescribeScalableTargets``, by resource."""
    check_namespace(call)
    wanted = call.parameters.get("ResourceIds")
    found = scaling.list_records(
        service.plane.database.connection, place_of(call), "target", after(call)
    )
    if wanted:
        found = [record for record in found if record.resource_id in wanted]
    return Result(page(call, found, "ScalableTargets", _shown))


def deregister_scalable_target(service: "AutoScaling", call: Call) -> Result:
    """``DeregisterScalableTarget``: its policies and actions go too; the capacity stays as it is."""
    place, resource_id = place_of(call), resource_of(call)
    with service.plane.database.transaction() as cx:
        target = target_of(cx, place, resource_id)
        for kind in ("policy", "action"):
            for record in scaling.list_of_resource(cx, place, kind, resource_id):
                scaling.remove_record(cx, record)
        scaling.remove_record(cx, target)
        tags.remove_tags(cx, target.document["Arn"], [*tags.list_tags(cx, target.document["Arn"])])
    return Result()


def target_of(cx: Any, place: tuple[str, str], resource_id: str) -> ScalingRecord:
    """A registered target. Raises ``ObjectNotFoundException``."""
    target = scaling.get_record(cx, place, "target", resource_id)
    if target is None:
        raise not_registered(resource_id)
    return target


def _check_bounds(low: int | None, high: int | None) -> None:
    if low is None or high is None:
        raise invalid("Both MinCapacity and MaxCapacity must be specified for a new target.")
    if low < 0 or high > _MAX_CAPACITY:
        raise invalid("Minimum capacity must be at least 0.")
    if low > high:
        raise invalid("Maximum capacity cannot be less than minimum capacity")


def _check_function(service: "AutoScaling", target: ScalingRecord) -> None:
    """Raises ``ValidationException`` for a version or alias that is not there. Best known wording."""
    try:
        service.scaler.current_capacity(target)
    except AwsError as error:
        raise invalid(error.message) from error


def _suspended(given: Any, before: Any) -> dict[str, bool]:
    chosen = before if given is None else {**before, **given}
    return {name: bool(chosen.get(name, False)) for name in _SUSPENSIONS}


def _new_arn(account_id: str, region: str) -> str:
    number = uuid.uuid4().hex + uuid.uuid4().hex[:4]
    return f"arn:aws:application-autoscaling:{region}:{account_id}:scalable-target/{number}"


def _role(account_id: str) -> str:
    return (
        f"arn:aws:iam::{account_id}:role/aws-service-role/lambda.application-autoscaling."
        "amazonaws.com/AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency"
    )


def _shown(record: ScalingRecord) -> dict[str, Any]:
    document = record.document
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": record.resource_id,
        "ScalableDimension": DIMENSION,
        "MinCapacity": document["Min"],
        "MaxCapacity": document["Max"],
        "RoleARN": document["Role"],
        "CreationTime": datetime.fromtimestamp(document["Created"], UTC),
        "SuspendedState": document["Suspended"],
        "ScalableTargetARN": document["Arn"],
    }
