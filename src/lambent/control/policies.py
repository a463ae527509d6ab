"""Resource policies of functions, versions and aliases: who may invoke them.

A policy hangs on the ARN with the qualifier it was added for; its ``RevisionId`` is that of the
version or alias, which changes with it. Source:
https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

import json
import sqlite3
from dataclasses import replace

from lambent.control.locate import (
    alias_not_found,
    check_revision,
    function_not_found,
    function_of,
    latest_of,
)
from lambent.control.plane import ControlPlane, new_revision_id, touched
from lambent.control.statements import build_statement, check_policy_size, policy_text
from lambent.model.call import Call, Result
from lambent.model.errors import conflict, invalid_parameter, not_found
from lambent.model.function import LATEST, Alias, FunctionVersion
from lambent.model.function_name import FunctionName, is_version
from lambent.store import aliases, functions, policies


def add_permission(plane: ControlPlane, call: Call) -> Result:
    """``AddPermission``: one more statement in the policy of a function, version or alias."""
    parameters, function = call.parameters, function_of(call)
    if function.qualifier == LATEST:
        raise invalid_parameter("We currently do not support adding policies for $LATEST.")
    _check_url_auth(call)
    with plane.database.transaction() as cx:
        holder = _holder(cx, function)
        check_revision(parameters.get("RevisionId"), holder.revision_id)
        present = policies.list_statements(cx, function.arn)
        statement_id = parameters["StatementId"]
        if any(statement["Sid"] == statement_id for statement in present):
            raise conflict(
                f"The statement id ({statement_id}) provided already exists. Please provide a new "
                "statement id, or remove the existing statement."
            )
        statement = build_statement(parameters, function.arn)
        check_policy_size([*present, statement])
        policies.add_statement(cx, function.arn, statement_id, statement)
        _touch(cx, function, holder)
    return Result({"Statement": json.dumps(statement, separators=(",", ":"))}, status=201)


def remove_permission(plane: ControlPlane, call: Call) -> Result:
    """``RemovePermission``: one statement less; the last one takes the policy with it."""
    parameters, function = call.parameters, function_of(call)
    statement_id = parameters["StatementId"]
    with plane.database.transaction() as cx:
        if functions.get_version(cx, function, LATEST) is None:
            raise not_found(f"No policy found for: {function.function_arn}")
        holder = _holder(cx, function)
        if not policies.list_statements(cx, function.arn):
            raise not_found("No policy is associated with the given resource.")
        check_revision(parameters.get("RevisionId"), holder.revision_id)
        if not policies.remove_statement(cx, function.arn, statement_id):
            raise not_found(f"Statement {statement_id} is not found in resource policy.")
        _touch(cx, function, holder)
    return Result(status=204)


def get_policy(plane: ControlPlane, call: Call) -> Result:
    """``GetPolicy``: the policy as JSON text."""
    function = function_of(call)
    cx = plane.database.connection
    latest_of(cx, function)
    statements = policies.list_statements(cx, function.arn)
    if not statements:
        # AWS: so it says of a version that is not there, too.
        raise not_found("The resource you requested does not exist.")
    revision_id = _holder(cx, function).revision_id
    return Result({"Policy": policy_text(statements), "RevisionId": revision_id})


def _holder(cx: sqlite3.Connection, function: FunctionName) -> FunctionVersion | Alias:
    """The version or alias whose revision a policy shares."""
    latest = latest_of(cx, function)
    qualifier = function.qualifier
    if qualifier is None:
        return latest
    if not is_version(qualifier):
        if "$" in qualifier:  # AWS: no alias has one in its name, so it is not called an alias
            raise function_not_found(function.arn)
        alias = aliases.get_alias(cx, function, qualifier)
        if alias is None:
            raise alias_not_found(function, qualifier)
        return alias
    version = functions.get_version(cx, function, qualifier)
    if version is None:
        raise function_not_found(function.arn)
    return version


def _touch(cx: sqlite3.Connection, function: FunctionName, holder: FunctionVersion | Alias) -> None:
    if isinstance(holder, Alias):
        aliases.put_alias(cx, function, replace(holder, revision_id=new_revision_id()))
    else:
        functions.put_version(cx, touched(holder))


def _check_url_auth(call: Call) -> None:
    of_url = call.parameters["Action"] == "lambda:InvokeFunctionUrl"
    if call.parameters.get("FunctionUrlAuthType") and not of_url:  # the text is best known
        raise invalid_parameter(
            "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action"
        )
