"""Event invoke configs: retries, maximum age and destinations of asynchronous events, by qualifier.

The config that applies is that of the qualifier the event was sent to; without one, ``$LATEST``'s.
Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html, and, for the
texts, AWS's answers recorded by LocalStack's tests (test_lambda_eventinvokeconfig_exceptions).
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lambent.control import paging
from lambent.control.event_targets import check_destinations
from lambent.control.locate import function_of
from lambent.control.plane import ControlPlane
from lambent.model.call import Call, Result
from lambent.model.errors import AwsError, ClientFault, invalid_parameter, not_found
from lambent.model.event_invoke import EventInvokeConfig
from lambent.model.function import LATEST
from lambent.model.function_name import FunctionName, is_version
from lambent.store import aliases, functions
from lambent.store import event_invoke_configs as configs

_SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


def put_function_event_invoke_config(plane: ControlPlane, call: Call) -> Result:
    """``PutFunctionEventInvokeConfig``: all settings anew; what is not given is taken away."""
    return _write(plane, call, lambda _: EventInvokeConfig())


def update_function_event_invoke_config(plane: ControlPlane, call: Call) -> Result:
    """``UpdateFunctionEventInvokeConfig``: what is given; the rest of the config stays as it is."""

    def base(present: EventInvokeConfig | None) -> EventInvokeConfig:
        if present is None:
            raise _not_configured(function_of(call))
        return present

    return _write(plane, call, base)


def get_function_event_invoke_config(plane: ControlPlane, call: Call) -> Result:
    """``GetFunctionEventInvokeConfig``: of a qualifier, or of ``$LATEST``."""
    function = function_of(call)
    qualifier = function.qualifier or LATEST
    config = configs.get_event_invoke_config(plane.database.connection, function, qualifier)
    if config is None:
        raise _not_configured(function)
    return Result(_shown(function, qualifier, config))


def delete_function_event_invoke_config(plane: ControlPlane, call: Call) -> Result:
    """``DeleteFunctionEventInvokeConfig``: back to AWS's defaults."""
    function = function_of(call)
    with plane.database.transaction() as cx:
        if not configs.remove_event_invoke_config(cx, function, function.qualifier or LATEST):
            raise _not_configured(function)
    plane.on_change(function.function_arn)
    return Result(status=204)


def list_function_event_invoke_configs(plane: ControlPlane, call: Call) -> Result:
    """``ListFunctionEventInvokeConfigs``: every qualifier's, by qualifier."""
    function = function_of(call)
    size = paging.page_size(call.parameters)
    (start,) = paging.after(call.parameters, ("",))
    cx = plane.database.connection
    if functions.get_version(cx, function, LATEST) is None:
        raise _no_function()
    found = configs.list_event_invoke_configs(cx, function, after=str(start), limit=size + 1)
    return Result(
        paging.page(
            found,
            size,
            lambda item: (item[0],),
            lambda item: _shown(function, *item),
            "FunctionEventInvokeConfigs",
        )
    )


def event_invoke_config_of(cx: sqlite3.Connection, function: FunctionName) -> EventInvokeConfig:
    """What applies to events sent to a function's qualifier."""
    config = configs.get_event_invoke_config(cx, function, function.qualifier or LATEST)
    return config or EventInvokeConfig()


def _write(plane: ControlPlane, call: Call, base: Any) -> Result:
    parameters, function = call.parameters, function_of(call)
    if all(parameters.get(member) is None for member in _SETTINGS):
        raise invalid_parameter(
            "You must specify at least one of error handling or destination setting."
        )
    qualifier = function.qualifier or LATEST
    with plane.database.transaction() as cx:
        if not _is_there(cx, function, qualifier):
            raise _no_function()
        present = configs.get_event_invoke_config(cx, function, qualifier)
        config = _configured(parameters, base(present), plane.clock().timestamp())
        check_destinations(
            cx, function, config.on_success, config.on_failure, plane.destination_services
        )
        configs.put_event_invoke_config(cx, function, qualifier, config)
    plane.on_change(function.function_arn)
    return Result(_shown(function, qualifier, config))


def _configured(
    parameters: Mapping[str, Any], base: EventInvokeConfig, now_s: float
) -> EventInvokeConfig:
    config = replace(base, last_modified_s=round(now_s, 3))
    if parameters.get("MaximumRetryAttempts") is not None:
        config = replace(config, maximum_retry_attempts=parameters["MaximumRetryAttempts"])
    if parameters.get("MaximumEventAgeInSeconds") is not None:
        config = replace(config, maximum_event_age_s=parameters["MaximumEventAgeInSeconds"])
    if parameters.get("DestinationConfig") is not None:
        config = replace(
            config,
            on_success=_destination(parameters["DestinationConfig"], "OnSuccess"),
            on_failure=_destination(parameters["DestinationConfig"], "OnFailure"),
        )
    return config


def _destination(given: Mapping[str, Any], member: str) -> str:
    return (given.get(member) or {}).get("Destination") or ""


def _is_there(cx: sqlite3.Connection, function: FunctionName, qualifier: str) -> bool:
    if functions.get_version(cx, function, LATEST) is None:
        return False
    if is_version(qualifier):
        return functions.get_version(cx, function, qualifier) is not None
    return aliases.get_alias(cx, function, qualifier) is not None


def _shown(function: FunctionName, qualifier: str, config: EventInvokeConfig) -> dict[str, Any]:
    """The shape ``FunctionEventInvokeConfig``. AWS: both destinations are always there, if empty."""
    output: dict[str, Any] = {
        "LastModified": datetime.fromtimestamp(config.last_modified_s, UTC),
        "FunctionArn": f"{function.function_arn}:{qualifier}",
        "DestinationConfig": {
            "OnSuccess": {"Destination": config.on_success} if config.on_success else {},
            "OnFailure": {"Destination": config.on_failure} if config.on_failure else {},
        },
    }
    if config.maximum_retry_attempts is not None:
        output["MaximumRetryAttempts"] = config.maximum_retry_attempts
    if config.maximum_event_age_s is not None:
        output["MaximumEventAgeInSeconds"] = config.maximum_event_age_s
    return output


def _no_function() -> ClientFault:
    return not_found("The function doesn't exist.")


def _not_configured(function: FunctionName) -> AwsError:
    arn = f"{function.function_arn}:{function.qualifier or LATEST}"
    return not_found(f"The function {arn} doesn't have an EventInvokeConfig")
