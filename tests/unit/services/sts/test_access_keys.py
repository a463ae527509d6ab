"""The operator's access keys: read whole, or refused with what to do."""

from pathlib import Path

import pytest

from lambent.services.sts.access_keys import read_access_keys
from lambent.services.sts.credentials import CredentialMint

GOOD = """
[alice]
aws_access_key_id = AKIAALICE0000000
aws_secret_access_key = secret/of+alice=%(x)s

[ci]
aws_access_key_id = AKIACI0000000000
aws_secret_access_key = another-secret-of-ci
aws_account_id = 123456789012
"""


def _write(directory: Path, text: str, mode: int = 0o600) -> Path:
    path = directory / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_each_section_is_a_user(tmp_path: Path) -> None:
    """Key, secret as it stands, account and ARN of each user; the mint finds them beside its own, for good."""
    keys = read_access_keys(_write(tmp_path, GOOD))
    assert [(key.account_id, key.principal_arn) for key in keys] == [
        ("000000000000", "arn:aws:iam::000000000000:user/alice"),
        ("123456789012", "arn:aws:iam::123456789012:user/ci"),
    ]
    assert keys[0].secret_access_key == "secret/of+alice=%(x)s"
    mint = CredentialMint(capacity=1, lasting=keys)
    for _ in range(3):
        minted = mint.mint("000000000000", "arn:aws:iam::000000000000:role/r", "s")
    assert mint.lookup("AKIAALICE0000000") is keys[0]
    mint.revoke("AKIAALICE0000000")
    assert mint.lookup("AKIAALICE0000000") is keys[0]
    assert mint.lookup(minted.access_key_id) is minted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no section"),
        ("aws_access_key_id = x", "not in the form"),
        ("[a]\naws_access_key_id = AKIAALICE0000000", "aws_secret_access_key must have"),
        ("[a]\naws_secret_access_key = aaaaaaaaaaaaaaaaaaaa", "aws_access_key_id must be"),
        (GOOD.replace("123456789012", "12"), "aws_account_id must be 12 digits"),
        (GOOD.replace("[ci]", "[c i]"), "user's name"),
        (GOOD.replace("AKIACI0000000000", "AKIAALICE0000000"), "twice"),
        (GOOD + "[alice]\n", "not in the form"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    """A file that would leave somebody out is refused whole, and no secret is in the message."""
    with pytest.raises(ValueError, match=said) as caught:
        read_access_keys(_write(tmp_path, text))
    assert "secret/of" not in str(caught.value)


def test_others_may_not_read_it(tmp_path: Path) -> None:
    """A file that the group or the world can read is refused, with the command that mends it."""
    with pytest.raises(ValueError, match="chmod 600"):
        read_access_keys(_write(tmp_path, GOOD, 0o640))
