"""Authentication: what botocore signs with a known key goes on, everything else is answered 403."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from lambent.http1.exchange import Exchange
from lambent.model.errors import ClientFault
from lambent.server.authentication import MAX_BYTES_ON_LOOP, Authentication
from lambent.server.callers import to_request
from lambent.wire import sigv4

KEY, SECRET, TOKEN = "AKIDEXAMPLEKEY00", "wJalrXUtnFEMI/K7MDENG", "a token"
PATH = "/2015-03-31/functions/arn%3Aaws%3Alambda/invocations"


@dataclass
class Known:
    secret_access_key: str = SECRET
    session_token: str = ""


class Recorder:
    """A connection that remembers its answer."""

    closed, peer = False, "127.0.0.1"

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.answered: Callable[[], object] = lambda: None

    def finish(self, _exchange: Exchange, status: int, head: bytes, body: bytes) -> None:
        self.answers.append((status, head + body))
        self.answered()

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def signed(
    method: str = "POST",
    path: str = PATH,
    body: bytes = b"{}",
    headers: dict[str, str] | None = None,
    credentials: Credentials | None = None,
    presign: bool = False,
    service: str = "lambda",
) -> tuple[Exchange, Recorder]:
    """A request as botocore signs it."""
    request = AWSRequest(
        method=method, url=f"http://127.0.0.1:4566{path}", data=body, headers=dict(headers or {})
    )
    kind = SigV4QueryAuth if presign else SigV4Auth
    kind(credentials or Credentials(KEY, SECRET), service, "eu-west-1").add_auth(request)
    parts = urlsplit(request.url)
    sent = {
        name.lower().encode(): value.encode() if isinstance(value, str) else value
        for name, value in request.headers.items()
    }
    sent.setdefault(b"host", b"127.0.0.1:4566")
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    recorder = Recorder()
    exchange = Exchange(recorder, method.encode(), target.encode(), sent)
    exchange.body = body
    return exchange, recorder


def authentication(token: str = "", now_s: float | None = None) -> Authentication:
    """One that knows one key."""
    known = {KEY: Known(session_token=token)}
    clock = {} if now_s is None else {"now_s": lambda: now_s}
    return Authentication(known.get, ThreadPoolExecutor(1), **clock)


def admitted(made: tuple[Exchange, Recorder], by: Authentication | None = None) -> bool:
    """Whether it went on; if not it was answered once, with 4xx."""
    exchange, recorder = made
    gone_on: list[Exchange] = []
    (by or authentication()).admit(exchange, gone_on.append)
    assert bool(gone_on) != bool(recorder.answers)
    assert all(400 <= status < 500 for status, _ in recorder.answers)
    return gone_on == [exchange]


@given(
    body=st.binary(max_size=200),
    path=st.sampled_from(
        [PATH, "/", "/a//b/../c", "/x?b=2&a=1&a=0&c", "/%C3%A9%20%C3%BC", "/x?q=a%2Fb"]
    ),
    extra=st.dictionaries(
        st.sampled_from(["x-amz-invocation-type", "x-amz-client-context", "content-type"]),
        st.text("abc xyz=;,", min_size=1, max_size=12).filter(lambda text: text == text.strip()),
    ),
)
def test_what_botocore_signs_goes_on(body: bytes, path: str, extra: dict[str, str]) -> None:
    """Any body, path, query and header signed with the known secret is admitted, by the quick way too."""
    made = signed(path=path, body=body, headers=extra)
    assert authentication()._is_signed(made[0])
    assert admitted(made)


@given(place=st.integers(0, 2), flip=st.integers(0, 200))
def test_what_anyone_changed_does_not(place: int, flip: int) -> None:
    """One changed byte in the body, the path or a signed header is refused, and the slow way agrees."""
    exchange, recorder = signed(headers={"x-amz-invocation-type": "RequestResponse"})
    if place == 0:
        exchange.body = b"{ }"
    elif place == 1:
        exchange.target = exchange.target.replace(b"arn", b"brn")
    else:
        names = [b"host", b"x-amz-date", b"x-amz-invocation-type"]
        name = names[flip % len(names)]
        value = exchange.headers[name]
        at = flip % len(value)
        exchange.headers[name] = value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
    request = to_request(exchange)
    with pytest.raises(ClientFault):
        sigv4.verify(request, sigv4.require_scope(request), SECRET, datetime.now(UTC))
    assert not admitted((exchange, recorder))


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (signed(credentials=Credentials(KEY, "another")), "InvalidSignatureException"),
        (
            signed(credentials=Credentials("AKIDSOMEBODYELSE", SECRET)),
            "UnrecognizedClientException",
        ),
        (signed(credentials=Credentials(KEY, SECRET, TOKEN)), "UnrecognizedClientException"),
    ],
    ids=["secret", "key", "token"],
)
def test_a_wrong_key_is_told_so(made: tuple[Exchange, Recorder], code: str) -> None:
    """AWS's own error for a wrong secret, an unknown key and a token that is not the key's."""
    assert not admitted(made)
    status, answer = made[1].answers[0]
    assert status == 403
    assert code.encode() in answer


@pytest.mark.parametrize("size", [2, MAX_BYTES_ON_LOOP - 1])
def test_a_signature_of_other_letters_is_a_wrong_one(size: int) -> None:
    """Bytes that are no ASCII, in the signature or in the token, are answered 403 like any other wrong ones."""
    for name, old in ((b"authorization", b"Signature="), (b"x-amz-security-token", b"")):
        exchange, recorder = signed(body=b"x" * size)
        exchange.headers[name] = exchange.headers.get(name, b"").partition(old or b"~")[0] + old
        exchange.headers[name] += "\u00e9\u00fc".encode("latin-1")
        assert not admitted((exchange, recorder))
        assert recorder.answers[0][0] == 403


def test_a_temporary_key_needs_its_token() -> None:
    """A minted key is admitted with its session token, and not without it or with another."""
    with_token = authentication(TOKEN)
    assert admitted(signed(credentials=Credentials(KEY, SECRET, TOKEN)), with_token)
    assert not admitted(signed(), with_token)
    assert not admitted(signed(credentials=Credentials(KEY, SECRET, "other")), with_token)


@pytest.mark.parametrize("late_s", [-1000, 1000])
def test_a_signature_has_its_time(late_s: int) -> None:
    """A signature made more than fifteen minutes ago, or to come, is refused."""
    clock = datetime.now(UTC).timestamp() + late_s
    assert not admitted(signed(), authentication(now_s=clock))


def test_presigned_urls_go_on() -> None:
    """A presigned URL is verified by the slow way, and admitted."""
    made = signed("GET", "/2015-03-31/functions", b"", presign=True)
    assert not authentication()._is_signed(made[0])
    assert admitted(made)


def test_unsigned_requests_are_told_so() -> None:
    """No signature at all: MissingAuthenticationTokenException, 403."""
    recorder = Recorder()
    exchange = Exchange(recorder, b"GET", b"/2015-03-31/functions", {b"host": b"127.0.0.1"})
    assert not admitted((exchange, recorder))
    assert recorder.answers[0][0] == 403


@pytest.mark.parametrize(
    ("method", "target", "host", "free"),
    [
        (b"GET", b"/_lambent/health", b"h", True),
        (b"GET", b"/_lambent/code/" + b"a" * 64, b"h", True),
        (b"GET", b"/_lambent/metrics", b"h", False),
        (b"POST", b"/_lambent/reset", b"h", False),
        (b"GET", b"/?Action=ConfirmSubscription&Token=x", b"h", True),
        (b"POST", b"/?Action=ConfirmSubscription&Token=x", b"h", False),
        (b"GET", b"/?Action=ConfirmSubscription&Action=DeleteTopic", b"h", False),
        (b"GET", b"/?Action=ListTopics", b"h", False),
        (
            b"GET",
            b"/?Action=Unsubscribe&X-Amz-Credential=a/20260101/r/s3/aws4_request",
            b"h",
            False,
        ),
        (b"GET", b"/x?Action=Unsubscribe", b"h", False),
        (b"GET", b"/?Action=Unsubscribe", b"s3.localhost:4566", False),
        (b"GET", b"/x", b"abc.lambda-url.us-east-1.localhost", True),
    ],
)
def test_what_needs_no_signature(method: bytes, target: bytes, host: bytes, free: bool) -> None:
    """Health, code by digest, SNS's links and function URLs go on unsigned; nothing else does."""
    recorder = Recorder()
    exchange = Exchange(recorder, method, target, {b"host": host})
    assert admitted((exchange, recorder)) is free


@pytest.mark.parametrize(
    "header",
    [
        (b"x-amz-target", b"AmazonSQS.DeleteQueue"),
        (b"authorization", b"AWS4-HMAC-SHA256 Credential=a/20260101/r/s3/aws4_request"),
        (b"smithy-protocol", b"rpc-v2-cbor"),
        (b"content-type", b"application/x-amz-json-1.0"),
    ],
)
def test_a_link_names_no_other_operation(header: tuple[bytes, bytes]) -> None:
    """A link of SNS's with a header by which it would be another service's operation is not let in."""
    recorder = Recorder()
    headers = {b"host": b"h", header[0]: header[1]}
    exchange = Exchange(recorder, b"GET", b"/?Action=ConfirmSubscription&Token=x", headers)
    assert not admitted((exchange, recorder))


@pytest.mark.parametrize("secret", [SECRET, "another"])
def test_long_bodies_are_hashed_on_a_thread(secret: str) -> None:
    """A body beyond the bound goes on, or is refused, after the loop's turn; never in it."""

    async def run() -> None:
        body = b"x" * (MAX_BYTES_ON_LOOP + 1)
        exchange, recorder = signed(body=body, credentials=Credentials(KEY, secret))
        gone_on: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        recorder.answered = gone_on.cancel
        authentication().admit(exchange, gone_on.set_result)
        assert not gone_on.done()
        await asyncio.wait([gone_on], timeout=5)
        assert gone_on.done()
        assert gone_on.cancelled() is (secret != SECRET)

    asyncio.run(run())
