"""Policy documents: text → :class:`Policy`, whose statements know whether they apply to a request.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html; the reasons are
IAM's recorded answers.
"""

import enum
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambent.policy.arns import resource_matches
from lambent.policy.conditions import Condition, parse_conditions
from lambent.policy.errors import PolicyError
from lambent.policy.globs import Template, glob
from lambent.policy.principals import PrincipalSet, parse_principals
from lambent.policy.requests import Request

MAX_BYTES = 131_072
"""POLICY: more than any service takes (Lambda 20,480; SNS 30,720); consumers check their own limit."""

_SYNTAX = "Syntax errors in policy."
_WITH_VARIABLES = "2012-10-17"
_VERSIONS = {_WITH_VARIABLES, "2008-10-17"}
_ELEMENTS = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"} | {
    "Resource",
    "NotResource",
    "Condition",
}
_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9*?]+")


class Effect(enum.Enum):
    """What a statement does to a request it applies to."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. ``principals`` is None in an identity's policy: whoever the policy hangs on."""

    sid: str | None
    effect: Effect
    principals: PrincipalSet | None
    not_principals: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[Template, ...]
    not_resources: bool
    conditions: tuple[Condition, ...]

    def applies(self, request: Request) -> bool:
        """Whether principal, action, resource and all conditions are those of the request."""
        return (
            self._action(request.action.lower())
            and self._resource(request)
            and self._principal(request)
            and all(condition.holds(request.values) for condition in self.conditions)
        )

    def _principal(self, request: Request) -> bool:
        if self.principals is None:
            return True
        return self.principals.includes(request.principal) != self.not_principals

    def _action(self, action: str) -> bool:
        # AWS: actions are not case-sensitive.
        named = action in self.actions or any(glob(pattern)(action) for pattern in self.actions)
        return named != self.not_actions

    def _resource(self, request: Request) -> bool:
        if not self.resources:
            return True  # a trust policy hangs on its only resource
        found = any(
            resource_matches(pattern, request.resource, request.values)
            for pattern in self.resources
        )
        return found != self.not_resources


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed document."""

    id: str | None
    statements: tuple[Statement, ...]


def parse_policy(source: str | Mapping[str, Any], *, identity: bool = False) -> Policy:
    """A resource policy, or with ``identity`` one that hangs on a user or role.

    Args:
        source: the text, or the object already parsed from it.
        identity: the document has no principals but must be of the current version.

    Raises:
        PolicyError: the only error.
    """
    document = _read_json(source) if isinstance(source, str) else source
    if not isinstance(document, dict) or not set(document) <= {"Version", "Id", "Statement"}:
        raise PolicyError(_SYNTAX)
    version = document.get("Version", "2008-10-17")
    if not isinstance(version, str) or version not in _VERSIONS:
        raise PolicyError(_SYNTAX)
    if identity and version != _WITH_VARIABLES:
        raise PolicyError("Policy document must be version 2012-10-17 or greater.")
    policy_id = document.get("Id")
    if policy_id is not None and not isinstance(policy_id, str):
        raise PolicyError(_SYNTAX)
    raw = document.get("Statement")
    listed = raw if isinstance(raw, list) else [raw]
    variables = version == _WITH_VARIABLES
    statements = tuple(_statement(each, identity=identity, variables=variables) for each in listed)
    sids = [statement.sid for statement in statements if statement.sid]
    if not statements:
        raise PolicyError(_SYNTAX)
    if len(set(sids)) != len(sids):
        raise PolicyError("Statement IDs (SID) in a single policy must be unique.")
    return Policy(policy_id, statements)


def _read_json(text: str) -> object:
    try:
        if len(text.encode()) > MAX_BYTES:
            raise PolicyError(f"Policy is longer than {MAX_BYTES} bytes")
        return json.loads(text)
    except (ValueError, RecursionError):
        raise PolicyError(_SYNTAX) from None


def _statement(raw: Any, *, identity: bool, variables: bool) -> Statement:
    if not isinstance(raw, dict) or not set(raw) <= _ELEMENTS:
        raise PolicyError(_SYNTAX)
    sid, effect = raw.get("Sid"), raw.get("Effect")
    if sid is not None and not isinstance(sid, str):
        raise PolicyError(_SYNTAX)
    if effect not in ("Allow", "Deny"):
        raise PolicyError(_SYNTAX)
    principals, not_principals = _principals(raw, identity=identity)
    actions, not_actions = _either(raw, "Action")
    if not actions:
        raise PolicyError("Policy statement must contain actions.")
    resources, not_resources = _either(raw, "Resource")
    if not resources and identity:
        raise PolicyError("Policy statement must contain resources.")
    return Statement(
        sid or None,
        Effect(effect),
        principals,
        not_principals,
        tuple(map(_action, actions)),
        not_actions,
        tuple(_resource(resource, variables=variables) for resource in resources),
        not_resources,
        parse_conditions(raw.get("Condition", {}), variables=variables),
    )


def _principals(raw: Mapping[str, Any], *, identity: bool) -> tuple[PrincipalSet | None, bool]:
    present = [name for name in ("Principal", "NotPrincipal") if name in raw]
    if identity:
        if present:
            raise PolicyError("Policy document should not specify a principal.")
        return None, False
    if not present:
        raise PolicyError("Missing required field Principal")
    if len(present) > 1:
        raise PolicyError(_SYNTAX)
    return parse_principals(raw[present[0]]), present[0] == "NotPrincipal"


def _either(raw: Mapping[str, Any], name: str) -> tuple[Sequence[str], bool]:
    """The strings of an element or of its negation, and which of them it was."""
    present = [key for key in (name, f"Not{name}") if key in raw]
    if len(present) > 1:
        raise PolicyError(_SYNTAX)
    value = raw[present[0]] if present else []
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in values):
        raise PolicyError(_SYNTAX)
    return values, present == [f"Not{name}"]


def _action(action: str) -> str:
    if action != "*" and not _ACTION.fullmatch(action):
        raise PolicyError(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
        )
    return action.lower()


def _resource(resource: str, *, variables: bool) -> Template:
    if resource != "*" and not resource.startswith("arn:"):
        raise PolicyError(f'Resource {resource} must be in ARN format or "*".')
    return Template(resource, variables=variables)
