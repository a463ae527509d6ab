"""Who calls: the account and region of a request, refined by the credentials the platform minted."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from lambent.http1.exchange import Exchange
from lambent.model.call import Caller
from lambent.model.http import HttpRequest
from lambent.wire.codec import DEFAULT_ACCOUNT, DEFAULT_REGION, caller_of

_SCOPE_START, _SCOPE_END = b"Credential=", b"/aws4_request"
_SCOPE_START_BYTES = len(_SCOPE_START)


class Minted(Protocol):
    """Credentials the platform made for a function's role."""

    @property
    def account_id(self) -> str: ...
    @property
    def principal_arn(self) -> str: ...


LookUp = Callable[[str], Minted | None]
"""Access key id → the credentials it belongs to, if the platform minted it and it is still good."""


def to_request(exchange: Exchange) -> HttpRequest:
    """The exchange as a value for the wire."""
    path, _, query = exchange.target.decode("latin-1").partition("?")
    headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in exchange.headers.items()}
    return HttpRequest(exchange.method.decode("latin-1"), path, query, headers, exchange.body)


def refine(caller: Caller, look_up: LookUp) -> Caller:
    """The caller with the account and principal of minted credentials."""
    minted = look_up(caller.access_key_id) if caller.access_key_id else None
    if minted is None:
        return caller
    return replace(caller, account_id=minted.account_id, principal_arn=minted.principal_arn)


def account_and_region(exchange: Exchange, look_up: LookUp) -> tuple[str, str]:
    """The same for the hot path: the credential scope is the only thing read, and remembered."""
    authorization = exchange.headers.get(b"authorization")
    if authorization is None:
        caller = caller_of(to_request(exchange), "")
        caller = refine(caller, look_up)
        return caller.account_id, caller.region
    start = authorization.find(_SCOPE_START) + _SCOPE_START_BYTES
    end = authorization.find(_SCOPE_END, start)
    if start < _SCOPE_START_BYTES or end < 0:
        return DEFAULT_ACCOUNT, DEFAULT_REGION
    key, account_id, region = _read_scope(authorization[start:end])
    minted = look_up(key)
    return (minted.account_id if minted else account_id), region


@lru_cache(maxsize=1024)
def _read_scope(scope: bytes) -> tuple[str, str, str]:
    """``KEY/DATE/REGION/SERVICE`` → access key id, account, region."""
    parts = scope.decode("latin-1").rsplit("/", 3)
    key = parts[0]
    region = parts[2] if len(parts) == 4 and parts[2] else DEFAULT_REGION
    account_id = key if len(key) == 12 and key.isdecimal() and key.isascii() else DEFAULT_ACCOUNT
    return key, account_id, region
