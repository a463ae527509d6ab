"""A connection on a fake transport, and a reader of what was answered on it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from lambent.http1.exchange import Exchange
from lambent.http1.protocol import HttpProtocol
from lambent.testing.transport import FakeTransport


@dataclass
class Answer:
    """One response, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes


def parse_answers(data: bytes, bodiless: tuple[int, ...] = ()) -> list[Answer]:
    """The responses in ``data``; those whose position is in ``bodiless`` answer HEAD requests."""
    answers: list[Answer] = []
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        assert separator, "an answer's head is cut"
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        status = int(first.split(" ")[1])
        no_body = status in (100, 204) or len(answers) in bodiless
        length = 0 if no_body else int(headers["content-length"])
        answers.append(Answer(status, headers, data[:length]))
        assert len(data) >= length, "an answer's body is cut"
        data = data[length:]
    return answers


@dataclass
class Connection:
    """A protocol, its transport, and the exchanges it handed over."""

    answers_at_once: bool = False
    max_body_bytes: int = 1000
    discard_oversize: bool = False
    seen: list[Exchange] = field(default_factory=list)
    connections: set[HttpProtocol] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.protocol = HttpProtocol(
            self.handle, self.max_body_bytes, self.connections, self.discard_oversize
        )
        self.transport = FakeTransport(self.protocol)

    def handle(self, exchange: Exchange) -> None:
        """The handler under the protocol."""
        self.seen.append(exchange)
        if self.answers_at_once:
            exchange.respond(200, [("x-target", exchange.target.decode("latin-1"))], exchange.body)

    def feed(self, *pieces: bytes) -> "Connection":
        """Receives bytes as a transport hands them over: none once it is closed or paused."""
        for piece in pieces:
            if not self.transport.is_closing():
                self.protocol.data_received(piece)
        return self

    def answers(self, bodiless: tuple[int, ...] = ()) -> list[Answer]:
        """What was answered so far."""
        return parse_answers(bytes(self.transport.written), bodiless)

    def statuses(self) -> list[int]:
        """Only their status codes."""
        return [answer.status for answer in self.answers()]


@pytest.fixture
def connect() -> Callable[..., Connection]:
    """``connect(answers_at_once=True, …)`` on the running loop."""

    def make(**settings: bool | int) -> Connection:
        asyncio.get_running_loop()
        return Connection(**settings)  # type: ignore[arg-type]

    return make
