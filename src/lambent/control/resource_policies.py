"""What the resource policies of functions, versions and aliases allow: asked by whoever invokes for others.

Contract: 1. Used on one thread, with a connection of its own. 2. What is known is kept until anything
is committed: SQLite's ``data_version`` tells, in a few microseconds, so nobody has to say so. 3. A policy
is its qualifier's alone: what hangs on a function says nothing of its versions and aliases.

Source: https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

import sqlite3
from collections.abc import Mapping

from lambent.model.errors import ClientFault
from lambent.model.function_name import FunctionName
from lambent.model.outgoing import Outgoing
from lambent.policy import Policy, PolicyError, Principal, Request, evaluate, parse_policy
from lambent.store import policies

INVOKE = "lambda:InvokeFunction"
_MAX_KNOWN = 10_000
"""POLICY: policies kept in memory, those that allow nobody included."""
_NOBODY = Policy(None, ())
_DIRECT: Mapping[str, bool] = {"lambda:InvokedViaFunctionUrl": False}
"""What holds for every invocation that is not a function URL's. There is no organisation here, so a
statement with ``PrincipalOrgID`` allows nobody; nor is there a source that gives an ``EventSourceToken``."""


class ResourcePolicies:
    """Asks policies by the ARN they hang on."""

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._cx = reader
        self._known: dict[str, Policy] = {}
        self._data_version = -1

    def authorize_sender(self, function: FunctionName, outgoing: Outgoing) -> None:
        """Raises 403 unless what another part of the platform sends may invoke the function.

        A service needs a statement for it, its source's ARN and account; a role of the function's own
        account needs none (its own policies are not known), one of another does.
        """
        if not outgoing.principal.startswith("arn:"):
            context: dict[str, str | bool] = {
                **_DIRECT,
                "aws:SourceArn": outgoing.source_arn,
                "aws:SourceAccount": outgoing.source_account,
            }
            self._authorize(function, Principal.service(outgoing.principal), context)
            return
        principal = _principal(outgoing.principal, outgoing.source_account)
        if principal.account_id != function.account_id:
            self._authorize(function, principal, _DIRECT)

    def authorize_account(
        self, function: FunctionName, account_id: str, principal_arn: str | None
    ) -> None:
        """Raises 403 unless the policy lets a caller of another account invoke the function."""
        self._authorize(function, _principal(principal_arn, account_id), _DIRECT)

    def _authorize(
        self, function: FunctionName, principal: Principal, context: Mapping[str, str | bool]
    ) -> None:
        request = Request(principal, INVOKE, function.arn, context)
        if not evaluate([self._policy(function.arn)], request).allowed:
            raise _denied(principal, function)

    def _policy(self, resource: str) -> Policy:
        (data_version,) = self._cx.execute("PRAGMA data_version").fetchone()
        if data_version != self._data_version or len(self._known) >= _MAX_KNOWN:
            self._known.clear()
            self._data_version = data_version
        known = self._known.get(resource)
        if known is None:
            known = self._known[resource] = policy_of(self._cx, resource)
        return known


def policy_of(cx: sqlite3.Connection, resource: str) -> Policy:
    """The policy that hangs on an ARN; where there is none, one that allows nobody."""
    statements = policies.list_statements(cx, resource)
    if not statements:
        return _NOBODY
    try:
        return parse_policy({"Version": "2012-10-17", "Statement": statements})
    except PolicyError:
        return _NOBODY  # what cannot be read allows nobody


def _principal(arn: str | None, account_id: str) -> Principal:
    try:
        return Principal.aws(arn) if arn else Principal.account(account_id)
    except ValueError:
        return Principal.account(account_id)


def _denied(principal: Principal, function: FunctionName) -> ClientFault:
    """AWS's words for a caller; for a service, which AWS tells nobody, the same."""
    return ClientFault(
        "AccessDeniedException",
        f"User: {principal.name} is not authorized to perform: {INVOKE} on resource: {function.arn} "
        f"because no resource-based policy allows the {INVOKE} action",
        403,
    )
