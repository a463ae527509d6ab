"""Event source mappings: which function gets the records of which queue or stream, and how.

The operations record what is wanted, in one of the ``-ing`` states, and tell the pollers' registry; that moves
the state on (:mod:`lambent.control.event_source_states`). A mapping outlives its function, as on AWS.
Source: the operations of botocore's ``lambda`` model; the texts as in ``event_source_settings``.
"""

import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lambent.control import event_source_kinds as kinds
from lambent.control import paging
from lambent.control.event_source_brokers import check_unique, with_group
from lambent.control.event_source_settings import changed_settings, has_settings, new_settings
from lambent.control.event_source_states import moved
from lambent.control.locate import function_of, version_of
from lambent.control.plane import ControlPlane
from lambent.control.tags import check_tags
from lambent.control.tenancy import refuse_tenants
from lambent.model.call import Call, Result
from lambent.model.errors import (
    AwsError,
    ClientFault,
    conflict,
    invalid_parameter,
    not_found,
    not_yet,
)
from lambent.model.event_source_mapping import (
    EventSourceMapping,
    MappingEvent,
    MappingState,
    mapping_arn,
)
from lambent.model.function import FunctionVersion
from lambent.model.function_name import FunctionName
from lambent.store import event_source_mappings as mappings
from lambent.store import tags

_PAGE = 100
"""AWS: ListEventSourceMappings answers at most 100, whatever MaxItems says."""
_ACCEPTED = 202


def create_event_source_mapping(plane: ControlPlane, call: Call) -> Result:
    """``CreateEventSourceMapping``: recorded as Creating; Enabled or Disabled when its poller is."""
    parameters, caller = call.parameters, call.caller
    kind = kinds.kind_of(parameters, caller.account_id, caller.region)
    if kind.service not in plane.sources.kinds:
        raise not_yet(f"{kind.title} as an event source")
    mapping_uuid = str(uuid.uuid4())
    settings = new_settings(kind, parameters, plane.destination_services)
    tagged = check_tags(parameters.get("Tags") or {})
    function, version = _function(plane.database.connection, call)
    arn: str = parameters.get("EventSourceArn") or ""
    _check_source(plane, kind, arn, version)
    enabled = parameters.get("Enabled")
    mapping = EventSourceMapping(
        uuid=mapping_uuid,
        account_id=caller.account_id,
        region=caller.region,
        function_arn=function.arn,
        event_source_arn=arn or None,
        enabled=enabled is None or enabled,
        state=MappingState.CREATING,
        state_transition_reason=kind.reason,
        last_modified_s=_now_s(plane),
        last_processing_result="" if kind is kinds.SQS else "No records processed",
        document=with_group(settings, kind, mapping_uuid),
    )
    with plane.database.transaction() as cx:
        _check_unique(cx, mapping)
        mappings.put_mapping(cx, mapping)
        tags.put_tags(cx, mapping_arn(mapping), tagged)
    plane.sources.changed(mapping)
    return Result(_shown(mapping), status=_ACCEPTED)


def get_event_source_mapping(plane: ControlPlane, call: Call) -> Result:
    """``GetEventSourceMapping``."""
    return Result(_shown(_mapping(plane.database.connection, call)))


def list_event_source_mappings(plane: ControlPlane, call: Call) -> Result:
    """``ListEventSourceMappings`` by UUID, of a function as it is named, qualifier and all, of a source."""
    parameters, caller = call.parameters, call.caller
    size = min(parameters.get("MaxItems") or _PAGE, _PAGE)
    (after,) = paging.after(parameters, ("",))
    cx = plane.database.connection
    function_arn = function_of(call).arn if parameters.get("FunctionName") else ""
    found = mappings.list_mappings(
        cx,
        caller.account_id,
        caller.region,
        function_arn=function_arn,
        event_source_arn=parameters.get("EventSourceArn") or "",
        after=str(after),
        limit=size + 1,
    )
    if function_arn and not found:
        version_of(cx, function_of(call))  # 404; what a deleted function left can still be listed
    return Result(
        paging.page(found, size, lambda each: (each.uuid,), _shown, "EventSourceMappings")
    )


def update_event_source_mapping(plane: ControlPlane, call: Call) -> Result:
    """``UpdateEventSourceMapping``: what is given; the source stays."""
    parameters = call.parameters
    present = _mapping(plane.database.connection, call)
    arn = present.event_source_arn or ""
    kind = kinds.stored_kind(arn)
    changed = _moved(present, parameters)
    settings = changed_settings(kind, arn, present.document, parameters, plane.destination_services)
    changed = replace(changed, document=settings, last_modified_s=_now_s(plane))
    if parameters.get("FunctionName"):
        function, version = _function(plane.database.connection, call)
        _check_source(plane, kind, arn, version)
        changed = replace(changed, function_arn=function.arn)
    with plane.database.transaction() as cx:
        if changed.function_arn != present.function_arn:
            _check_unique(cx, changed)
        mappings.put_mapping(cx, changed)
    plane.sources.changed(changed)
    return Result(_shown(changed), status=_ACCEPTED)


def delete_event_source_mapping(plane: ControlPlane, call: Call) -> Result:
    """``DeleteEventSourceMapping``: Deleting, and gone when its poller is."""
    with plane.database.transaction() as cx:
        mapping = moved(_mapping(cx, call), MappingEvent.DELETE)
        mapping = replace(mapping, last_modified_s=_now_s(plane))
        mappings.put_mapping(cx, mapping)
    plane.sources.changed(mapping)
    return Result(_shown(mapping), status=_ACCEPTED)


def _moved(present: EventSourceMapping, parameters: Mapping[str, Any]) -> EventSourceMapping:
    """The state an update leads to, and whether the mapping is to be polled."""
    wanted = parameters.get("Enabled")
    enabled = present.enabled if wanted is None else wanted
    if has_settings(parameters):
        event = MappingEvent.UPDATE
    else:
        event = MappingEvent.ENABLE if enabled else MappingEvent.DISABLE
    if event is MappingEvent.UPDATE and present.enabled and not enabled:
        event = (
            MappingEvent.DISABLE
        )  # AWS: what is being disabled is said to be, whatever else changes
    return replace(moved(present, event), enabled=enabled)


def _function(cx: sqlite3.Connection, call: Call) -> tuple[FunctionName, FunctionVersion]:
    """The function a mapping is for. Source of the text: recorded by LocalStack's tests
    (TestLambdaEventSourceMappings::test_event_source_mapping_exceptions)."""
    function = function_of(call)
    try:
        version, _ = version_of(cx, function)
    except ClientFault as error:
        raise invalid_parameter("Function does not exist") from error
    refuse_tenants(version, "An event source mapping")
    return function, version


def _check_source(
    plane: ControlPlane, kind: kinds.SourceKind, arn: str, version: FunctionVersion
) -> None:
    """Asks the source itself. Raises what AWS says when it is not there or does not suit the function."""
    try:
        facts = plane.sources.describe(arn, version.account_id, version.region)
    except AwsError as error:
        raise _unreadable(kind, arn, error) from error
    visibility_s = facts.get("VisibilityTimeout")
    if visibility_s is not None and int(visibility_s) < version.timeout_s:
        raise invalid_parameter(
            f"Queue visibility timeout: {visibility_s} seconds is less than Function timeout: "
            f"{version.timeout_s} seconds"
        )


def _unreadable(kind: kinds.SourceKind, arn: str, error: AwsError) -> AwsError:
    """The texts are best known."""
    if error.status >= 500:
        return error
    if kind in kinds.BROKERS:
        return invalid_parameter(f"Unable to describe {arn}: {error.message}")
    if kind is not kinds.SQS:
        return invalid_parameter(f"Stream not found: {arn}")
    if "AccessDenied" in error.code:
        return invalid_parameter(
            "The provided execution role does not have permissions to call ReceiveMessage on SQS"
        )
    code = error.code
    if code in {"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}:
        code = "AWS.SimpleQueueService.NonExistentQueue"
    return invalid_parameter(
        f"Error occurred while ReceiveMessage. SQS Error Code: {code}. "
        f"SQS Error Message: {error.message}"
    )


def _check_unique(cx: sqlite3.Connection, mapping: EventSourceMapping) -> None:
    """One mapping for a source and a function as it is named.

    Source of the queues' text: what users of AWS quote of it; of the streams', best known.
    """
    arn = mapping.event_source_arn or ""
    kind = kinds.stored_kind(arn)
    if kind in kinds.BROKERS:
        check_unique(cx, mapping, kind)
        return
    place = (mapping.account_id, mapping.region)
    there = mappings.find_mapping(cx, *place, mapping.function_arn, arn)
    if there is None:
        return
    name = mapping.function_arn.split(":")[6]
    ask = f"Please update or delete the existing mapping with UUID {there.uuid}"
    if kind is kinds.SQS:
        raise conflict(
            f'An event source mapping with SQS arn (" {arn} ") and function (" {name} ") '
            f"already exists. {ask}"
        )
    raise conflict(
        f'The event source arn (" {arn} ") and function (" {name} ") provided mapping '
        f"already exists. {ask}"
    )


def _mapping(cx: sqlite3.Connection, call: Call) -> EventSourceMapping:
    mapping = mappings.get_mapping(cx, call.parameters["UUID"])
    place = (call.caller.account_id, call.caller.region)
    if mapping is None or (mapping.account_id, mapping.region) != place:
        raise _gone()
    return mapping


def _gone() -> ClientFault:
    """Source: as for :func:`_function`."""
    return not_found("The resource you requested does not exist.")


def _now_s(plane: ControlPlane) -> float:
    return round(plane.clock().timestamp(), 3)


def _shown(mapping: EventSourceMapping) -> dict[str, Any]:
    """The shape ``EventSourceMappingConfiguration``."""
    output: dict[str, Any] = {
        "UUID": mapping.uuid,
        "EventSourceMappingArn": mapping_arn(mapping),
        "EventSourceArn": mapping.event_source_arn,
        "FunctionArn": mapping.function_arn,
        "LastModified": datetime.fromtimestamp(mapping.last_modified_s, UTC),
        "State": mapping.state.value,
        "StateTransitionReason": mapping.state_transition_reason,
        **mapping.document,
    }
    if mapping.last_processing_result:
        output["LastProcessingResult"] = mapping.last_processing_result
    if "StartingPositionTimestamp" in output:
        timestamp_s = output["StartingPositionTimestamp"]
        output["StartingPositionTimestamp"] = datetime.fromtimestamp(timestamp_s, UTC)
    return output
