"""Raw bytes on the platform's port: wrong requests are the client's fault, and never hang."""

import json
import re
import socket
from collections.abc import Callable
from typing import Any

import pytest

HEAD = b"host: localhost\r\nauthorization: AWS4-HMAC-SHA256 Credential=a/20260131/us-east-1/lambda/aws4_request, "
HEAD += b"SignedHeaders=host, Signature=00\r\n"


def request(
    method: str, target: str, body: bytes = b"", extra: bytes = b"connection: close\r\n"
) -> bytes:
    """A whole request to the Lambda API."""
    line = f"{method} {target} HTTP/1.1\r\n".encode()
    return line + HEAD + extra + b"content-length: %d\r\n\r\n%s" % (len(body), body)


def status_of(answer: bytes) -> int:
    """The status of an answer; 0 where there was none but a closed connection."""
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 100,
        b"\r\n" * 50 + b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\n folded: b\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 99999999999999\r\n\r\n",
        b"GET /_lambent/x HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade, close\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 50_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"y" * 300_000 + b"\r\n\r\n",
        "GET /é HTTP/1.1\r\nhost: x\r\n\r\n".encode(),
    ],
)
def test_what_is_no_request(platform: Any, bystander: Callable[[], None], data: bytes) -> None:
    """Garbage, smuggling and oversized heads are answered 4xx (501 at most) or cut, at once."""
    answer = platform.raw(data, timeout_s=5)
    assert status_of(answer) in (0, 501) or 400 <= status_of(answer) < 500, answer[:200]
    assert len(re.findall(rb"HTTP/1\.1 \d", answer)) <= 1
    bystander()


@pytest.mark.parametrize(
    "data",
    [b"", b"GE", b"GET / HTTP/1.1\r\nhost: ", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nabc"],
)
def test_half_a_request(platform: Any, bystander: Callable[[], None], data: bytes) -> None:
    """A client that stops in the middle and hangs up leaves nothing waiting."""
    answer = platform.raw(data, end=True, timeout_s=5)
    assert status_of(answer) == 0 or 400 <= status_of(answer) < 500
    bystander()


def test_a_header_without_end_is_cut_off(platform: Any, bystander: Callable[[], None]) -> None:
    """A single header of many megabytes is refused early and never held whole."""
    before_mib = platform.rss_mib()
    with socket.create_connection(("127.0.0.1", platform.port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nx: ")
        block, sent = b"y" * (1 << 20), 0
        try:
            while sent < 64:
                connection.sendall(block)
                sent += 1
        except OSError:
            pass
    assert sent < 64, "the platform took it all"
    assert platform.rss_mib() - before_mib < 30
    bystander()


FUNCTIONS = "/2015-03-31/functions"


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/", b""),
        ("PATCH", FUNCTIONS, b"{}"),
        ("DELETE", FUNCTIONS, b""),
        ("GET", "/2015-03-31/nothing", b""),
        ("GET", "/2099-01-01/functions", b""),
        ("GET", f"{FUNCTIONS}/%00", b""),
        ("GET", f"{FUNCTIONS}/%ff%fe", b""),
        ("GET", f"{FUNCTIONS}/..%2f..%2fetc%2fpasswd", b""),
        ("GET", f"{FUNCTIONS}/{'a' * 5000}", b""),
        ("GET", f"{FUNCTIONS}?MaxItems=many", b""),
        ("GET", f"{FUNCTIONS}?MaxItems=-1", b""),
        ("GET", f"{FUNCTIONS}?Marker=garbage", b""),
        ("GET", f"{FUNCTIONS}?FunctionVersion=SOME", b""),
        ("POST", FUNCTIONS, b""),
        ("POST", FUNCTIONS, b"{"),
        ("POST", FUNCTIONS, b"[]"),
        ("POST", FUNCTIONS, b"null"),
        ("POST", FUNCTIONS, b"\xff\xfe"),
        ("POST", FUNCTIONS, b"[" * 100_000),
        ("POST", FUNCTIONS, b'{"FunctionName": 5}'),
        ("POST", FUNCTIONS, b'{"FunctionName": {"a": []}, "Code": "x", "Role": []}'),
        ("POST", FUNCTIONS, b'{"Timeout": "soon"}'),
        ("POST", FUNCTIONS, b'{"Timeout": 1e400}'),
        ("POST", FUNCTIONS, b'{"MemorySize": 99999999999999999999}'),
        ("POST", FUNCTIONS, b'{"Code": {"ZipFile": "not base64!"}}'),
        ("POST", FUNCTIONS, b'{"Environment": {"Variables": {"A": 1}}}'),
        ("POST", FUNCTIONS, b'{"Layers": "one"}'),
        ("POST", FUNCTIONS, b'{"Tags": {"a": null}}'),
        ("POST", FUNCTIONS, b'{"FunctionName": "a\\u0000b"}'),
        ("POST", FUNCTIONS, b'{"FunctionName": "\\ud800"}'),
        ("POST", f"{FUNCTIONS}/x/invocations", b"{}"),
        ("POST", f"{FUNCTIONS}/%/invocations", b"{}"),
        ("POST", f"{FUNCTIONS}//invocations", b"{}"),
        ("POST", f"{FUNCTIONS}/a%2Fb/invocations?Qualifier=", b"{}"),
        ("POST", f"{FUNCTIONS}/x/invocations?Qualifier=%ff", b"{}"),
        ("PUT", f"{FUNCTIONS}/x/code", b'{"ZipFile": 5}'),
        ("GET", "/_lambent/code/../../etc/passwd", b""),
        ("GET", "/_lambent/nothing", b""),
        ("GET", "/_lambent/reset", b""),
    ],
)
def test_wrong_requests_are_the_clients_fault(
    platform: Any, method: str, target: str, body: bytes
) -> None:
    """Wrong paths, types and values over raw HTTP are 4xx (501 for what is unknown), never 500."""
    answer = platform.raw(request(method, target, body), timeout_s=5)
    status = status_of(answer)
    assert 400 <= status < 500 or status == 501, answer[:300]
    if "/_lambent/" not in target:
        json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    "header",
    [
        b"x-amz-invocation-type: Sometime\r\n",
        b"x-amz-invocation-type: \xff\r\n",
        b"x-amz-log-type: Head\r\n",
        b"x-amz-client-context: not base64\r\n",
        b"x-amz-client-context: " + b"A" * 5000 + b"\r\n",
        b"x-amz-client-context: WzFd\r\n",
    ],
)
def test_wrong_invoke_headers(platform: Any, deploy: Callable[..., Any], header: bytes) -> None:
    """A wrong header of Invoke is 4xx, and the function does not run."""
    function = deploy("def handler(event, context): return 'ran'")
    target = f"{FUNCTIONS}/{function.name}/invocations"
    answer = platform.raw(request("POST", target, b"{}", b"connection: close\r\n" + header))
    assert 400 <= status_of(answer) < 500, answer[:300]
    assert b"ran" not in answer


def test_a_strange_trace_header_passes_through(platform: Any, deploy: Callable[..., Any]) -> None:
    """A trace header of any bytes harms neither side: the function runs once, and answers."""
    function = deploy("def handler(event, context): return 'ran'")
    target = f"{FUNCTIONS}/{function.name}/invocations"
    for value in (b"Root=1-5759e988-bd862e3fe1be46a994272793", b"\xe9\xff", b"x" * 20_000, b"a\tb"):
        extra = b"connection: close\r\nx-amzn-trace-id: " + value + b"\r\n"
        answer = platform.raw(request("POST", target, b"{}", extra))
        assert status_of(answer) == 200
        assert answer.endswith(b'"ran"')


def test_pipelined_requests_are_answered_in_order(
    platform: Any, deploy: Callable[..., Any]
) -> None:
    """Requests sent without waiting come back in the order they went."""
    function = deploy("def handler(event, context): return event")
    target = f"{FUNCTIONS}/{function.name}/invocations"
    many = b"".join(request("POST", target, b'"n%02d"' % n, b"") for n in range(40))
    answer = platform.raw(many + request("GET", "/_lambent/health"))
    assert re.findall(rb'"n(\d\d)"', answer) == [b"%02d" % n for n in range(40)]


def test_an_expected_continue_is_given(platform: Any, deploy: Callable[..., Any]) -> None:
    """``Expect: 100-continue`` is answered before the body is sent."""
    function = deploy("def handler(event, context): return event")
    target = f"{FUNCTIONS}/{function.name}/invocations"
    whole = request("POST", target, b'"late"', b"expect: 100-continue\r\nconnection: close\r\n")
    head, _, body = whole.partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", platform.port), timeout=5) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        assert connection.recv(10_000).endswith(b'"late"')
