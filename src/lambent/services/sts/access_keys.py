"""Long-lived access keys of people and programs, read from a file in the form of ``~/.aws/credentials``.

Each section is a user: ``[alice]`` with ``aws_access_key_id``, ``aws_secret_access_key`` and, for an account
other than 000000000000, ``aws_account_id`` (12 digits). Secrets are plain text in it, as SigV4 needs them, so
nobody but its owner may read the file.
"""

import configparser
import re
import stat
from pathlib import Path
from typing import Final

from lambent.services.sts.credentials import Credentials

DEFAULT_ACCOUNT: Final = "000000000000"
MAX_FILE_BYTES: Final = 1024 * 1024
_KEY_ID = re.compile(r"[A-Za-z0-9]{16,128}")
"""AWS: the shape ``accessKeyIdType`` of botocore's ``iam`` model, less the underscore."""
_ACCOUNT_ID = re.compile(r"\d{12}", re.ASCII)
_USER = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
"""AWS: the shape ``userNameType``."""
_MIN_SECRET_CHARS: Final = 16


def read_access_keys(path: Path) -> tuple[Credentials, ...]:
    """The keys in the file, at least one.

    Raises OSError when it cannot be read, ValueError with what to do when it says nothing usable or others than
    its owner may read it.
    """
    with path.open("rb") as file:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise ValueError(f"{path} can be read by others: chmod 600 {path}")
        text = file.read(MAX_FILE_BYTES + 1)
    if len(text) > MAX_FILE_BYTES:
        raise ValueError(f"{path} is longer than {MAX_FILE_BYTES} bytes")
    parser = configparser.RawConfigParser(interpolation=None)
    try:
        parser.read_string(text.decode(), str(path))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not in the form of ~/.aws/credentials") from error
    keys = tuple(_key(path, user, dict(parser[user])) for user in parser.sections())
    if not keys:
        raise ValueError(f"{path} has no section with aws_access_key_id and aws_secret_access_key")
    ids = [key.access_key_id for key in keys]
    twice = next((key_id for key_id in ids if ids.count(key_id) > 1), None)
    if twice is not None:
        raise ValueError(f"{path} has the access key id {twice} twice")
    return keys


def _key(path: Path, user: str, values: dict[str, str]) -> Credentials:
    where = f"[{user}] in {path}"
    if _USER.fullmatch(user) is None:
        raise ValueError(f"{where}: a user's name has up to 64 letters, digits and _+=,.@-")
    key_id = values.get("aws_access_key_id", "").strip()
    if _KEY_ID.fullmatch(key_id) is None:
        raise ValueError(f"{where}: aws_access_key_id must be 16 to 128 letters and digits")
    secret = values.get("aws_secret_access_key", "").strip()
    if len(secret) < _MIN_SECRET_CHARS:
        least = _MIN_SECRET_CHARS
        raise ValueError(f"{where}: aws_secret_access_key must have {least} characters or more")
    account_id = values.get("aws_account_id", DEFAULT_ACCOUNT).strip()
    if _ACCOUNT_ID.fullmatch(account_id) is None:
        raise ValueError(f"{where}: aws_account_id must be 12 digits")
    return Credentials(
        access_key_id=key_id,
        secret_access_key=secret,
        session_token="",
        principal_arn=f"arn:aws:iam::{account_id}:user/{user}",
        account_id=account_id,
        role_arn="",
    )
