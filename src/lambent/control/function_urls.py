"""Function URLs: create, get, list, update, delete. ``gateway`` serves them.

Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any
from urllib.parse import urlsplit

from lambent.control import paging
from lambent.control.locate import function_of
from lambent.control.plane import ControlPlane
from lambent.control.tenancy import refuse_tenants
from lambent.model.call import Call, Caller, Result
from lambent.model.errors import ClientFault, conflict, not_found, not_yet
from lambent.model.function import LATEST
from lambent.model.function_name import FunctionName, is_version
from lambent.model.function_url import BUFFERED, Cors, FunctionUrl, url_id_of
from lambent.store import aliases, function_urls, functions

_CORS: Mapping[str, str] = {
    "AllowCredentials": "allow_credentials",
    "AllowHeaders": "allow_headers",
    "AllowMethods": "allow_methods",
    "AllowOrigins": "allow_origins",
    "ExposeHeaders": "expose_headers",
    "MaxAge": "max_age_s",
}


def create_function_url_config(plane: ControlPlane, call: Call) -> Result:
    """``CreateFunctionUrlConfig`` for ``$LATEST`` or an alias: served from the answer on."""
    parameters = call.parameters
    function, qualifier = _function(call)
    now = _now(plane)
    url = FunctionUrl(
        url_id_of(function.account_id, function.region, function.name, qualifier),
        *(function.account_id, function.region, function.name, qualifier),
        parameters["AuthType"],
        now,
        now,
        _cors(parameters.get("Cors")),
        parameters.get("InvokeMode") or BUFFERED,
    )
    with plane.database.transaction() as cx:
        _require_function(cx, function, qualifier)
        if function_urls.get_url(cx, function, qualifier) is not None:
            raise conflict(
                f"Failed to create function url config for [functionArn = {url.function_arn}]. "
                "Error message:  FunctionUrlConfig exists for this Lambda function"
            )
        function_urls.put_url(cx, url)
    shown = _written(url, call)
    del shown["LastModifiedTime"]  # AWS: the one answer without it
    return Result(shown, status=201)


def get_function_url_config(plane: ControlPlane, call: Call) -> Result:
    """``GetFunctionUrlConfig``."""
    function, qualifier = _function(call)
    url = _existing(plane.database.connection, function, qualifier)
    return Result(_shown(url, call.caller))


def list_function_url_configs(plane: ControlPlane, call: Call) -> Result:
    """``ListFunctionUrlConfigs``: every URL of a function."""
    function = function_of(call)
    size = paging.page_size(call.parameters)
    (after,) = paging.after(call.parameters, ("",))
    cx = plane.database.connection
    _require_function(cx, function, LATEST)
    found = function_urls.list_urls(cx, function, after=str(after), limit=size + 1)
    return Result(
        paging.page(
            found,
            size,
            lambda url: (url.qualifier,),
            lambda url: _shown(url, call.caller),
            "FunctionUrlConfigs",
        )
    )


def update_function_url_config(plane: ControlPlane, call: Call) -> Result:
    """``UpdateFunctionUrlConfig``: what is given; an empty ``Cors`` takes it away."""
    parameters = call.parameters
    function, qualifier = _function(call)
    with plane.database.transaction() as cx:
        _require_function(cx, function, qualifier)
        url = replace(_existing(cx, function, qualifier), last_modified=_now(plane))
        if parameters.get("AuthType") is not None:
            url = replace(url, auth_type=parameters["AuthType"])
        if parameters.get("InvokeMode") is not None:
            url = replace(url, invoke_mode=parameters["InvokeMode"])
        if parameters.get("Cors") is not None:
            url = replace(url, cors=_cors(parameters["Cors"]))
        function_urls.put_url(cx, url)
    return Result(_written(url, call))


def delete_function_url_config(plane: ControlPlane, call: Call) -> Result:
    """``DeleteFunctionUrlConfig``; without a qualifier that of ``$LATEST`` alone."""
    function, qualifier = _function(call)
    with plane.database.transaction() as cx:
        if not function_urls.remove_url(cx, function, qualifier):
            raise _nothing_there()
    return Result(status=204)


def _function(call: Call) -> tuple[FunctionName, str]:
    """The function, and ``$LATEST`` or the alias its URL is of."""
    function = function_of(call)
    if function.qualifier is not None and is_version(function.qualifier):
        # Source: recorded by LocalStack's tests. A version given apart never gets as far as here.
        raise ClientFault(
            "ValidationException",
            f"1 validation error detected: Value '{function.qualifier}' at 'qualifier' failed to "
            "satisfy constraint: Member must satisfy regular expression pattern: "
            "((?!^\\d+$)^[0-9a-zA-Z-_]+$)",
        )
    return function, function.qualifier or LATEST


def _require_function(cx: sqlite3.Connection, function: FunctionName, qualifier: str) -> None:
    latest = functions.get_version(cx, function, LATEST)
    refuse_tenants(latest, "A function URL")
    there: object = latest
    if there is not None and qualifier != LATEST:
        there = aliases.get_alias(cx, function, qualifier)
    if there is None:
        raise not_found("Function does not exist")


def _existing(cx: sqlite3.Connection, function: FunctionName, qualifier: str) -> FunctionUrl:
    url = function_urls.get_url(cx, function, qualifier)
    if url is None:
        raise _nothing_there()
    return url


def _nothing_there() -> ClientFault:
    return not_found("The resource you requested does not exist.")


def _cors(given: Mapping[str, Any] | None) -> Cors | None:
    members = {member: value for member, value in (given or {}).items() if value is not None}
    if not members:
        return None
    unknown = members.keys() - _CORS.keys()
    if unknown:
        raise not_yet(f"Cors.{min(unknown)}")
    fields: dict[str, Any] = {
        _CORS[member]: tuple(value) if isinstance(value, list) else value
        for member, value in members.items()
    }
    return Cors(**fields)


def _shown_cors(cors: Cors) -> dict[str, Any]:
    found = {member: getattr(cors, field) for member, field in _CORS.items()}
    return {
        member: list(value) if isinstance(value, tuple) else value
        for member, value in found.items()
        if value is not None
    }


def _written(url: FunctionUrl, call: Call) -> dict[str, Any]:
    """What a creation or an update answers. AWS: ``InvokeMode`` only where the request gives it.

    Source: recorded by LocalStack's tests (TestLambdaUrl::test_url_config_lifecycle).
    """
    shown = _shown(url, call.caller)
    if call.parameters.get("InvokeMode") is None:
        del shown["InvokeMode"]
    return shown


def _shown(url: FunctionUrl, caller: Caller) -> dict[str, Any]:
    output: dict[str, Any] = {
        "FunctionUrl": _address(url, caller),
        "FunctionArn": url.function_arn,
        "AuthType": url.auth_type,
        "CreationTime": url.created,
        "LastModifiedTime": url.last_modified,
        "InvokeMode": url.invoke_mode,
    }
    return output if url.cors is None else output | {"Cors": _shown_cors(url.cors)}


def _address(url: FunctionUrl, caller: Caller) -> str:
    """Where it is served: the platform's port, under a name that leads to this host."""
    endpoint = urlsplit(caller.endpoint)
    port = f":{endpoint.port}" if endpoint.port else ""
    return f"{endpoint.scheme}://{url.url_id}.lambda-url.{url.region}.localhost{port}/"


def _now(plane: ControlPlane) -> str:
    """AWS: written otherwise than ``LastModified`` of functions, with microseconds and a Z."""
    return f"{plane.clock().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
