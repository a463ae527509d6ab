"""STS: who is calling, and the mint of temporary credentials."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from lambent.model.call import Call, Caller, Result
from lambent.services.sts.credentials import CredentialMint

_ID_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class StsService:
    """What the operations need."""

    mint: CredentialMint = field(default_factory=CredentialMint)


def get_caller_identity(sts: StsService, call: Call) -> Result:
    """The caller's account, ARN and unique id; an unknown key is the account's root."""
    account_id, arn = _identity(sts, call.caller)
    return Result({"UserId": user_id(account_id, arn), "Account": account_id, "Arn": arn})


def _identity(sts: StsService, caller: Caller) -> tuple[str, str]:
    if caller.principal_arn is not None:
        return caller.account_id, caller.principal_arn
    known = sts.mint.lookup(caller.access_key_id or "")
    if known is not None:
        return known.account_id, known.principal_arn
    return caller.account_id, f"arn:aws:iam::{caller.account_id}:root"


def user_id(account_id: str, arn: str) -> str:
    """``aws:userid``: the account for root, ``AROA…:session`` for a role, ``AIDA…`` for a user.

    Derived from the ARN, so that the same principal always has the same id.

    Source: the principal table of the IAM User Guide's policy variables.
    """
    resource = arn.rpartition(":")[2]
    if resource == "root":
        return account_id
    kind, _, name = resource.partition("/")
    if kind == "assumed-role":
        role, _, session = name.partition("/")
        return f"AROA{_unique(account_id, role)}:{session}"
    return f"AIDA{_unique(account_id, resource)}"


def _unique(account_id: str, name: str) -> str:
    digest = hashlib.sha256(f"{account_id}/{name}".encode()).digest()
    return "".join(_ID_ALPHABET[byte & 31] for byte in digest[:17])
