"""One request and the way to answer it: whole, or piece by piece."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Protocol

STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
_LAST_CHUNK = b"0\r\n\r\n"


def status_line(status: int) -> bytes:
    """``HTTP/1.1 200 OK`` and its line end."""
    return STATUS_LINES.get(status) or f"HTTP/1.1 {status} Status\r\n".encode()


class Answering(Protocol):
    """What an exchange asks of its connection."""

    @property
    def closed(self) -> bool: ...
    @property
    def peer(self) -> str: ...

    def finish(self, exchange: "Exchange", status: int, head: bytes, body: bytes) -> None: ...
    def begin(self, exchange: "Exchange", status: int, head: bytes) -> None: ...
    def send(self, data: bytes) -> bool: ...
    def end(self, exchange: "Exchange") -> None: ...
    def pause_body(self) -> None: ...
    def resume_body(self) -> None: ...
    def abort(self) -> None: ...


class Exchange:
    """One request and the way to answer it. ``headers`` has lower-case names; ``target`` is raw.

    Where ``streamed`` the body is still coming: its pieces go to ``on_body``, which is to be set by the
    handler, and its end to ``on_body_end``; trailers are in ``headers`` by then. Else ``body`` has it all.

    An answer in pieces is :meth:`begin`, any number of :meth:`write`, and :meth:`end`.
    """

    # What is so for most requests is said once, not set for each.
    _begun = _chunked = False
    body = b""
    held_bytes = 0
    keep_alive = True
    http_10 = too_large = streamed = False
    on_disconnect: Callable[[], None] | None = None
    on_writable: Callable[[], None] | None = None
    on_body: Callable[[bytes], None] | None = None
    on_body_end: Callable[[], None] | None = None

    def __init__(
        self, connection: Answering, method: bytes, target: bytes, headers: dict[bytes, bytes]
    ) -> None:
        self._connection: Answering | None = connection
        self.method = method
        self.target = target
        self.headers = headers

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """Answers with headers as pairs; ``content-length`` is added."""
        lines = [f"{name}: {value}\r\n" for name, value in headers]
        self.respond_raw(status, "".join(lines).encode("latin-1", "replace"), body)

    def respond_raw(self, status: int, head: bytes, body: bytes) -> None:
        """Answers with ready header lines (each ending in CRLF); where pieces were sent already, cuts them off."""
        if self._begun:
            self.cut()
            return
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.finish(self, status, head, body)

    def begin(self, status: int, head: bytes, length: int | None = None) -> None:
        """Sends the head of an answer whose body comes in pieces; of ``length`` bytes, if that is known.

        The body of an answer to HEAD has a length too, and no pieces.
        """
        if self._connection is None or self._begun:
            return
        self._begun = True
        # HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
        self._chunked = length is None and not self.http_10 and self.method != b"HEAD"
        self.keep_alive = self.keep_alive and not (length is None and self.http_10)
        framing = b"transfer-encoding: chunked\r\n" if self._chunked else b""
        if length is not None:
            framing = b"content-length: %d\r\n" % length
        self._connection.begin(self, status, head + framing)

    def write(self, data: bytes) -> bool:
        """Sends a piece; False when the client is slow to read: wait for ``on_writable`` then."""
        if self._connection is None or not data:
            return True
        return self._connection.send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def end(self) -> None:
        """Ends an answer in pieces."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._chunked:
                connection.send(_LAST_CHUNK)
            connection.end(self)

    def cut(self) -> None:
        """Breaks an answer in pieces off, so that the client sees it is not whole."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    def pause_body(self) -> None:
        """Has the client's body wait."""
        if self._connection is not None:
            self._connection.pause_body()

    def resume_body(self) -> None:
        """Has the client's body come on."""
        if self._connection is not None:
            self._connection.resume_body()

    @property
    def peer(self) -> str:
        """The client's address, ``127.0.0.1``; empty once it was answered."""
        return "" if self._connection is None else self._connection.peer

    @property
    def gone(self) -> bool:
        """Whether the client left before the answer, or was answered."""
        return self._connection is None or self._connection.closed
