"""SigV4: what botocore signs verifies, what anyone changed does not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.model.errors import ClientFault
from lambent.model.http import HttpRequest
from lambent.wire import sigv4
from lambent.wire.sigv4_scope import parse_scope

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
Signer = Callable[..., HttpRequest]


def sign(
    method: str = "POST",
    path: str = "/2015-03-31/functions/f/invocations",
    query: str = "",
    body: bytes = b"{}",
    service: str = "lambda",
    presign: bool = False,
    headers: dict[str, str] | None = None,
) -> HttpRequest:
    """A request as botocore signs and sends it."""
    url = f"http://127.0.0.1:4566{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers or {}))
    credentials = Credentials(KEY, SECRET)
    if presign:
        presigner = S3SigV4QueryAuth if service == "s3" else SigV4QueryAuth
        presigner(credentials, service, "eu-west-1", expires=60).add_auth(request)
    else:
        request.context["payload_signing_enabled"] = True
        signer = S3SigV4Auth if service == "s3" else SigV4Auth
        signer(credentials, service, "eu-west-1").add_auth(request)
    parts = urlsplit(request.url)
    sent = {name.lower(): value for name, value in request.headers.items()}
    sent.setdefault("host", "127.0.0.1:4566")
    return HttpRequest(method, parts.path, parts.query, sent, body)


def verify(request: HttpRequest, secret: str = SECRET, later: timedelta = timedelta()) -> None:
    """Verify ``request`` now, or a little later."""
    sigv4.verify(request, sigv4.require_scope(request), secret, datetime.now(UTC) + later)


PATHS = st.lists(st.text("abcXYZ019-_.~", min_size=1, max_size=5), max_size=4).map(
    lambda parts: "/" + "/".join(part for part in parts if part.strip("."))
)
QUERIES = st.lists(
    st.tuples(st.text("abcXYZ", min_size=1, max_size=4), st.text("abc019-_.~", max_size=4)),
    max_size=3,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


@given(
    path=PATHS,
    query=QUERIES,
    body=st.binary(max_size=50),
    service=st.sampled_from(["lambda", "sts", "s3"]),
    value=st.text("abc 019,;=", max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_what_botocore_signs_verifies(
    path: str, query: str, body: bytes, service: str, value: str
) -> None:
    """A request signed by botocore verifies with the same secret."""
    verify(sign("PUT", path, query, body, service, headers={"X-Amz-Meta": value}))


@pytest.mark.parametrize(
    "path",
    [
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af",
        "/a%20b/%C3%A9/c%2Fd",
        "/trailing/",
    ],
)
@pytest.mark.parametrize("service", ["lambda", "s3"])
def test_encoded_paths_verify(path: str, service: str) -> None:
    """Percent-encoded paths verify: encoded once more, or for S3 as they are."""
    verify(sign("GET", path, "", b"", service))


@pytest.mark.parametrize("service", ["lambda", "s3"])
def test_presigned_urls_verify_until_they_expire(service: str) -> None:
    """A presigned URL verifies within its life and is refused after it."""
    request = sign("GET", "/bucket/key%20one", "", b"", service, presign=True)
    verify(request)
    with pytest.raises(ClientFault, match=r"^Signature expired: ") as caught:
        verify(request, later=timedelta(seconds=90))
    assert (caught.value.code, caught.value.status) == ("InvalidSignatureException", 403)


@pytest.mark.parametrize(
    "change",
    [
        lambda r: HttpRequest("GET", r.path, r.query, r.headers, r.body),
        lambda r: HttpRequest(r.method, "/other", r.query, r.headers, r.body),
        lambda r: HttpRequest(r.method, r.path, "a=b", r.headers, r.body),
        lambda r: HttpRequest(r.method, r.path, r.query, {**r.headers, "host": "other"}, r.body),
        lambda r: HttpRequest(r.method, r.path, r.query, r.headers, b"other"),
    ],
    ids=["method", "path", "query", "signed header", "body"],
)
def test_a_changed_request_is_refused(change: Callable[[HttpRequest], HttpRequest]) -> None:
    """Whatever part is changed after signing, the signature no longer matches."""
    with pytest.raises(ClientFault) as caught:
        verify(change(sign()))
    assert caught.value.code == "InvalidSignatureException"
    assert caught.value.message.startswith("The request signature we calculated does not match")


def test_another_secret_is_refused() -> None:
    """The right request under the wrong secret is refused with 403."""
    with pytest.raises(ClientFault) as caught:
        verify(sign(), secret="other")
    assert caught.value.status == 403


def test_a_body_that_is_not_the_claimed_one_is_refused() -> None:
    """With ``x-amz-content-sha256`` the body is checked against the digest that was signed."""
    request = sign("PUT", "/bucket/key", "", b"one", "s3")
    changed = HttpRequest(request.method, request.path, "", request.headers, b"two")
    with pytest.raises(ClientFault) as caught:
        verify(changed)
    assert caught.value.code == "XAmzContentSHA256Mismatch"


def test_unsigned_payloads_verify_whatever_the_body() -> None:
    """``UNSIGNED-PAYLOAD`` is signed as such, so any body goes with it."""
    unsigned = AWSRequest("PUT", "https://127.0.0.1:4566/b/k", data=b"one")
    unsigned.context["client_config"] = Config(s3={"payload_signing_enabled": False})
    S3SigV4Auth(Credentials(KEY, SECRET), "s3", "eu-west-1").add_auth(unsigned)
    headers = {name.lower(): value for name, value in unsigned.headers.items()}
    assert headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    verify(HttpRequest("PUT", "/b/k", "", {**headers, "host": "127.0.0.1:4566"}, b"two"))


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_skewed_clock_is_refused(minutes: int) -> None:
    """Beyond a quarter of an hour either way a signature is not current."""
    with pytest.raises(ClientFault, match=r"Signature (expired|not yet current)"):
        verify(sign(), later=timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("AWS4-HMAC-SHA256 Credential=a/20260101/r/lambda/aws4_request", "IncompleteSignature"),
        ("AWS4-HMAC-SHA256 nonsense", "IncompleteSignature"),
        ("Basic abc", "IncompleteSignature"),
        ("Bearer Credential=a/2/r/s/aws4_request, SignedHeaders=h, Signature=s", "Incomplete"),
    ],
)
def test_malformed_authorization_is_incomplete(header: str, code: str) -> None:
    """An ``Authorization`` that lacks a part is 400 ``IncompleteSignatureException``."""
    request = HttpRequest("POST", "/", "", {"authorization": header, "host": "h"}, b"")
    with pytest.raises(ClientFault) as caught:
        verify(request)
    assert caught.value.status == 400
    assert caught.value.code.startswith(code)


def test_an_unsigned_request_lacks_a_token() -> None:
    """Without any signature the answer is 403 ``MissingAuthenticationTokenException``."""
    with pytest.raises(ClientFault) as caught:
        verify(HttpRequest("GET", "/", "", {"host": "h"}, b""))
    assert (caught.value.code, caught.value.status) == ("MissingAuthenticationTokenException", 403)


@given(header=st.text(max_size=80), query=st.text(max_size=80))
@settings(max_examples=100, deadline=None)
def test_parsing_a_scope_never_fails(header: str, query: str) -> None:
    """Whatever stands in the header or the query, reading the scope gives a scope or None."""
    parse_scope(HttpRequest("GET", "/", "", {"authorization": f"Credential={header}"}, b""))
    parse_scope(HttpRequest("GET", "/", f"X-Amz-Credential={query}", {}, b""))


@given(
    parts=st.lists(
        st.sampled_from(["", "a", "20260101", "lambda", "é", "X-Amz-Date=1"]), max_size=7
    )
)
@settings(max_examples=60, deadline=None)
def test_verifying_rubbish_is_always_refused(parts: list[str]) -> None:
    """A made-up signature is refused by an ``AwsError``, never by a crash."""
    header = f"AWS4-HMAC-SHA256 Credential={'/'.join(parts)}, SignedHeaders=host, Signature=00"
    for headers, query in (
        ({"authorization": header, "x-amz-date": "".join(parts)}, ""),
        ({}, f"X-Amz-Credential={'/'.join(parts)}&X-Amz-Date={''.join(parts)}&X-Amz-Signature=0"),
    ):
        with pytest.raises(ClientFault):
            verify(HttpRequest("GET", "/", query, headers, b""))
