"""Scaling activities: what was changed, why, and what came of it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambent.control.plane import ControlPlane
from lambent.model.call import Call, Result
from lambent.services.applicationautoscaling.faults import DIMENSION, NAMESPACE
from lambent.services.applicationautoscaling.lookup import (
    after,
    check_namespace,
    page,
    place_of,
    qualified_arn,
    resource_of,
)
from lambent.store import scaling
from lambent.store.scaling import ScalingRecord

if TYPE_CHECKING:
    from lambent.services.applicationautoscaling.service import AutoScaling

KEPT = 100
"""POLICY: of each resource; AWS keeps those of six weeks."""
_NEWEST = 10**17
"""Names count down in microseconds, so that the newest comes first."""


def record_activity(
    plane: ControlPlane, target: ScalingRecord, description: str, cause: str, failure: str | None
) -> None:
    """Writes down what was tried; ``failure``: why it was refused, if it was. Status texts: best known."""
    now_s = plane.clock().timestamp()
    document: dict[str, Any] = {"Description": description, "Cause": cause, "Start": now_s}
    if failure is None:
        document["Status"] = "InProgress"
        document["Message"] = f"{_done(description)} Waiting for change to be fulfilled by lambda."
    else:
        document |= {"Status": "Failed", "Message": failure, "End": now_s}
    with plane.database.transaction() as cx:
        place = (target.account_id, target.region)
        present = scaling.list_of_resource(cx, place, "activity", target.resource_id)
        number = _NEWEST - int(now_s * 1e6)
        if present:  # of one microsecond the later one is newer too
            number = min(number, int(present[0].name) - 1)
        name = f"{number:017d}"
        scaling.put_record(cx, replace(target, kind="activity", name=name, document=document))
        for old in present[KEPT - 1 :]:
            scaling.remove_record(cx, old)


def describe_scaling_activities(service: "AutoScaling", call: Call) -> Result:
    """``DescribeScalingActivities``: the newest of a resource first."""
    plane, place = service.plane, place_of(call)
    cx = plane.database.connection
    if call.parameters.get("ResourceId") is None:
        check_namespace(call)
        records = scaling.list_records(cx, place, "activity", after(call))
    else:
        resource_id = resource_of(call)
        records = scaling.list_of_resource(cx, place, "activity", resource_id)
        records = [one for one in records if (one.resource_id, one.name) > after(call)]
    return Result(page(call, _settled(plane, records), "ScalingActivities", _shown))


def _settled(plane: ControlPlane, records: list[ScalingRecord]) -> list[ScalingRecord]:
    """The records, with what became of those in progress since they were last looked at."""
    latest: dict[str, str] = {}
    settled = []
    for record in records:
        latest.setdefault(record.resource_id, record.name)
        settled.append(_settle(plane, record, newest=latest[record.resource_id] == record.name))
    return settled


def _settle(plane: ControlPlane, record: ScalingRecord, *, newest: bool) -> ScalingRecord:
    if record.document["Status"] != "InProgress":
        return record
    status = plane.provisioned_status(
        qualified_arn(record.account_id, record.region, record.resource_id)
    )
    done = _done(record.document["Description"])
    if not newest:
        ending = ("Overridden", f"{done} A newer activity took its place.")
    elif status.status == "READY" or record.document["Description"].endswith(" 0."):
        ending = ("Successful", f"{done} Change successfully fulfilled by lambda.")
    elif status.status == "FAILED":
        ending = ("Unfulfilled", f"{done} The change was not fulfilled: {status.reason}.")
    else:
        return record
    end = {"Status": ending[0], "Message": ending[1], "End": plane.clock().timestamp()}
    changed = replace(record, document={**record.document, **end})
    with plane.database.transaction() as cx:
        scaling.put_record(cx, changed)
    return changed


def _done(description: str) -> str:
    return f"Successfully {description[0].lower()}{description[1:]}".replace("setting", "set")


def _shown(record: ScalingRecord) -> dict[str, Any]:
    document = record.document
    shown = {
        "ActivityId": f"{record.account_id}-{record.region}-{record.name}",
        "ServiceNamespace": NAMESPACE,
        "ResourceId": record.resource_id,
        "ScalableDimension": DIMENSION,
        "Description": document["Description"],
        "Cause": document["Cause"],
        "StartTime": datetime.fromtimestamp(document["Start"], UTC),
        "StatusCode": document["Status"],
        "StatusMessage": document["Message"],
    }
    if "End" in document:
        shown["EndTime"] = datetime.fromtimestamp(document["End"], UTC)
    return shown
