"""Signature Version 4, verified: pure functions over a request, used when authentication is on.

A request signed in its ``Authorization`` header or in its URL (presigned). Source: "Create a signed
AWS API request" in the IAM user guide; the error texts are those AWS services answer.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote, unquote

from lambent.model.errors import ClientFault
from lambent.model.http import HttpRequest
from lambent.wire.sigv4_scope import CredentialScope, parse_scope, presigned_parameters

__all__ = [
    "PATH_AS_SENT",
    "CredentialScope",
    "canonical_path",
    "canonical_query",
    "canonical_request",
    "parse_scope",
    "require_scope",
    "signature",
    "signing_key",
    "verify",
]

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW = timedelta(minutes=15)
"""AWS: a header-signed request is good for 15 minutes around its date."""
MAX_EXPIRES_S = 604_800
"""AWS: a presigned URL lives a week at most."""

PATH_AS_SENT = ("s3", "s3-object-lambda", "s3express")
"""AWS: S3 signs the path as it is sent."""
_UNSIGNED = "UNSIGNED-PAYLOAD"
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_HEX_SHA256 = re.compile(r"[0-9a-f]{64}")
_BLANKS = re.compile(r" +")


def verify(request: HttpRequest, scope: CredentialScope, secret_key: str, now: datetime) -> None:
    """Return when ``request`` was signed with ``secret_key`` for ``scope`` around ``now`` (aware).

    Raises ``ClientFault``: 400 ``IncompleteSignatureException`` when a part is missing or
    unreadable, 403 ``InvalidSignatureException`` when the time or the signature is wrong.
    """
    presigned = "authorization" not in request.headers
    _require_parts(request, scope)
    signed_at = _signed_at(request, scope, presigned)
    _check_time(request, signed_at, now, presigned)
    _check_payload(request)
    expected = signature(request, scope, secret_key, signed_at)
    if not hmac.compare_digest(expected.encode(), scope.signature.encode()):  # as text: ASCII only
        raise _invalid(
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method. Consult the service documentation for "
            "details."
        )


def require_scope(request: HttpRequest) -> CredentialScope:
    """The scope of a request that must be signed.

    Raises 403 ``MissingAuthenticationTokenException`` for an unsigned one, 400
    ``IncompleteSignatureException`` for an unreadable one.
    """
    scope = parse_scope(request)
    if scope is not None:
        return scope
    authorization = request.headers.get("authorization")
    if authorization is None:
        raise ClientFault(
            "MissingAuthenticationTokenException", "Missing Authentication Token", 403
        )
    raise _incomplete_header(request, ("Credential",))


def signature(request: HttpRequest, scope: CredentialScope, secret_key: str, signed_at: str) -> str:
    """The hex signature of ``request``; ``signed_at`` is its ``X-Amz-Date``."""
    canonical = canonical_request(request, scope)
    credential_scope = f"{scope.date}/{scope.region}/{scope.service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{signed_at}\n{credential_scope}\n{digest}"
    key = signing_key(secret_key, scope.date, scope.region, scope.service)
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=256)
def signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    """The derived key of one day, region and service."""
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def canonical_request(request: HttpRequest, scope: CredentialScope) -> str:
    """The text whose digest is signed."""
    headers = request.headers
    lines = [f"{name}:{_trimmed(headers.get(name, ''))}\n" for name in scope.signed_headers]
    return "\n".join(
        (
            request.method,
            request.path or "/" if scope.service in PATH_AS_SENT else canonical_path(request.path),
            canonical_query(request.query),
            "".join(lines),
            ";".join(scope.signed_headers),
            _payload_hash(request),
        )
    )


def canonical_path(path: str) -> str:
    """The path as it is signed, but for S3: normalised, and encoded once more."""
    return quote(_normalized(path), safe="/~")


def _normalized(path: str) -> str:
    if not path:
        return "/"
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if kept:
                kept.pop()
        elif part and part != ".":
            kept.append(part)
    first = "/" if path[0] == "/" else ""
    last = "/" if path[-1] == "/" and kept else ""
    return f"{first}{'/'.join(kept)}{last}"


def canonical_query(query: str) -> str:
    """The query as it is signed: encoded anew, sorted, without the signature."""
    pairs = []
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name != "X-Amz-Signature":
            pairs.append((_encoded(name), _encoded(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encoded(text: str) -> str:
    return quote(unquote(text.replace("+", "%20")), safe="-_.~")


def _trimmed(value: str) -> str:
    return _BLANKS.sub(" ", value.strip())


def _payload_hash(request: HttpRequest) -> str:
    claimed = request.headers.get("x-amz-content-sha256")
    if claimed is not None:
        return claimed
    if "authorization" not in request.headers:
        service = parse_scope(request)
        # AWS: a presigned URL says nothing of its body where S3 is asked, and signs an empty one elsewhere.
        return (
            _UNSIGNED if service is not None and service.service == "s3" else _sha256(request.body)
        )
    return _sha256(request.body)


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest() if body else _EMPTY_SHA256


def _check_payload(request: HttpRequest) -> None:
    """A claimed digest must be the body's; ``UNSIGNED-PAYLOAD`` and S3's ``STREAMING-…`` claim
    none."""
    claimed = request.headers.get("x-amz-content-sha256")
    if claimed is None or _HEX_SHA256.fullmatch(claimed) is None:
        return
    if claimed != _sha256(request.body):
        raise ClientFault(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            400,
        )


def _require_parts(request: HttpRequest, scope: CredentialScope) -> None:
    authorization = request.headers.get("authorization")
    missing = []
    if not scope.signature:
        missing.append("Signature")
    if not scope.signed_headers:
        missing.append("SignedHeaders")
    if authorization is not None:
        if not authorization.startswith(ALGORITHM):
            raise _incomplete(
                f"Unsupported AWS 'algorithm': '{authorization.split(' ', 1)[0]}'. "
                f"Authorization={authorization}"
            )
        if missing or not {"x-amz-date", "date"} & request.headers.keys():
            raise _incomplete_header(request, missing)
        return
    given = presigned_parameters(request.query)
    lacking = [name for name in _PRESIGNED if name not in given]
    if lacking:
        names = " ".join(f"AWS query-string parameters must include '{name}'." for name in lacking)
        raise _incomplete(f"{names} Re-examine the query-string parameters.")


_PRESIGNED = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)


def _incomplete_header(request: HttpRequest, missing: Iterable[str]) -> ClientFault:
    authorization = request.headers.get("authorization", "")
    parts = [f"Authorization header requires '{name}' parameter." for name in missing]
    if not {"x-amz-date", "date"} & request.headers.keys():
        parts.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    return _incomplete(f"{' '.join(parts)} Authorization={authorization}")


def _signed_at(request: HttpRequest, scope: CredentialScope, presigned: bool) -> str:
    if presigned:
        text = presigned_parameters(request.query)["X-Amz-Date"]
    else:
        text = request.headers.get("x-amz-date") or request.headers.get("date", "")
    try:
        moment = _parse_date(text)
    except ValueError:
        raise _incomplete(
            "Date must be in ISO-8601 'basic format'. "
            f"Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None
    compact = moment.strftime("%Y%m%dT%H%M%SZ")
    if compact[:8] != scope.date:
        raise _invalid(
            "Credential should be scoped to a valid date. "
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            f"HTTP: '{scope.date}' != '{compact[:8]}', from '{compact}'."
        )
    return compact


def _parse_date(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _check_time(request: HttpRequest, signed_at: str, now: datetime, presigned: bool) -> None:
    moment = _parse_date(signed_at)
    shown = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    if now < moment - MAX_SKEW:
        late = (now.astimezone(UTC) + MAX_SKEW).strftime("%Y%m%dT%H%M%SZ")
        raise _invalid(
            f"Signature not yet current: {signed_at} is still later than {late} ({shown} + 15 min.)"
        )
    life = _lifetime(request) if presigned else MAX_SKEW
    if now > moment + life:
        early = (now.astimezone(UTC) - life).strftime("%Y%m%dT%H%M%SZ")
        minutes = int(life.total_seconds() // 60)
        raise _invalid(
            f"Signature expired: {signed_at} is now earlier than {early} ({shown} - {minutes} min.)"
        )


def _lifetime(request: HttpRequest) -> timedelta:
    text = presigned_parameters(request.query).get(
        "X-Amz-Expires", str(int(MAX_SKEW.total_seconds()))
    )
    if not (
        text.isascii() and text.isdigit() and len(text) <= 6 and 0 < int(text) <= MAX_EXPIRES_S
    ):
        raise _incomplete("X-Amz-Expires must be a number of seconds between 1 and 604800")
    return timedelta(seconds=int(text))


def _incomplete(message: str) -> ClientFault:
    return ClientFault("IncompleteSignatureException", message, 400)


def _invalid(message: str) -> ClientFault:
    return ClientFault("InvalidSignatureException", message, 403)
