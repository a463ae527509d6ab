"""How the Extensions API and the Telemetry API answer: refusals in AWS's form, and what is accepted.

Source: the ``rapi`` package of AWS's runtime interface emulator (``handler/constants.go``, ``rendering``): every
refusal of theirs is a 403 with a type.
"""

import json
from typing import Any

from lambent.http1.exchange import Exchange

_JSON = b"content-type: application/json\r\n"
_ACCEPTED = b'{"status":"OK"}\n'


class Refusal(Exception):
    """A request that is answered with an error; nothing changed."""

    def __init__(self, error_type: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.status = status


def refuse(exchange: Exchange, refusal: Refusal) -> None:
    """The error as a JSON document."""
    document = {"errorMessage": str(refusal), "errorType": refusal.error_type}
    answer(exchange, document, status=refusal.status)


def accept(exchange: Exchange) -> None:
    """202, as errors that are told are answered."""
    exchange.respond_raw(202, _JSON, _ACCEPTED)


def answer(exchange: Exchange, document: Any, head: str = "", status: int = 200) -> None:
    """A JSON document; ``head``: further header lines, each ending in CRLF."""
    body = json.dumps(document, separators=(",", ":")).encode()
    exchange.respond_raw(status, _JSON + head.encode("latin-1"), body)


def header(exchange: Exchange, name: str) -> str:
    """A header of the request; empty when it is missing."""
    return exchange.headers.get(name.lower().encode(), b"").decode("latin-1").strip()


def read_object(exchange: Exchange) -> dict[str, Any]:
    """The request's body, which is to be a JSON object. Raises ValueError with the reason."""
    if exchange.too_large:
        raise ValueError("the request is too large")
    try:
        document = json.loads(exchange.body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the request is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ValueError("the request is not a JSON object")  # noqa: TRY004 - one error for all
    return document
