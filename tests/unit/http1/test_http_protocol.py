"""The server side of a connection: order, limits, and what is said to those who get it wrong."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from lambent.http1 import protocol as http1
from lambent.http1.bounds import MAX_HEAD_BYTES
from lambent.http1.exchange import Exchange
from lambent.testing.loop import on_loop, turns
from lambent.testing.transport import FakeTransport

GET = b"GET /%b HTTP/1.1\r\nhost: h\r\n\r\n"
Connect = Callable[..., Any]


def post(body: bytes, target: bytes = b"/", more: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\ncontent-length: %d\r\n%b\r\n%b" % (target, len(body), more, body)


@on_loop
async def test_a_request_is_handed_over_as_it_came(connect: Connect) -> None:
    """Method, raw target, lower-case names, joined repeats and the body reach the handler."""
    made = connect().feed(post(b"hello", b"/a%20b?c=%2F", b"X-Tag: 1\r\nx-TAG: 2\r\n"))
    (exchange,) = made.seen
    assert (exchange.method, exchange.target, exchange.body) == (b"POST", b"/a%20b?c=%2F", b"hello")
    assert exchange.headers == {b"content-length": b"5", b"x-tag": b"1, 2"}


@on_loop
async def test_a_connection_is_kept_for_the_next_request(connect: Connect) -> None:
    """Two requests one after the other are both answered on one open connection."""
    made = connect(answers_at_once=True).feed(GET % b"1").feed(GET % b"2")
    assert [a.headers["x-target"] for a in made.answers()] == ["/1", "/2"]
    assert not made.transport.is_closing()


@on_loop
async def test_connection_close_is_obeyed(connect: Connect) -> None:
    """A client that asks for it gets ``connection: close`` and then the end of the connection."""
    made = connect(answers_at_once=True).feed(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")
    assert made.answers()[0].headers["connection"] == "close"
    assert made.transport.is_closing()


@on_loop
async def test_http_1_0_closes_after_the_answer(connect: Connect) -> None:
    """HTTP/1.0 without keep-alive is answered once."""
    made = connect(answers_at_once=True).feed(b"GET / HTTP/1.0\r\n\r\n")
    assert made.statuses() == [200]
    assert made.transport.is_closing()


@on_loop
async def test_pipelined_requests_are_answered_in_order(connect: Connect) -> None:
    """The next request is handed over only after the one before it was answered."""
    made = connect().feed(GET % b"1" + GET % b"2" + GET % b"3")
    for number in (1, 2, 3):
        assert [e.target for e in made.seen] == [b"/%d" % n for n in range(1, number + 1)]
        made.seen[-1].respond(200, (), b"%d" % number)
    assert [a.body for a in made.answers()] == [b"1", b"2", b"3"]


@on_loop
async def test_a_flood_of_pipelined_requests_is_answered_without_depth(connect: Connect) -> None:
    """Ten thousand requests behind one slow one neither recurse nor get lost."""
    made = connect().feed(GET % b"" * 10_000)
    assert not made.transport.reading
    made.answers_at_once = True
    made.seen[0].respond(200)
    assert len(made.seen) == 10_000
    assert made.statuses() == [200] * 10_000
    assert made.transport.reading


@on_loop
async def test_a_second_answer_does_nothing(connect: Connect) -> None:
    """Only the first of two answers goes out."""
    (exchange,) = connect().feed(GET % b"").seen
    exchange.respond(200, (), b"first")
    exchange.respond(500, (), b"second")
    assert exchange.gone


@on_loop
async def test_a_second_answer_never_answers_the_next_request(connect: Connect) -> None:
    """An exchange answered twice leaves the request behind it alone."""
    made = connect().feed(GET % b"1" + GET % b"2")
    made.seen[0].respond(200)
    made.seen[0].respond(201)
    assert made.statuses() == [200]
    made.seen[1].respond(202)
    assert made.statuses() == [200, 202]


@on_loop
async def test_chunked_bodies_are_put_together(connect: Connect) -> None:
    """A chunked body arrives as one, in its order."""
    head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    made = connect().feed(head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")
    assert made.seen[0].body == b"abcde"


@on_loop
async def test_head_gets_the_length_and_no_body(connect: Connect) -> None:
    """HEAD is answered with the body's length but not the body, and the next answer is intact."""
    made = connect(answers_at_once=True)
    made.feed(b"HEAD /1 HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc" + GET % b"2")
    head, get = made.answers(bodiless=(0,))
    assert (head.headers["content-length"], head.headers["x-target"]) == ("3", "/1")
    assert get.headers["x-target"] == "/2"


@on_loop
async def test_204_has_neither_length_nor_body(connect: Connect) -> None:
    """A 204 says no content-length, as RFC 9110 demands."""
    made = connect().feed(GET % b"")
    made.seen[0].respond(204, [("a", "b")])
    assert made.answers()[0].headers == {"a": "b"}


@on_loop
async def test_a_large_answer_is_whole(connect: Connect) -> None:
    """A body beyond the inline size goes out unchanged."""
    made = connect().feed(GET % b"")
    made.seen[0].respond(200, (), bytes(200_000))
    assert made.answers()[0].body == bytes(200_000)


@on_loop
async def test_expect_continue_is_answered_before_the_body(connect: Connect) -> None:
    """A client that waits for 100 gets it, and its body is taken."""
    made = connect().feed(b"POST / HTTP/1.1\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
    assert made.statuses() == [100]
    made.feed(b"ab")
    assert made.seen[0].body == b"ab"


@on_loop
async def test_expect_continue_is_refused_for_too_large_a_body(connect: Connect) -> None:
    """Who asks first whether to send too much is told 413 instead of 100."""
    made = connect(max_body_bytes=10)
    made.feed(b"POST / HTTP/1.1\r\ncontent-length: 11\r\nexpect: 100-continue\r\n\r\n")
    assert made.statuses() == [413]
    assert made.transport.is_closing()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST / HTTP/1.1\r\ncontent-length: 11\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\nabcde\r\n",
    ],
    ids=["announced", "chunked"],
)
@on_loop
async def test_too_large_a_body_is_413(connect: Connect, request_bytes: bytes) -> None:
    """A body over the limit is refused at its announcement, or at the chunk that passes the limit."""
    made = connect(max_body_bytes=10).feed(request_bytes)
    assert made.statuses() == [413]
    assert made.transport.is_closing()
    assert not made.seen


@pytest.mark.parametrize("size", [10, 11, 5000])
@on_loop
async def test_discarded_oversize_reaches_the_handler_without_a_body(
    connect: Connect, size: int
) -> None:
    """With discard_oversize the handler learns of it, and the connection goes on."""
    made = connect(max_body_bytes=10, discard_oversize=True)
    made.feed(post(bytes(size)), GET % b"next")
    exchange = made.seen[0]
    assert exchange.too_large == (size > 10)
    assert exchange.body == (b"" if size > 10 else bytes(size))
    exchange.respond(200)
    assert made.seen[1].target == b"/next"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\na: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\na: " + b"b" * MAX_HEAD_BYTES * 2,
        b"GET / HTTP/1.1\r\n" + b"a" * MAX_HEAD_BYTES * 2,
    ],
    ids=["target", "one header", "many headers", "header without end", "name without end"],
)
@on_loop
async def test_too_large_a_head_is_431(connect: Connect, head: bytes) -> None:
    """However the head grows beyond its limit, even without an end, it is 431 and the end."""
    pieces = [head[at : at + 4096] for at in range(0, len(head), 4096)]
    made = connect(answers_at_once=True).feed(*pieces)
    assert made.statuses() == [431]
    assert made.transport.is_closing()
    assert not made.seen


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"hello\r\n\r\n",
        b"CONNECT h:1 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon here\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
@on_loop
async def test_garbage_is_400_and_the_end(connect: Connect, garbage: bytes) -> None:
    """What is no request, or could be read two ways, is answered 400 and nothing is handed over."""
    made = connect(answers_at_once=True).feed(garbage)
    assert made.statuses() == [400]
    assert made.transport.is_closing()
    assert not made.seen


@on_loop
async def test_garbage_behind_a_request_does_not_cost_its_answer(connect: Connect) -> None:
    """A request in work is answered before the garbage behind it is, in the order they came."""
    made = connect().feed(GET % b"1" + GET % b"2" + b"\x00garbage\r\n\r\n")
    assert made.statuses() == []
    made.seen[0].respond(200)
    made.seen[1].respond(201)
    assert made.statuses() == [200, 201, 400]
    assert made.transport.is_closing()


@on_loop
async def test_nothing_is_said_after_the_last_answer(connect: Connect) -> None:
    """Bytes behind a request that closed the connection are dropped in silence."""
    made = connect(answers_at_once=True)
    made.feed(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n" + GET % b"more")
    assert made.statuses() == [200]


@on_loop
async def test_an_offer_to_upgrade_is_ignored(connect: Connect) -> None:
    """A request that offers h2c, as some clients always do, is served once, as HTTP/1.1."""
    offer = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
    made = connect(answers_at_once=True).feed(post(b"abc", b"/1", offer) + GET % b"2")
    assert [a.headers["x-target"] for a in made.answers()] == ["/1", "/2"]
    assert [e.body for e in made.seen] == [b"abc", b""]


@on_loop
async def test_a_client_that_leaves_is_noticed(connect: Connect) -> None:
    """on_disconnect is called once when the client goes, and an answer then goes nowhere."""
    made = connect().feed(GET % b"1" + GET % b"2")
    left: list[str] = []
    exchange = made.seen[0]
    exchange.on_disconnect = lambda: left.append("gone")
    assert not exchange.gone
    made.transport.leave()
    assert left == ["gone"]
    assert exchange.gone
    exchange.respond(200)
    assert made.answers() == []
    assert len(made.seen) == 1
    assert not made.connections


@on_loop
async def test_an_answered_client_may_leave_unnoticed(connect: Connect) -> None:
    """on_disconnect is not called for an exchange that was answered."""
    made = connect().feed(GET % b"")
    left: list[str] = []
    made.seen[0].on_disconnect = lambda: left.append("gone")
    made.seen[0].respond(200)
    made.transport.leave()
    assert left == []


@on_loop
async def test_a_failing_handler_is_500_and_reported() -> None:
    """A handler's exception is answered 500, never blamed on the client, and reaches the loop."""
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def fail(exchange: Exchange) -> None:
        raise ValueError("a bug")

    protocol = http1.HttpProtocol(fail, 10, set(), False)
    transport = FakeTransport(protocol)
    protocol.data_received(GET % b"1" + GET % b"2")
    assert transport.written.count(b"HTTP/1.1 500 ") == 2
    assert [str(context["exception"]) for context in reported] == ["a bug", "a bug"]


class _FakeLoop:
    """Takes timers and never calls them."""

    def __init__(self) -> None:
        self.timers: list[float] = []

    def call_later(self, delay_s: float, *_: Any) -> asyncio.TimerHandle:
        self.timers.append(delay_s)
        return asyncio.get_running_loop().call_later(1e6, print)


@pytest.mark.parametrize(("age_s", "statuses"), [(59, []), (61, [408])])
@on_loop
async def test_half_a_request_has_a_deadline(
    connect: Connect, age_s: float, statuses: list[int]
) -> None:
    """A request still unfinished after its deadline is answered 408; before it, looked at again."""
    made = connect().feed(b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nab")
    made.protocol._reader._started_s -= age_s
    loop = _FakeLoop()
    made.protocol._check_deadlines(cast("asyncio.AbstractEventLoop", loop))
    assert made.statuses() == statuses
    assert made.transport.is_closing() == bool(statuses)
    assert len(loop.timers) == (not statuses)


@pytest.mark.parametrize("in_work", [False, True])
@on_loop
async def test_only_an_idle_connection_grows_too_old(connect: Connect, in_work: bool) -> None:
    """A silent kept-alive connection is closed in time; one whose answer is in work never is."""
    made = connect(answers_at_once=not in_work).feed(GET % b"")
    made.protocol._active_s -= http1.IDLE_DEADLINE_S + 1
    made.protocol._check_deadlines(cast("asyncio.AbstractEventLoop", _FakeLoop()))
    assert made.transport.is_closing() == (not in_work)


@on_loop
async def test_an_orderly_stop_lets_the_answer_out(connect: Connect) -> None:
    """close_when_idle closes an idle connection now, and one in work after its answer."""
    idle = connect(answers_at_once=True).feed(GET % b"")
    idle.protocol.close_when_idle()
    assert idle.transport.is_closing()
    working = connect().feed(GET % b"")
    working.protocol.close_when_idle()
    assert not working.transport.is_closing()
    working.seen[0].respond(200)
    assert working.answers()[0].headers["connection"] == "close"
    assert working.transport.is_closing()
    await turns()
    assert not working.connections
