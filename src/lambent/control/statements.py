"""Statements of resource policies as AWS writes them, from the parameters of ``AddPermission``."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.model import limits
from lambent.model.errors import ClientFault, invalid_parameter

_CONDITIONS: Sequence[tuple[str, str, str]] = (
    ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
    ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
    ("OrganizationId", "StringEquals", "aws:PrincipalOrgID"),
    ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
    ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
    ("SourceArn", "ArnLike", "AWS:SourceArn"),
)


def build_statement(parameters: Mapping[str, Any], resource: str) -> dict[str, Any]:
    """The statement that lets ``Principal`` do ``Action`` with ``resource``, under its conditions."""
    statement: dict[str, Any] = {
        "Sid": parameters["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(parameters["Principal"]),
        "Action": parameters["Action"],
        "Resource": resource,
    }
    conditions: dict[str, dict[str, str]] = {}
    for member, operator, key in _CONDITIONS:
        if parameters.get(member):
            conditions.setdefault(operator, {})[key] = parameters[member]
    if parameters.get("InvokedViaFunctionUrl") is not None:
        via_url = "true" if parameters["InvokedViaFunctionUrl"] else "false"
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": via_url}
    if conditions:
        statement["Condition"] = conditions
    return statement


def policy_text(statements: Sequence[Mapping[str, Any]]) -> str:
    """The whole policy as the JSON text that ``GetPolicy`` answers."""
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": list(statements)}
    return json.dumps(policy, separators=(",", ":"))


def check_policy_size(statements: Sequence[Mapping[str, Any]]) -> None:
    """Raises ``PolicyLengthExceededException`` for a policy over 20 KiB."""
    size = len(policy_text(statements).encode())
    if size > limits.POLICY.value:
        raise ClientFault(
            "PolicyLengthExceededException",
            f"The final policy size ({size}) is bigger than the limit ({limits.POLICY.value}).",
            fields={"Type": "User"},
        )


def _principal(principal: str) -> str | dict[str, str]:
    if principal == "*":
        return principal
    if re.fullmatch(r"[\w.-]+\.amazon(aws)?\.com(\.cn)?", principal):
        return {"Service": principal}
    if re.fullmatch(r"\d{12}", principal):
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    if re.fullmatch(r"arn:aws[a-zA-Z-]*:(iam|sts)::\d{12}:\S+", principal):
        return {"AWS": principal}
    raise invalid_parameter(
        "The provided principal was invalid. Please check the principal and try again."
    )
