"""The HTTP client: AWS's headers out, a status back, and nothing an endpoint does can hold it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.errors import AwsError
from lambent.services.sns.destinations import is_internal, may_call, parse_destination
from lambent.services.sns.http_client import DeliveryFailure, HttpClient
from lambent.testing.loop import on_loop, turns

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def endpoint(answer: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server's URL, and what it was sent; it answers with these bytes, or never."""
    heard: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        heard.append(head + await reader.readexactly(length))
        if answer is not None:
            writer.write(answer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await turns()


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(timeout_s=0.5)
    yield made
    made.close()


@on_loop
async def test_a_message_is_posted(client: HttpClient) -> None:
    """Request line, host, credentials, headers and body, and the status comes back."""
    async with endpoint(OK) as (url, heard):
        destination = parse_destination("http", url.replace("//", "//u:p%40@") + "/in?a=b")
        assert await client(destination, {"x-amz-sns-message-type": "Notification"}, b"body") == 200
    (request,) = heard
    lines = request.split(b"\r\n")
    assert lines[0] == b"POST /in?a=b HTTP/1.1"
    assert lines[1] == f"Host: {url.removeprefix('http://')}".encode()
    assert b"Authorization: Basic dTpwQA==" in lines
    assert b"x-amz-sns-message-type: Notification" in lines
    assert request.endswith(b"Content-Length: 4\r\nConnection: close\r\n\r\nbody")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 \r\n\r\n", 503),
        (b"HTTP/1.0 204\r\n\r\n", 204),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", 302),
        (OK + b"x" * 1_000_000, 200),
    ],
)
@on_loop
async def test_statuses_are_read(client: HttpClient, answer: bytes, status: int) -> None:
    """Interim answers are passed over, redirects not followed, bodies not read."""
    async with endpoint(answer) as (url, _):
        assert await client(parse_destination("http", url), {}, b"") == status


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
        b"HTTP/1.1 9999 OK\r\n\r\n",
    ],
)
@on_loop
async def test_what_is_no_answer_is_a_failure(client: HttpClient, answer: bytes | None) -> None:
    """Silence, nonsense and floods end within the deadline."""
    async with endpoint(answer) as (url, _):
        with pytest.raises(DeliveryFailure) as failure:
            await client(parse_destination("http", url), {}, b"")
        assert not failure.value.permanent


@on_loop
async def test_addresses_that_are_not_called(client: HttpClient) -> None:
    """Metadata services, multicast and 0.0.0.0 are refused for good."""
    for host in (
        "169.254.169.254",
        "[fe80::1]",
        "0.0.0.0",
        "224.0.0.1",
        "[::ffff:169.254.169.254]",
    ):
        with pytest.raises(DeliveryFailure, match="not called") as failure:
            await client(parse_destination("http", f"http://{host}/"), {}, b"")
        assert failure.value.permanent
    assert not may_call("no address")
    assert not may_call("168.63.129.16")


def test_functions_do_not_reach_this_machine_by_a_subscription() -> None:
    """For them only public addresses are called; for others loopback and private ones too."""
    for address in ("127.0.0.1", "10.1.2.3", "192.168.0.1", "::1", "fd00::1", "::ffff:10.0.0.1"):
        assert may_call(address)
        assert not may_call(address, public_only=True)
    assert may_call("8.8.8.8", public_only=True)


@pytest.mark.parametrize(
    "path",
    [
        "/_lambent/reset",
        "/_lambent",
        "//_lambent/x",
        "/a/../_lambent/x",
        "/%5Flambent/x",
        "/%255flambent/x",
        "/_LAMBENT/x",
        "/./_lambent/",
        "/a/%2e%2e/_lambent/x",
    ],
)
def test_the_platforms_own_endpoints_are_known_however_spelt(path: str) -> None:
    """Encoded, doubled or detoured, they are refused."""
    assert is_internal(path)
    with pytest.raises(AwsError):
        parse_destination("http", f"http://h:4566{path}")


@pytest.mark.parametrize(
    "url",
    ["http://", "http:///x", "http://h:0/", "http://h:99999/", "http://[::1/", "http://h/ x", "http://h/\r\n",
     "http://h/é", "http://" + "h" * 3000],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    """Nothing gets into a request line that does not belong there."""
    with pytest.raises(AwsError, match="Invalid parameter"):
        parse_destination("http", url)


@given(st.text(max_size=60))
def test_any_text_is_a_destination_or_refused(text: str) -> None:
    """What is accepted has neither blanks nor line breaks, and is none of the platform's own."""
    try:
        destination = parse_destination("http", f"http://{text}")
    except AwsError:
        return
    assert not set(destination.target + destination.host) & set(" \r\n\t")
    assert not is_internal(destination.target.partition("?")[0])
