"""Provisioned concurrency: environments kept initialised for one published version or alias.

The invocation path hears of it by ``on_change`` and :func:`provisioned_of`; how far it is, is asked of it.
Source: https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html, and for the texts, what
LocalStack's tests recorded.
"""

import sqlite3
from typing import Any

from lambent.control import paging
from lambent.control.locate import (
    alias_not_found,
    function_not_found,
    function_of,
    latest_of,
    whole_function_of,
)
from lambent.control.plane import ControlPlane
from lambent.control.snap_start import refuse_snap_start
from lambent.control.tenancy import refuse_tenants
from lambent.model import limits
from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault, conflict, invalid_parameter
from lambent.model.function import LATEST, Alias
from lambent.model.function_name import FunctionName, is_version
from lambent.store import aliases, concurrency, functions
from lambent.store import provisioned as configs
from lambent.store.provisioned import ProvisionedConcurrency


def put_provisioned_concurrency_config(plane: ControlPlane, call: Call) -> Result:
    """``PutProvisionedConcurrencyConfig``: so many environments, in place of what there were."""
    function = function_of(call)
    wanted: int = call.parameters["ProvisionedConcurrentExecutions"]
    if function.qualifier == LATEST:
        raise _unpublished()
    with plane.database.transaction() as cx:
        qualifier, alias = _qualifier_of(cx, function)
        refuse_tenants(latest_of(cx, function), "Provisioned concurrency")
        _refuse_snap_start(cx, function, qualifier, alias)
        _check_overlap(cx, function, qualifier, alias)
        _check_room(plane, cx, function, qualifier, wanted)
        config = ProvisionedConcurrency(qualifier, wanted, plane.timestamp())
        configs.put_provisioned(cx, function, config)
    plane.on_change(function.function_arn)
    # AWS: nothing is there yet when it answers, whatever there was before.
    return Result(
        {
            "RequestedProvisionedConcurrentExecutions": wanted,
            "AvailableProvisionedConcurrentExecutions": 0,
            "AllocatedProvisionedConcurrentExecutions": 0,
            "Status": "IN_PROGRESS",
            "LastModified": config.last_modified,
        },
        status=202,
    )


def get_provisioned_concurrency_config(plane: ControlPlane, call: Call) -> Result:
    """``GetProvisionedConcurrencyConfig``: READY once every environment is initialised."""
    function = function_of(call)
    if function.qualifier == LATEST:
        raise _not_published()
    cx = plane.database.connection
    qualifier, _ = _qualifier_of(cx, function)
    config = configs.get_provisioned(cx, function, qualifier)
    if config is None:
        raise ClientFault(
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
            404,
            fields={"Type": "User"},
        )
    return Result(_shown(plane, function, config))


def list_provisioned_concurrency_configs(plane: ControlPlane, call: Call) -> Result:
    """``ListProvisionedConcurrencyConfigs`` of a function, by qualifier."""
    function = whole_function_of(call)
    size = paging.page_size(call.parameters)
    (start,) = paging.after(call.parameters, ("",))
    cx = plane.database.connection
    latest_of(cx, function)
    found = configs.list_provisioned(cx, function, after=str(start), limit=size + 1)
    return Result(
        paging.page(
            found,
            size,
            lambda config: (config.qualifier,),
            lambda config: {
                "FunctionArn": f"{function.function_arn}:{config.qualifier}",
                **_shown(plane, function, config),
            },
            "ProvisionedConcurrencyConfigs",
        )
    )


def delete_provisioned_concurrency_config(plane: ControlPlane, call: Call) -> Result:
    """``DeleteProvisionedConcurrencyConfig``; that there is none is no error."""
    function = function_of(call)
    if function.qualifier == LATEST:
        raise _not_published()
    with plane.database.transaction() as cx:
        qualifier, _ = _qualifier_of(cx, function)
        configs.remove_provisioned(cx, function, qualifier)
    plane.on_change(function.function_arn)
    return Result(status=204)


def provisioned_of(cx: sqlite3.Connection, function_arn: str) -> list[ProvisionedConcurrency]:
    """What is provisioned for a function's versions and aliases, by its unqualified ARN."""
    *_, region, account_id, _, name = function_arn.split(":")
    return configs.list_provisioned(cx, FunctionName(account_id, region, name))


def check_alias_move(cx: sqlite3.Connection, function: FunctionName, alias: Alias) -> None:
    """Raises what AWS says when a provisioned alias is to lead where it may not."""
    if configs.get_provisioned(cx, function, alias.name) is not None:
        _refuse_snap_start(cx, function, alias.name, alias)
        _check_overlap(cx, function, alias.name, alias)


def _qualifier_of(cx: sqlite3.Connection, function: FunctionName) -> tuple[str, Alias | None]:
    """The version or alias asked for. Raises ``ResourceNotFoundException`` in AWS's words for each."""
    qualifier = function.qualifier
    if qualifier is None:
        raise _not_published()
    if is_version(qualifier):
        if functions.get_version(cx, function, qualifier) is None:
            raise function_not_found(function.arn)
        return qualifier, None
    alias = aliases.get_alias(cx, function, qualifier)
    if alias is None:
        raise alias_not_found(function, qualifier)
    return qualifier, alias


def _refuse_snap_start(
    cx: sqlite3.Connection, function: FunctionName, qualifier: str, alias: Alias | None
) -> None:
    leads_to = [qualifier] if alias is None else [alias.function_version, alias.additional_version]
    for version in filter(None, leads_to):
        refuse_snap_start(functions.get_version(cx, function, version))


def _check_overlap(
    cx: sqlite3.Connection, function: FunctionName, qualifier: str, alias: Alias | None
) -> None:
    """A version is provisioned by its number or by aliases, not both; ``$LATEST`` never is."""
    present = {config.qualifier for config in configs.list_provisioned(cx, function)}
    if alias is None:
        for other in present:
            pointing = None if is_version(other) else aliases.get_alias(cx, function, other)
            if pointing and qualifier in (pointing.function_version, pointing.additional_version):
                raise conflict("Version is pointed by a Provisioned Concurrency alias")
        return
    if alias.function_version == LATEST:
        raise _unpublished()
    if present & {alias.function_version, alias.additional_version}:
        raise conflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already "
            "Provisioned version"
        )


def _check_room(
    plane: ControlPlane,
    cx: sqlite3.Connection,
    function: FunctionName,
    qualifier: str,
    wanted: int,
) -> None:
    """Raises when the reservation, or what the account has left, is smaller than what is wanted."""
    place = (function.account_id, function.region)
    others = sum(
        config.executions
        for config in configs.list_provisioned(cx, function)
        if config.qualifier != qualifier
    )
    reserved = concurrency.get_reservation(cx, function)
    if reserved is not None:
        if others + wanted > reserved:  # the text is best known
            raise invalid_parameter(
                "Requested Provisioned Concurrency should not be greater than the "
                "reservedConcurrentExecution for function"
            )
        return
    present = configs.get_provisioned(cx, function, qualifier)
    if present is not None and wanted <= present.executions:
        return  # nothing is taken from anyone
    taken = concurrency.total_reserved(cx, *place)
    taken += configs.total_provisioned_unreserved(cx, *place)
    unreserved = plane.max_concurrency - taken + (present.executions if present else 0)
    least = min(limits.UNRESERVED_CONCURRENCY.value, plane.max_concurrency)
    if wanted > unreserved:
        raise _no_room(
            "Specified ConcurrentExecutions for function is greater than account's unreserved "
            f"concurrency [{unreserved}]."
        )
    if unreserved - wanted < least:
        raise _no_room(
            "Specified ConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{least}]."
        )


def _no_room(message: str) -> ClientFault:
    """AWS: these two have no Type. Source: recorded by LocalStack's tests
    (TestLambdaProvisionedConcurrency::test_provisioned_concurrency_limits)."""
    return ClientFault("InvalidParameterValueException", message)


def _shown(
    plane: ControlPlane, function: FunctionName, config: ProvisionedConcurrency
) -> dict[str, Any]:
    state = plane.provisioned_status(f"{function.function_arn}:{config.qualifier}")
    shown: dict[str, Any] = {
        "RequestedProvisionedConcurrentExecutions": config.executions,
        "AvailableProvisionedConcurrentExecutions": min(state.available, config.executions),
        "AllocatedProvisionedConcurrentExecutions": min(state.allocated, config.executions),
        "Status": state.status,
        "LastModified": config.last_modified,
    }
    return shown | ({"StatusReason": state.reason} if state.reason else {})


def _unpublished() -> ClientFault:
    return invalid_parameter(
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )


def _not_published() -> ClientFault:
    return invalid_parameter(
        "The function resource provided must be an alias or a published version."
    )
