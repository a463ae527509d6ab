"""What stands in the place of awslambdaric's extension: the same bytes, results and errors, in fewer pieces.

What is expected was recorded from the extension of awslambdaric 4.2.2.
"""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lambent.node.zygote.conversation import Conversation, NotSentError
from lambent.node.zygote.runtime_client import RuntimeClient

COMMON = b"HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nAccept: */*\r\n"
AGENT = b"User-Agent: aws-lambda-python/3.11-4.2.2\r\n"
NEXT = b"GET /2018-06-01/runtime/invocation/next " + COMMON + AGENT + b"\r\n"
ACCEPTED = b'HTTP/1.1 202 Accepted\r\ncontent-length: 16\r\n\r\n{"status":"OK"}\n'
REFUSED = (
    b"HTTP/1.1 413 Request Entity Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nno\n"
)
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nLambda-Runtime-Aws-Request-Id: id1\r\n"
    b"Lambda-Runtime-Deadline-Ms: 1234\r\nLambda-Runtime-Invoked-Function-Arn: arn\r\n"
)
BARE = {
    "Lambda-Runtime-Aws-Request-Id": "id1",
    "Lambda-Runtime-Trace-Id": None,
    "Lambda-Runtime-Invoked-Function-Arn": "arn",
    "Lambda-Runtime-Deadline-Ms": 1234,
    "Lambda-Runtime-Client-Context": None,
    "Content-Type": "application/json",
    "Lambda-Runtime-Cognito-Identity": None,
    "Lambda-Runtime-Aws-Tenant-Id": None,
    "Lambda-Runtime-Invocation-Id": None,
}


def event(body: bytes, lines: bytes = b"") -> bytes:
    """An event as the node sends it."""
    return HEAD + lines + b"content-length: %d\r\n\r\n" % len(body) + body


def response(body: bytes, kind: bytes = b"application/json", path: bytes = b"response") -> bytes:
    """A result, or an error, as the extension sends it."""
    start = b"POST /2018-06-01/runtime/invocation/id1/" + path + b" " + COMMON
    return (
        start + b"content-type: " + kind + b"\r\n" + AGENT
        + b"content-length: %d\r\n\r\n" % len(body) + body
    )  # fmt: skip


class Extension:
    """Stands for AWS's: remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def next(self) -> tuple[bytes, dict[str, Any]]:
        self.calls.append(("next",))
        return b"theirs", {}

    def post_invocation_result(self, *given: Any) -> None:
        self.calls.append(("result", *given))

    def post_error(self, *given: Any) -> None:
        self.calls.append(("error", *given))


class Both:
    """A runtime client, and the node's end of its socket."""

    def __init__(self) -> None:
        theirs, self.node = socket.socketpair()
        self.node.settimeout(5)
        self.is_direct = True
        self.client = RuntimeClient()
        self.extension = self.client._extension = Extension()
        self.conversation = self.client._conversation = Conversation(
            theirs.detach(),
            "127.0.0.1:9001",
            "aws-lambda-python/3.11-4.2.2",
            lambda: self.is_direct,
        )

    def say(self, data: bytes) -> None:
        """The node's word, ahead of the question or after it."""
        self.node.sendall(data)

    def heard(self) -> bytes:
        """What arrived in one piece."""
        return self.node.recv(1 << 20)

    def begin(self, body: bytes = b"{}") -> None:
        """A first event."""
        self.say(event(body))
        assert self.client.next() == (body, BARE)
        assert self.heard() == NEXT


@pytest.fixture
def both() -> Iterator[Both]:
    """Closed afterwards."""
    made = Both()
    yield made
    made.client.forget()
    made.node.close()


def test_an_event_comes_with_its_headers(both: Both) -> None:
    """Every header the extension gives, under its name; text is UTF-8, what is absent None."""
    lines = (
        'Lambda-Runtime-Trace-Id: Root=1-2;Sampled=1\r\nLambda-Runtime-Client-Context: {"a":"ä: b"}\r\n'
        "Lambda-Runtime-Cognito-Identity: {}\r\nLambda-Runtime-Aws-Tenant-Id: t\r\nX-Other: y\r\n"
    )
    both.say(event(b'{"x":"\xc3\xa4"}', lines.encode()))
    body, found = both.client.next()
    assert body == b'{"x":"\xc3\xa4"}'
    assert found == {
        **BARE,
        "Lambda-Runtime-Trace-Id": "Root=1-2;Sampled=1",
        "Lambda-Runtime-Client-Context": '{"a":"ä: b"}',
        "Lambda-Runtime-Cognito-Identity": "{}",
        "Lambda-Runtime-Aws-Tenant-Id": "t",
    }
    assert list(found) == list(BARE)


def test_a_result_leaves_with_the_question_for_more(both: Both) -> None:
    """One write: the response, as the extension words it, and the next request; again and again."""
    both.begin()
    for number, kind in enumerate(["application/json", "application/unknown"] * 2):
        result = b"r" * number
        both.client.post_invocation_result("id1", result, kind, None)
        both.say(ACCEPTED + event(b"%d" % number))
        assert both.client.next() == (b"%d" % number, BARE)
        assert both.heard() == response(result, kind.encode()) + NEXT


def test_an_error_leaves_with_the_question_for_more(both: Both) -> None:
    """With its cause for X-Ray in a header, where there is one."""
    both.begin()
    both.client.post_error("id1", '{"errorMessage":"ä"}', '{"x": "ä"}', None)
    both.say(ACCEPTED + event(b"{}"))
    both.client.next()
    cause = b'lambda-runtime-function-xray-error-cause: {"x": "\xc3\xa4"}\r\n'
    expected = response(b'{"errorMessage":"\xc3\xa4"}', path=b"error")
    assert both.heard() == expected.replace(AGENT, cause + AGENT) + NEXT
    both.client.post_error("id1", "{}", "", None)
    both.say(ACCEPTED + event(b"{}"))
    both.client.next()
    assert both.heard() == response(b"{}", path=b"error") + NEXT


def test_answers_come_in_any_pieces(both: Both) -> None:
    """Byte by byte or all at once: the same events."""
    both.begin()
    both.client.post_invocation_result("id1", b"1", "application/json", None)
    pieces = ACCEPTED + event(b"x" * 100)

    def drip() -> None:
        for at in range(len(pieces)):
            both.say(pieces[at : at + 1])

    thread = threading.Thread(target=drip)
    thread.start()
    assert both.client.next() == (b"x" * 100, BARE)
    thread.join()


def test_large_events_and_results_are_whole(both: Both) -> None:
    """Six megabytes both ways; a large result is accepted before anything else is asked."""
    big = os.urandom(6 << 20)
    heard: list[bytes] = []

    def node() -> None:
        both.say(event(big))
        expected = len(NEXT) + len(response(big))
        while sum(map(len, heard)) < expected:
            heard.append(both.heard())
        both.say(ACCEPTED)

    thread = threading.Thread(target=node)
    thread.start()
    assert both.client.next()[0] == big
    both.client.post_invocation_result("id1", big, "application/json", None)
    thread.join()
    assert b"".join(heard) == NEXT + response(big)


@pytest.mark.parametrize("why", ["others", "thread", "event"])
def test_a_result_does_not_wait_where_something_may_happen_before_the_next(
    both: Both, why: str
) -> None:
    """Somebody's own code in between, a thread that asks, much to be freed: it is sent and accepted at once."""
    both.begin(b"x" * (40_000 if why == "event" else 1))
    both.is_direct = why != "others"
    both.say(ACCEPTED)
    post = both.client.post_invocation_result
    if why == "thread":
        thread = threading.Thread(target=post, args=("id1", b"1", "application/json", None))
        thread.start()
        thread.join()
    else:
        post("id1", b"1", "application/json", None)
    assert both.heard() == response(b"1")
    both.say(event(b"2"))
    assert both.client.next() == (b"2", BARE)
    assert both.heard() == NEXT


def test_a_refusal_is_the_extensions_error(both: Both, capfd: pytest.CaptureFixture[str]) -> None:
    """A line on standard output and RuntimeError; from then on the extension speaks."""
    both.begin()
    both.say(REFUSED)
    size = 40_000
    with pytest.raises(RuntimeError, match=r"^Failed to post invocation response$"):
        both.client.post_invocation_result("id1", b"x" * size, "application/json", None)
    said = capfd.readouterr().out
    assert said.startswith("[ERROR] [")
    assert said.endswith(
        "] LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413. no\n\n"
    )
    assert both.client.next() == (b"theirs", {})


@pytest.mark.parametrize("kind", ["response", "error"])
def test_a_refusal_of_what_left_with_the_question(both: Both, kind: str) -> None:
    """It is heard where the next event was to come."""
    both.begin()
    if kind == "response":
        both.client.post_invocation_result("id1", b"{}", "application/json", None)
    else:
        both.client.post_error("id1", "{}", "", None)
    both.say(REFUSED)
    with pytest.raises(RuntimeError, match=f"^Failed to post invocation {kind}$"):
        both.client.next()


def test_no_event_is_the_extensions_error(both: Both, capfd: pytest.CaptureFixture[str]) -> None:
    """Refused, or hung up on while it waits."""
    both.say(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
    with pytest.raises(RuntimeError, match=r"^Failed to get next$"):
        both.client.next()
    out = capfd.readouterr().out
    assert out.endswith("LAMBDA_RUNTIME Failed to get next invocation. Http Response code: 403\n")
    other = Both()
    other.node.shutdown(socket.SHUT_WR)
    with pytest.raises(RuntimeError, match=r"^Failed to get next$"):
        other.client.next()
    other.node.close()


@pytest.mark.parametrize(
    "given",
    [
        ("id2", b"{}", "application/json", None),
        ("id1", b"{}", "text/plain\r\nx: y", None),
        ("id1", "{}", "application/json", None),
        ("id1", b"{}", "application/json", "other"),
        ("id1", b"{}", "application/json"),
    ],
)
def test_what_is_odd_is_left_to_the_extension(both: Both, given: tuple[Any, ...]) -> None:
    """Another id, type or number of arguments: nothing is guessed."""
    both.begin()
    both.client.post_invocation_result(*given)
    assert both.extension.calls == [("result", *given)]


@pytest.mark.parametrize("given", [("{}", "a\r\nb: c"), ("\udc80", ""), ("\0", ""), (b"{}", "")])
def test_odd_errors_are_left_to_the_extension(both: Both, given: tuple[Any, Any]) -> None:
    """What would not be one header, or is no text."""
    both.begin()
    both.client.post_error("id1", *given, None)
    assert both.extension.calls == [("error", "id1", *given, None)]


def test_a_socket_that_the_function_closed(both: Both) -> None:
    """The extension goes on, with the response that waited; a file under the same number is left alone."""
    both.begin()
    both.client.post_invocation_result("id1", b"{}", "application/json", None)
    fd = both.conversation._socket.fileno()
    reader, writer = os.pipe()
    os.dup2(writer, fd)
    try:
        assert both.client.next() == (b"theirs", {})
        assert both.extension.calls == [
            ("result", "id1", b"{}", "application/json", None),
            ("next",),
        ]
        os.write(fd, b"still mine")
        assert os.read(reader, 100) == b"still mine"
    finally:
        for opened in (fd, reader, writer):
            os.close(opened)


def test_a_node_that_is_gone(both: Both) -> None:
    """Nothing was sent, and no signal ended the process."""
    both.begin()
    both.node.close()
    with pytest.raises(NotSentError) as raised:
        both.conversation.next()
    assert isinstance(raised.value.__cause__, OSError)
    assert raised.value.__cause__.errno == errno.EPIPE
