"""Who asks, and who is meant: principals of requests and of statements."""

import re
from dataclasses import dataclass
from typing import Any

from lambent.policy.errors import PolicyError

_ACCOUNT = re.compile(r"[0-9]{12}")
_ARN = re.compile(r"arn:aws[a-z0-9-]*:(iam|sts)::([0-9]{12}):(\S+)")
_UNIQUE_ID = re.compile(r"[A-Z0-9]{16,128}")
_KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request. ``kind`` is a statement's word for it: AWS, Service, …, ``*`` for nobody known."""

    kind: str
    name: str

    @classmethod
    def aws(cls, arn: str) -> "Principal":
        """An account root, user, role or assumed-role session, by its ARN.

        Raises:
            ValueError: no ARN of IAM or STS.
        """
        if not _ARN.fullmatch(arn):
            raise ValueError(f"not the ARN of a principal: {arn}")
        return cls("AWS", arn)

    @classmethod
    def account(cls, account_id: str) -> "Principal":
        """An account's root user."""
        return cls.aws(f"arn:aws:iam::{account_id}:root")

    @classmethod
    def service(cls, name: str) -> "Principal":
        """An AWS service, such as ``sns.amazonaws.com``."""
        return cls("Service", name)

    @property
    def account_id(self) -> str | None:
        """The account of an AWS principal."""
        arn = _ARN.fullmatch(self.name) if self.kind == "AWS" else None
        return arn[2] if arn else None

    @property
    def role_arn(self) -> str | None:
        """Of an assumed-role session: its role, whose path the session's ARN does not tell."""
        arn = _ARN.fullmatch(self.name) if self.kind == "AWS" else None
        if arn is None or arn[1] != "sts" or not arn[3].startswith("assumed-role/"):
            return None
        partition = self.name.split(":", 2)[1]
        return f"arn:{partition}:iam::{arn[2]}:role/{arn[3].split('/')[1]}"


ANONYMOUS = Principal("*", "")


@dataclass(frozen=True, slots=True)
class PrincipalSet:
    """The ``Principal`` of a statement: ``(kind, value)`` pairs, ``("*", "*")`` for everyone."""

    members: frozenset[tuple[str, str]]

    def includes(self, principal: Principal) -> bool:
        """Whether the principal is one of those meant.

        Everyone (``"*"``, ``{"AWS": "*"}``) includes the anonymous and services. An account, by
        its id or root ARN, includes all its principals; a role includes its sessions.
        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
        """
        if ("*", "*") in self.members or ("AWS", "*") in self.members:
            return True
        if (principal.kind, principal.name) in self.members:
            return True
        if principal.kind != "AWS":
            return principal.kind != "*" and (principal.kind, "*") in self.members
        account_id = principal.account_id
        return any(
            kind == "AWS" and (value == account_id or self._covers(value, principal))
            for kind, value in self.members
        )

    @staticmethod
    def _covers(value: str, principal: Principal) -> bool:
        arn = _ARN.fullmatch(value)
        if arn is None or arn[1] != "iam":
            return False
        if arn[3] == "root":
            return arn[2] == principal.account_id
        role_arn = principal.role_arn
        if role_arn is None or not arn[3].startswith("role/"):
            return False
        # A role may have a path (role/path/NAME), of which its sessions show only the name.
        return role_arn == f"{value.split(':role/', 1)[0]}:role/{arn[3].rsplit('/', 1)[1]}"


def parse_principals(value: Any) -> PrincipalSet:
    """A statement's ``Principal`` or ``NotPrincipal``.

    Raises:
        PolicyError: neither ``"*"`` nor an object of known kinds with valid names.
    """
    if value == "*":
        return PrincipalSet(frozenset({("*", "*")}))
    if not isinstance(value, dict) or not value or not set(value) <= _KINDS:
        raise PolicyError("Syntax errors in policy.")
    members = set()
    for kind, names in value.items():
        for name in names if isinstance(names, list) else [names]:
            if not isinstance(name, str) or not name:
                raise PolicyError("Syntax errors in policy.")
            if kind == "AWS" and not _is_aws_name(name):
                raise PolicyError(f'Invalid principal in policy: "AWS":"{name}"')
            members.add((kind, name))
    if not members:
        raise PolicyError("Syntax errors in policy.")
    return PrincipalSet(frozenset(members))


def _is_aws_name(name: str) -> bool:
    if name == "*" or _ACCOUNT.fullmatch(name) or _UNIQUE_ID.fullmatch(name):
        return True
    # AWS: no wildcards within the ARN of a principal.
    return _ARN.fullmatch(name) is not None and not set(name) & set("*?")
