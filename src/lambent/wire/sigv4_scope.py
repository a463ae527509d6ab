"""Who signed a request, as it claims: the credential scope of SigV4, header or presigned.

Reading is tolerant, since an unverified platform only wants the region and the access key;
:mod:`lambent.wire.sigv4` verifies.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_plus

from lambent.model.http import HttpRequest

_CREDENTIAL = re.compile(r"Credential=\s*([^\s,]+)")
_SIGNED_HEADERS = re.compile(r"SignedHeaders=\s*([^\s,]+)")
_SIGNATURE = re.compile(r"Signature=\s*([^\s,]+)")


@dataclass(frozen=True, slots=True)
class CredentialScope:
    """The parts of ``AKID/20260131/us-east-1/lambda/aws4_request`` and of the signature beside it.

    ``date`` is ``YYYYMMDD``; ``signature`` is hex, "" when the request gave none.
    """

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_scope(request: HttpRequest) -> CredentialScope | None:
    """The scope ``request`` was signed for, or None when it is unsigned or unreadable."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        credential = _CREDENTIAL.search(authorization)
        if credential is None:
            return None
        signed = _SIGNED_HEADERS.search(authorization)
        signature = _SIGNATURE.search(authorization)
        return _scope(credential[1], signed[1] if signed else "", signature[1] if signature else "")
    if "X-Amz-Credential=" in request.query:
        given = presigned_parameters(request.query)
        return _scope(
            given.get("X-Amz-Credential", ""),
            given.get("X-Amz-SignedHeaders", ""),
            given.get("X-Amz-Signature", ""),
        )
    return None


def presigned_parameters(query: str) -> dict[str, str]:
    """The ``X-Amz-*`` parameters of a presigned URL, decoded."""
    found = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name.startswith("X-Amz-"):
            found[name] = unquote_plus(value)
    return found


def _scope(credential: str, signed_headers: str, signature: str) -> CredentialScope | None:
    # AWS: an access key never holds a slash, but a local one may: the scope is the last four parts.
    parts = credential.rsplit("/", 4)
    if len(parts) != 5:
        return None
    key, date, region, service, _ = parts
    headers = tuple(name for name in signed_headers.lower().split(";") if name)
    return CredentialScope(key, date, region, service, headers, signature)
