"""Aliases: names for versions, with at most one more version that takes a share of the traffic.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lambent.control import paging
from lambent.control.answers import alias_configuration
from lambent.control.locate import (
    alias_not_found,
    check_revision,
    function_not_found,
    function_of,
    latest_of,
)
from lambent.control.plane import ControlPlane, new_revision_id
from lambent.control.provisioned_concurrency import check_alias_move
from lambent.model.call import Call, Result
from lambent.model.errors import (
    ClientFault,
    conflict,
    invalid_parameter,
    not_found,
    not_yet,
)
from lambent.model.function import LATEST, Alias
from lambent.model.function_name import FunctionName
from lambent.store import (
    aliases,
    event_invoke_configs,
    function_urls,
    functions,
    policies,
    provisioned,
)


def create_alias(plane: ControlPlane, call: Call) -> Result:
    """``CreateAlias``: a new name for a version that is there."""
    parameters, function = call.parameters, function_of(call)
    alias = Alias(
        name=_checked_name(parameters["Name"]),
        function_version=parameters["FunctionVersion"],
        description=parameters.get("Description") or "",
        revision_id=new_revision_id(),
    )
    with plane.database.transaction() as cx:
        _require_version(cx, function, alias.function_version)
        if aliases.get_alias(cx, function, alias.name) is not None:
            raise conflict(f"Alias already exists: {function.function_arn}:{alias.name}")
        alias = _routed(alias, parameters.get("RoutingConfig") or {})
        _check_routing(cx, function, alias)
        aliases.put_alias(cx, function, alias)
    plane.on_change(function.function_arn)
    return Result(alias_configuration(function.function_arn, alias), status=201)


def get_alias(plane: ControlPlane, call: Call) -> Result:
    """``GetAlias``."""
    function, name = function_of(call), call.parameters["Name"]
    cx = plane.database.connection
    latest_of(cx, function)
    alias = aliases.get_alias(cx, function, name)
    if alias is None:
        raise alias_not_found(function, name)
    return Result(alias_configuration(function.function_arn, alias))


def update_alias(plane: ControlPlane, call: Call) -> Result:
    """``UpdateAlias``: what is given; an empty ``AdditionalVersionWeights`` ends the split."""
    parameters, function = call.parameters, function_of(call)
    with plane.database.transaction() as cx:
        latest_of(cx, function)
        alias = aliases.get_alias(cx, function, parameters["Name"])
        if alias is None:
            raise not_found(f"Alias not found: {function.function_arn}:{parameters['Name']}")
        check_revision(parameters.get("RevisionId"), alias.revision_id)
        alias = replace(alias, revision_id=new_revision_id())
        if parameters.get("FunctionVersion") is not None:
            alias = replace(alias, function_version=parameters["FunctionVersion"])
            _require_version(cx, function, alias.function_version)
        if parameters.get("Description") is not None:
            alias = replace(alias, description=parameters["Description"])
        if parameters.get("RoutingConfig") is not None:
            alias = _routed(alias, parameters["RoutingConfig"])
        _check_routing(cx, function, alias)
        check_alias_move(cx, function, alias)
        aliases.put_alias(cx, function, alias)
    plane.on_change(function.function_arn)
    return Result(alias_configuration(function.function_arn, alias))


def list_aliases(plane: ControlPlane, call: Call) -> Result:
    """``ListAliases``, by name; with ``FunctionVersion`` those that send anything to it."""
    parameters, function = call.parameters, function_of(call)
    size = paging.page_size(parameters)
    (start,) = paging.after(parameters, ("",))
    cx = plane.database.connection
    latest_of(cx, function)
    found = aliases.list_aliases(
        cx,
        function,
        version=parameters.get("FunctionVersion"),
        after=str(start),
        limit=size + 1,
    )
    return Result(
        paging.page(
            found,
            size,
            lambda alias: (alias.name,),
            lambda alias: alias_configuration(function.function_arn, alias),
            "Aliases",
        )
    )


def delete_alias(plane: ControlPlane, call: Call) -> Result:
    """``DeleteAlias``. AWS: one that is not there is deleted as well."""
    function, name = function_of(call), call.parameters["Name"]
    with plane.database.transaction() as cx:
        latest_of(cx, function)
        aliases.delete_alias(cx, function, name)
        function_urls.remove_url(cx, function, name)
        policies.remove_policies(cx, f"{function.function_arn}:{name}")
        event_invoke_configs.remove_event_invoke_config(cx, function, name)
        provisioned.remove_provisioned(cx, function, name)
    plane.on_change(function.function_arn)
    return Result(status=204)


def _checked_name(name: str) -> str:
    if name.isdigit():
        raise ClientFault(
            "ValidationException",
            f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
        )
    return name


def _require_version(cx: sqlite3.Connection, function: FunctionName, version: str) -> None:
    if version == "$LATEST.PUBLISHED":
        raise not_yet("an alias to $LATEST.PUBLISHED")
    if functions.get_version(cx, function, version) is None:
        raise function_not_found(f"{function.function_arn}:{version}")


def _routed(alias: Alias, routing: Mapping[str, Any]) -> Alias:
    weights: Mapping[str, float] = routing.get("AdditionalVersionWeights") or {}
    if len(weights) > 1:
        raise invalid_parameter(
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        )
    for version, weight in weights.items():
        return replace(
            alias, additional_version=version, additional_weight=_checked(version, weight)
        )
    return replace(alias, additional_version=None, additional_weight=0.0)


def _checked(version: str, weight: float) -> float:
    if 0.0 <= weight <= 1.0:
        return weight
    raise ClientFault(
        "ValidationException",
        f"1 validation error detected: Value '{{{version}={weight}}}' at "
        "'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must "
        "satisfy constraint: [Member must have value less than or equal to 1.0, Member must have "
        "value greater than or equal to 0.0, Member must not be null]",
    )


def _check_routing(cx: sqlite3.Connection, function: FunctionName, alias: Alias) -> None:
    """A second version is a published one, is there, and is not the first again."""
    second, first = alias.additional_version, alias.function_version
    if second is None:
        return
    if second == first:
        raise invalid_parameter(
            f"Invalid function version {first}. Function version {first} is already included in "
            "routing configuration."
        )
    if first == LATEST:
        # AWS: without a Type. Source: recorded by LocalStack's tests
        # (TestLambdaAlias::test_notfound_and_invalid_routingconfigs).
        raise ClientFault(
            "InvalidParameterValueException",
            "$LATEST is not supported for an alias pointing to more than 1 version",
        )
    if not second.isdigit():
        raise ClientFault(
            "ValidationException",
            f"1 validation error detected: Value '{{{second}={alias.additional_weight}}}' at "
            "'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must "
            "satisfy constraint: [Member must have length less than or equal to 1024, Member must "
            "have length greater than or equal to 1, Member must satisfy regular expression "
            "pattern: [0-9]+, Member must not be null]",
        )
    if functions.get_version(cx, function, second) is None:
        raise function_not_found(f"{function.function_arn}:{second}")
