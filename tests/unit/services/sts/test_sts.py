"""services.sts: who is calling, and temporary credentials."""

import re

from lambent.model.call import Call, Caller
from lambent.services.sts.credentials import CredentialMint
from lambent.services.sts.registry import OPERATIONS
from lambent.services.sts.service import StsService

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/my-role"


def identity(sts: StsService, caller: Caller) -> dict[str, str]:
    call = Call("sts", "GetCallerIdentity", {}, caller)
    return dict(OPERATIONS["GetCallerIdentity"](sts, call).output)


def test_an_unknown_key_is_root() -> None:
    """Without a principal the caller is its account's root."""
    assert identity(StsService(), Caller(ACCOUNT, "eu-west-1", "r", access_key_id="test")) == {
        "UserId": ACCOUNT,
        "Account": ACCOUNT,
        "Arn": f"arn:aws:iam::{ACCOUNT}:root",
    }


def test_a_function_sees_its_role() -> None:
    """A minted key, or the principal the server found for it, is the role's session."""
    sts = StsService()
    minted = sts.mint.mint(ACCOUNT, ROLE, "my-function")
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/my-role/my-function"
    by_key = identity(sts, Caller("000000000000", "us-east-1", "r", minted.access_key_id))
    by_arn = identity(StsService(), Caller(ACCOUNT, "us-east-1", "r", principal_arn=arn))
    assert by_key == by_arn
    assert by_key["Arn"] == arn
    assert by_key["Account"] == ACCOUNT
    assert re.fullmatch(r"AROA[A-Z2-7]{17}:my-function", by_key["UserId"])


def test_a_user_has_a_users_id() -> None:
    """A user's unique id begins with AIDA and stays the same."""
    caller = Caller(ACCOUNT, "us-east-1", "r", principal_arn=f"arn:aws:iam::{ACCOUNT}:user/a/bob")
    first, second = identity(StsService(), caller), identity(StsService(), caller)
    assert re.fullmatch(r"AIDA[A-Z2-7]{17}", first["UserId"])
    assert first == second


def test_minted_credentials_look_like_awss_and_differ() -> None:
    """Key ids have AWS's form, no two are the same, and secrets stay out of repr."""
    mint = CredentialMint()
    minted = [mint.mint(ACCOUNT, ROLE, "s" * 100) for _ in range(200)]
    assert all(re.fullmatch(r"ASIA[A-Z0-9]{16}", each.access_key_id) for each in minted)
    assert len({each.access_key_id for each in minted}) == 200
    assert len({each.secret_access_key for each in minted}) == 200
    assert all(len(each.secret_access_key) == 40 for each in minted)
    assert minted[0].principal_arn.endswith("/my-role/" + "s" * 64)
    assert minted[0].secret_access_key not in repr(minted[0])
    assert minted[0].session_token not in repr(minted[0])


def test_keys_are_known_until_revoked() -> None:
    """A key is found until it is revoked; revoking twice, or a stranger, is no error."""
    mint = CredentialMint()
    minted = mint.mint(ACCOUNT, ROLE, "s")
    assert mint.lookup(minted.access_key_id) is minted
    mint.revoke(minted.access_key_id)
    mint.revoke(minted.access_key_id)
    assert mint.lookup(minted.access_key_id) is None


def test_memory_is_bounded() -> None:
    """Beyond the capacity the oldest key is forgotten, and only that."""
    mint = CredentialMint(capacity=3)
    keys = [mint.mint(ACCOUNT, ROLE, "s").access_key_id for _ in range(5)]
    assert [mint.lookup(key) is not None for key in keys] == [False, False, True, True, True]
