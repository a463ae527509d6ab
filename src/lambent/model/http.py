"""HTTP requests and answers as values, without I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, whole.

    ``path`` is raw (still percent-encoded, no query); ``query`` is what stands after ``?`` or "".
    ``headers`` has lower-case names; a repeated header is joined by ``", "``.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One answer. ``content-length`` is added by the server; ``headers`` are (name, value) pairs."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
