"""Scheduled actions: other bounds for a target, at times that are known ahead."""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambent.model.call import Call, Result
from lambent.services.applicationautoscaling.cron import ScheduleError
from lambent.services.applicationautoscaling.faults import (
    DIMENSION,
    NAMESPACE,
    invalid,
    limit_exceeded,
    no_action,
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

_MAX_ACTIONS = 200
"""AWS: of one scalable target."""
_TIMES = (("StartTime", "Start"), ("EndTime", "End"))
_BOUNDS = (("MinCapacity", "Min"), ("MaxCapacity", "Max"))


def put_scheduled_action(service: "AutoScaling", call: Call) -> Result:
    """``PutScheduledAction``: a new one, or another in place of one: what is not said of it is unset, but the

    schedule, which a change may leave out.
    """
    parameters, place = call.parameters, place_of(call)
    resource_id, name = resource_of(call), parameters["ScheduledActionName"]
    with service.plane.database.transaction() as cx:
        target_of(cx, place, resource_id)
        present = scaling.get_record(cx, place, "action", resource_id, name)
        document = _document(service, call, present)
        if present is None:
            document["Arn"] = _new_arn(*place, resource_id, name)
            if len(scaling.list_of_resource(cx, place, "action", resource_id)) >= _MAX_ACTIONS:
                raise limit_exceeded(f"No more than {_MAX_ACTIONS} scheduled actions are allowed.")
        record = ScalingRecord(*place, "action", resource_id, name, document=document)
        try:
            due_at_s = service.scaler.next_due_s(record, service.now())
        except ScheduleError as error:
            raise invalid(f"The schedule is not valid: {error}.") from error
        if due_at_s is None:
            raise invalid("The schedule has no time left in the future.")  # best known
        scaling.put_record(
            cx, ScalingRecord(*place, "action", resource_id, name, due_at_s, document)
        )
    return Result()


def describe_scheduled_actions(service: "AutoScaling", call: Call) -> Result:
    """``DescribeScheduledActions``, by resource and name; one whose time has passed stays until it is deleted."""
    check_namespace(call)
    parameters = call.parameters
    names, resource_id = parameters.get("ScheduledActionNames"), parameters.get("ResourceId")
    cx = service.plane.database.connection
    found = [
        record
        for record in scaling.list_records(cx, place_of(call), "action", after(call))
        if (not names or record.name in names) and resource_id in {None, record.resource_id}
    ]
    return Result(page(call, found, "ScheduledActions", _shown))


def delete_scheduled_action(service: "AutoScaling", call: Call) -> Result:
    """``DeleteScheduledAction``."""
    place, resource_id = place_of(call), resource_of(call)
    name = call.parameters["ScheduledActionName"]
    with service.plane.database.transaction() as cx:
        action = scaling.get_record(cx, place, "action", resource_id, name)
        if action is None:
            raise no_action(resource_id, name)
        scaling.remove_record(cx, action)
    return Result()


def _document(service: "AutoScaling", call: Call, present: ScalingRecord | None) -> dict[str, Any]:
    parameters = call.parameters
    before = {} if present is None else present.document
    schedule = parameters.get("Schedule") or before.get("Schedule")
    if schedule is None:
        raise invalid("Schedule must be specified for a new scheduled action.")
    action = parameters.get("ScalableTargetAction") or {}
    document: dict[str, Any] = {
        "Created": before.get("Created", service.now().timestamp()),
        "Schedule": schedule,
    }
    document |= {key: before[key] for key in ("Arn", *(k for _, k in _BOUNDS)) if key in before}
    if parameters.get("Timezone"):
        document["Timezone"] = parameters["Timezone"]
    for member, key in _TIMES:
        if parameters.get(member) is not None:
            document[key] = parameters[member].timestamp()
    if action:
        document = {key: value for key, value in document.items() if key not in {"Min", "Max"}}
    for member, key in _BOUNDS:
        if action.get(member) is not None:
            document[key] = action[member]
    _check(document)
    return document


def _check(document: dict[str, Any]) -> None:
    low, high = document.get("Min"), document.get("Max")
    if low is None and high is None:
        raise invalid("ScalableTargetAction must specify MinCapacity or MaxCapacity.")
    if (low is not None and low < 0) or (high is not None and high < 0):
        raise invalid("Capacities must be at least 0.")
    if low is not None and high is not None and low > high:
        raise invalid("Maximum capacity cannot be less than minimum capacity")
    if document.get("End", float("inf")) <= document.get("Start", float("-inf")):
        raise invalid("StartTime must be before EndTime.")


def _new_arn(account_id: str, region: str, resource_id: str, name: str) -> str:
    return (
        f"arn:aws:autoscaling:{region}:{account_id}:scheduledAction:{uuid.uuid4()}:"
        f"resource/{NAMESPACE}/{resource_id}:scheduledActionName/{name}"
    )


def _shown(record: ScalingRecord) -> dict[str, Any]:
    document = record.document
    action = {member: document[key] for member, key in _BOUNDS if key in document}
    shown: dict[str, Any] = {
        "ScheduledActionName": record.name,
        "ScheduledActionARN": document["Arn"],
        "ServiceNamespace": NAMESPACE,
        "Schedule": document["Schedule"],
        "ResourceId": record.resource_id,
        "ScalableDimension": DIMENSION,
        "ScalableTargetAction": action,
        "CreationTime": datetime.fromtimestamp(document["Created"], UTC),
    }
    if "Timezone" in document:
        shown["Timezone"] = document["Timezone"]
    for member, key in _TIMES:
        if key in document:
            shown[member] = datetime.fromtimestamp(document[key], UTC)
    return shown
