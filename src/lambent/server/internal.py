"""The platform's own endpoints under ``/_lambent/``: health, fidelity, metrics, reset, and code downloads."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.http1.exchange import Exchange
from lambent.model.errors import AwsError, invalid_parameter
from lambent.server.fidelity import fidelity

_KNOWN = (
    "GET /_lambent/health, GET /_lambent/fidelity, GET /_lambent/metrics, GET /_lambent/sources, "
    "POST /_lambent/sources/UUID/replay, POST /_lambent/reset"
)
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_MAX_REPLAY_BYTES = 4096
_REPLAY = re.compile(rb"/_lambent/sources/([0-9a-f-]{36})/replay")
_CODE = re.compile(rb"/_lambent/code/([0-9a-f]{64})")


def is_open(exchange: Exchange) -> bool:
    """Whether an endpoint asks for no credentials: health, and code for who knows its digest."""
    path = exchange.target.partition(b"?")[0]
    return path == b"/_lambent/health" or _CODE.fullmatch(path) is not None


class Internal:
    """``health()`` gives the document; ``reset()`` empties everything, None where it is not allowed;

    ``read_code(sha256)`` gives a zip's bytes, or None; ``metrics()`` the text of a scrape; ``sources()`` how
    each event source mapping fares; ``replay(uuid, request)`` sets one of a stream back.
    """

    def __init__(
        self,
        health: Callable[[], Mapping[str, Any]],
        reset: Callable[[], Awaitable[None]] | None,
        read_code: Callable[[str], bytes | None],
        metrics: Callable[[], str] = lambda: "",
        sources: Callable[[], Awaitable[list[dict[str, Any]]]] | None = None,
        replay: Callable[[str, object], Awaitable[list[str]]] | None = None,
    ) -> None:
        self._health = health
        self._reset = reset
        self._read_code = read_code
        self._metrics = metrics
        self._sources = sources
        self._replay = replay

    async def serve(self, exchange: Exchange) -> None:
        """Answers one request."""
        path = exchange.target.partition(b"?")[0]
        code = _CODE.fullmatch(path)
        if code and exchange.method in (b"GET", b"HEAD"):
            await self._send_code(exchange, code[1].decode())
        elif path == b"/_lambent/health" and exchange.method in (b"GET", b"HEAD"):
            _send(exchange, 200, self._health())
        elif path == b"/_lambent/fidelity" and exchange.method in (b"GET", b"HEAD"):
            # On a thread: the first time it reads the models of every hosted service.
            loop = asyncio.get_running_loop()
            _send(exchange, 200, await loop.run_in_executor(None, fidelity))
        elif path == b"/_lambent/metrics" and exchange.method in (b"GET", b"HEAD"):
            exchange.respond(200, [("content-type", _PROMETHEUS)], self._metrics().encode())
        elif path == b"/_lambent/sources" and exchange.method in (b"GET", b"HEAD"):
            found = [] if self._sources is None else await self._sources()
            _send(exchange, 200, {"sources": found})
        elif (source := _REPLAY.fullmatch(path)) and exchange.method == b"POST":
            await self._serve_replay(exchange, source[1].decode())
        elif path == b"/_lambent/reset" and exchange.method == b"POST":
            await self._serve_reset(exchange)
        else:
            _send(exchange, 404, {"message": f"Known here: {_KNOWN}"})

    async def _serve_reset(self, exchange: Exchange) -> None:
        if self._reset is None:
            _send(exchange, 403, {"message": "Start the platform with: lambent up --allow-reset"})
            return
        await self._reset()
        _send(exchange, 200, {"status": "reset"})

    async def _serve_replay(self, exchange: Exchange, uuid: str) -> None:
        """Takes JSON that says it is: a page in a browser cannot send that here unasked."""
        kind = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if self._replay is None or kind != b"application/json":
            _send(exchange, 415, {"message": "A replay is asked for with application/json."})
            return
        try:
            if len(exchange.body) > _MAX_REPLAY_BYTES:
                raise invalid_parameter(
                    f"A replay's request has {_MAX_REPLAY_BYTES} bytes at most."
                )
            shards = await self._replay(uuid, json.loads(exchange.body))
        except AwsError as error:
            _send(exchange, error.status, {"code": error.code, "message": error.message})
        except (ValueError, RecursionError):
            _send(exchange, 400, {"message": "A replay's request is JSON."})
        else:
            _send(exchange, 200, {"shards": shards})

    async def _send_code(self, exchange: Exchange, sha256: str) -> None:
        loop = asyncio.get_running_loop()
        data = await loop.run_in_executor(None, self._read_code, sha256)
        if data is None:
            _send(exchange, 404, {"message": "No such code"})
        else:
            exchange.respond(200, [("content-type", "application/zip")], data)


def _send(exchange: Exchange, status: int, document: Mapping[str, Any]) -> None:
    body = json.dumps(document, indent=2).encode() + b"\n"
    exchange.respond(status, [("content-type", "application/json")], body)
