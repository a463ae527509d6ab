"""Who may ask: every request's signature verified before anything else is done with it.

1. A key is known from the operator's file, or was minted for an environment; its secret must have signed.
2. A minted key comes with its session token.
3. Not signed: function URLs (they authorize by themselves), the health document, SNS's certificate, a zip by its
   digest (the link ``GetFunction`` gives), and the links SNS sends to confirm and to unsubscribe.

The common form, an ``Authorization`` header over a small body, is verified on bytes by :meth:`_is_signed`;
whatever that does not recognise goes through :mod:`lambent.wire.sigv4`, which knows all forms and errors.
"""

import asyncio
import hashlib
import hmac
import logging
import time
import uuid
from calendar import timegm
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs

from lambent.gateway.function_url import MARK as FUNCTION_URL
from lambent.http1.exchange import Exchange
from lambent.model.errors import AwsError, ClientFault, PlatformFault
from lambent.model.http import HttpRequest
from lambent.server.callers import to_request
from lambent.server.certificates import PATH as CERTIFICATE
from lambent.server.internal import is_open
from lambent.wire import codec, router, sigv4
from lambent.wire.sigv4_scope import presigned_parameters

MAX_BYTES_ON_LOOP = 256 * 1024
"""POLICY: digests of longer bodies are made on a thread; hashing this much takes about 0.2 ms."""
_SNS_LINKS = {"ConfirmSubscription", "Unsubscribe"}
"""AWS: the links in SNS's messages are followed without credentials. Source: SNS API reference."""
_log = logging.getLogger("lambent.server")
_NAMING_HEADERS = frozenset(
    {b"authorization", b"x-amz-target", b"smithy-protocol", b"content-type"}
)
"""By which a request says whose operation it asks for."""
_ALGORITHM = b"AWS4-HMAC-SHA256 Credential="
_MAX_SKEW_S = sigv4.MAX_SKEW.total_seconds()


class Key(Protocol):
    """Credentials that are known here."""

    @property
    def secret_access_key(self) -> str: ...
    @property
    def session_token(self) -> str: ...


LookUp = Callable[[str], Key | None]
"""Access key id → the key, if it is known and still good."""


class _Claim(NamedTuple):
    """What an ``Authorization`` header says but for the signature."""

    access_key_id: str
    date: str
    region: str
    service: str
    scope: bytes
    signed_headers: bytes
    names: tuple[bytes, ...]


class Authentication:
    """Lets requests on, or answers 403. ``threads`` hash what is long."""

    def __init__(
        self,
        look_up: LookUp,
        threads: ThreadPoolExecutor,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._look_up = look_up
        self._threads = threads
        self._now_s = now_s

    def admit(self, exchange: Exchange, go_on: Callable[[Exchange], None]) -> None:
        """Calls ``go_on`` with a request that may go on, now or after its body was hashed; answers the others."""
        if _needs_none(exchange) or exchange.too_large:
            go_on(exchange)
        elif len(exchange.body) <= MAX_BYTES_ON_LOOP:
            if self._is_signed(exchange):
                go_on(exchange)
            else:
                self._settle(exchange, go_on, self._fault(exchange))
        else:
            loop = asyncio.get_running_loop()
            found = loop.run_in_executor(self._threads, self._fault, exchange)
            found.add_done_callback(lambda done: self._settle(exchange, go_on, done.result()))

    def _settle(
        self, exchange: Exchange, go_on: Callable[[Exchange], None], fault: AwsError | None
    ) -> None:
        if fault is None:
            go_on(exchange)
            return
        answer = codec.encode_error(router.guess(to_request(exchange)), fault, str(uuid.uuid4()))
        exchange.respond(answer.status, answer.headers, answer.body)

    def _is_signed(self, exchange: Exchange) -> bool:
        """Whether a request of the common form is well signed; False says nothing of the others."""
        headers = exchange.headers
        prefix, found, given = headers.get(b"authorization", b"").rpartition(b"Signature=")
        claim = _claim(prefix) if found else None
        signed_at = headers.get(b"x-amz-date")
        if claim is None or signed_at is None or b"x-amz-content-sha256" in headers:
            return False
        key = self._look_up(claim.access_key_id)
        if key is None or not _has_token(headers.get(b"x-amz-security-token", b""), key):
            return False
        if not _is_current(signed_at, claim.date, self._now_s()):
            return False
        canonical = _canonical(exchange, claim)
        digest = hashlib.sha256(canonical).hexdigest().encode()
        text = b"AWS4-HMAC-SHA256\n%b\n%b\n%b" % (signed_at, claim.scope, digest)
        signer = sigv4.signing_key(key.secret_access_key, claim.date, claim.region, claim.service)
        expected = hmac.digest(signer, text, "sha256").hex().encode()
        return hmac.compare_digest(expected, given)

    def _fault(self, exchange: Exchange) -> AwsError | None:
        """What is wrong with a request's signature, in AWS's words; None when nothing is. Any thread."""
        try:
            self._verify(to_request(exchange))
        except AwsError as fault:
            return fault
        except Exception:
            _log.exception("a signature could not be verified")
            return PlatformFault("Lambent failed to verify the signature; its log says why.")
        return None

    def _verify(self, request: HttpRequest) -> None:
        """Raises AwsError unless a known key signed it."""
        scope = sigv4.require_scope(request)
        key = self._look_up(scope.access_key_id)
        if key is None or not _has_token(_token_of(request), key):
            message = "The security token included in the request is invalid."
            raise ClientFault("UnrecognizedClientException", message, 403)
        now = datetime.fromtimestamp(self._now_s(), UTC)
        sigv4.verify(request, scope, key.secret_access_key, now)


def _needs_none(exchange: Exchange) -> bool:
    target = exchange.target
    if FUNCTION_URL in exchange.headers.get(b"host", b"") or target.startswith(CERTIFICATE):
        return True
    if target.startswith(b"/_lambent/"):
        return is_open(exchange)
    return b"Action=" in target and exchange.method == b"GET" and _is_link_of_sns(exchange)


def _is_link_of_sns(exchange: Exchange) -> bool:
    """Whether it is what SNS sent, and nothing in it could have it taken for another service's operation."""
    if exchange.body or not exchange.headers.keys().isdisjoint(_NAMING_HEADERS):
        return False
    request = to_request(exchange)
    given = parse_qs(request.query, keep_blank_values=True)
    if len(given.get("Action", [])) != 1 or any(n.lower().startswith("x-amz-") for n in given):
        return False
    try:
        target = router.identify(request)
    except AwsError:
        return False
    named = router.named_service(request), target.service
    return named == ("sns", "sns") and target.operation in _SNS_LINKS and request.path == "/"


def _token_of(request: HttpRequest) -> bytes:
    token = request.headers.get("x-amz-security-token")
    if token is None:
        token = presigned_parameters(request.query).get("X-Amz-Security-Token", "")
    return token.encode()


def _has_token(token: bytes, key: Key) -> bool:
    return hmac.compare_digest(token, key.session_token.encode())


@lru_cache(maxsize=1024)
def _claim(prefix: bytes) -> _Claim | None:
    """``AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=a;b, `` as SDKs put it."""
    if not prefix.startswith(_ALGORITHM):
        return None
    credential, found, rest = prefix[len(_ALGORITHM) :].partition(b", SignedHeaders=")
    signed, comma, nothing = rest.partition(b", ")
    parts = credential.decode("latin-1").rsplit("/", 4)
    if not found or not comma or nothing or len(parts) != 5 or parts[4] != "aws4_request":
        return None
    key_id, date, region, service, _ = parts
    if service in sigv4.PATH_AS_SENT or signed != signed.lower():
        return None
    scope = credential[len(key_id) + 1 :]
    return _Claim(key_id, date, region, service, scope, signed, tuple(signed.split(b";")))


def _canonical(exchange: Exchange, claim: _Claim) -> bytes:
    """The text whose digest is signed: as :func:`lambent.wire.sigv4.canonical_request` has it."""
    headers = exchange.headers
    lines = [b"%b:%b\n" % (name, _trimmed(headers.get(name, b""))) for name in claim.names]
    return b"%b\n%b\n%b\n%b\n%b" % (
        exchange.method,
        _canonical_target(exchange.target),
        b"".join(lines),
        claim.signed_headers,
        hashlib.sha256(exchange.body).hexdigest().encode(),
    )


def _trimmed(value: bytes) -> bytes:
    value = value.strip()
    return b" ".join(part for part in value.split(b" ") if part) if b"  " in value else value


@lru_cache(maxsize=4096)
def _canonical_target(target: bytes) -> bytes:
    path, _, query = target.decode("latin-1").partition("?")
    return f"{sigv4.canonical_path(path)}\n{sigv4.canonical_query(query)}".encode()


def _is_current(signed_at: bytes, date: str, now_s: float) -> bool:
    moment_s = _moment_s(signed_at)
    if moment_s is None or signed_at[:8] != date.encode():
        return False
    return abs(now_s - moment_s) <= _MAX_SKEW_S


@lru_cache(maxsize=64)
def _moment_s(text: bytes) -> int | None:
    try:
        return timegm(time.strptime(text.decode("latin-1"), "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return None
