"""Function URLs: an HTTP endpoint of a function or alias."""

import base64
import hashlib
from dataclasses import dataclass

from lambent.model.function import LATEST

BUFFERED = "BUFFERED"
RESPONSE_STREAM = "RESPONSE_STREAM"
"""The values of ``InvokeMode``."""


@dataclass(frozen=True, slots=True)
class Cors:
    """Source: the shape ``Cors`` of botocore's ``lambda`` model. None: the member was not given."""

    allow_credentials: bool | None = None
    allow_headers: tuple[str, ...] | None = None
    allow_methods: tuple[str, ...] | None = None
    allow_origins: tuple[str, ...] | None = None
    expose_headers: tuple[str, ...] | None = None
    max_age_s: int | None = None


@dataclass(frozen=True, slots=True)
class FunctionUrl:
    """One URL. ``qualifier`` is an alias, or ``$LATEST``."""

    url_id: str
    account_id: str
    region: str
    function_name: str
    qualifier: str
    auth_type: str
    """``NONE`` or ``AWS_IAM``."""
    created: str
    last_modified: str
    cors: Cors | None = None
    invoke_mode: str = BUFFERED

    @property
    def alias(self) -> str | None:
        """The alias; None for ``$LATEST``."""
        return None if self.qualifier == LATEST else self.qualifier

    @property
    def function_arn(self) -> str:
        """The ARN its policy hangs on: with the alias, if it has one."""
        arn = f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.function_name}"
        return arn if self.alias is None else f"{arn}:{self.alias}"


def url_id_of(account_id: str, region: str, function_name: str, qualifier: str) -> str:
    """32 letters and digits, as AWS's are; always the same ones for the same function and alias."""
    text = f"{account_id}/{region}/{function_name}/{qualifier}"
    return base64.b32encode(hashlib.sha256(text.encode()).digest())[:32].decode().lower()
