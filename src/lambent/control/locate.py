"""From the names in a request to the records: function, version, alias, or AWS's "not found"."""

import sqlite3

from lambent.model.call import Call
from lambent.model.errors import (
    ClientFault,
    conflict,
    invalid_parameter,
    not_found,
    precondition_failed,
)
from lambent.model.function import LATEST, Alias, FunctionVersion
from lambent.model.function_name import FunctionName, is_version, parse_function_name
from lambent.store import aliases, functions


def function_of(call: Call) -> FunctionName:
    """The function that ``FunctionName`` and ``Qualifier`` mean to this caller."""
    return parse_function_name(
        call.parameters["FunctionName"],
        account_id=call.caller.account_id,
        region=call.caller.region,
        qualifier=call.parameters.get("Qualifier"),
    )


def unqualified_function_of(call: Call) -> FunctionName:
    """The same for operations that change ``$LATEST``, where no other version may be named."""
    function = function_of(call)
    if function.qualifier not in {None, LATEST}:
        raise _functions_only()
    return function


def whole_function_of(call: Call) -> FunctionName:
    """The same for operations on a function as a whole, where even ``$LATEST`` is too much said."""
    function = function_of(call)
    if function.qualifier is not None:
        raise _functions_only()
    return function


def function_not_found(arn: str) -> ClientFault:
    """404 for a function, version or alias that is not there."""
    return not_found(f"Function not found: {arn}")


def alias_not_found(function: FunctionName, name: str) -> ClientFault:
    """404 as the alias operations word it."""
    return not_found(f"Cannot find alias arn: {function.function_arn}:{name}")


def latest_of(cx: sqlite3.Connection, function: FunctionName) -> FunctionVersion:
    """``$LATEST`` of a function. Raises ``ResourceNotFoundException`` when there is none."""
    version = functions.get_version(cx, function, LATEST)
    if version is None:
        raise function_not_found(function.function_arn)
    return version


def version_of(
    cx: sqlite3.Connection, function: FunctionName
) -> tuple[FunctionVersion, Alias | None]:
    """The version a qualifier leads to, and the alias it went through.

    Raises ``ResourceNotFoundException`` with the ARN as the caller wrote it.
    """
    qualifier = function.qualifier or LATEST
    alias = None
    if not is_version(qualifier):
        alias = aliases.get_alias(cx, function, qualifier)
        if alias is None:
            raise function_not_found(function.arn)
        qualifier = alias.function_version
    version = functions.get_version(cx, function, qualifier)
    if version is None:
        raise function_not_found(function.arn)
    return version, alias


def check_revision(given: str | None, current: str, *, ask: str = "GetFunction/GetAlias") -> None:
    """Raises ``PreconditionFailedException`` when the caller knows an older revision."""
    if given and given != current:
        raise precondition_failed(
            "The Revision Id provided does not match the latest Revision Id. "
            f"Call the {ask} API to retrieve the latest Revision Id"
        )


def check_settled(version: FunctionVersion) -> None:
    """Raises ``ResourceConflictException`` while a version is being created or updated.

    Source of the second text: recorded by LocalStack's tests
    (TestLambdaFunction::test_lambda_concurrent_config_updates); of the first: clients that wait on it.
    """
    if version.state == "Pending":
        raise conflict(
            "The operation cannot be performed at this time. "
            f"The function is currently in the following state: {version.state}"
        )
    if version.last_update_status == "InProgress":
        raise conflict(
            "The operation cannot be performed at this time. "
            f"An update is in progress for resource: {version.function_arn}"
        )


def _functions_only() -> ClientFault:
    return invalid_parameter(
        "This operation is permitted on Lambda functions only. Aliases and versions do not "
        "support this operation. Please specify either a function name or an unqualified "
        "function ARN."
    )
