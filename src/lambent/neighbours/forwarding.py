"""Requests for services that Lambent does not host, sent on to who serves them, and the answers back.

The request's body is whole (the edge bounds it); the answer's comes in pieces at the client's pace.
"""

import asyncio
import ssl
from collections.abc import Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lambent.http1.client import HttpAnswer, HttpFailure, Server, send
from lambent.http1.exchange import Exchange
from lambent.http1.flow import Outflow
from lambent.model.call import Caller
from lambent.model.errors import AwsError, ClientFault, PlatformFault, not_yet
from lambent.model.http import HttpRequest
from lambent.neighbours import routing
from lambent.neighbours.moto_process import MotoProcess, moto_directory, moto_serves
from lambent.neighbours.routing import Endpoint
from lambent.neighbours.signing import OperatorCredentials, sign
from lambent.neighbours.write_signal import Watch, WriteSignal

MOTO = "moto"


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer, and who gave it."""

    answer: HttpAnswer
    neighbour: str


class Neighbours:
    """``hosted`` is never forwarded, whatever is configured. ``embedded``: whether moto serves the rest."""

    def __init__(
        self,
        hosted: Collection[str],
        endpoints: Mapping[str, Endpoint],
        log_path: Path,
        *,
        embedded: bool,
        credentials: OperatorCredentials | None = None,
    ) -> None:
        self._hosted = frozenset(hosted)
        self._endpoints = {name: one for name, one in endpoints.items() if not one.is_broker}
        self._brokers = {name: one for name, one in endpoints.items() if one.is_broker}
        self._moto = MotoProcess(log_path) if embedded else None
        self._written = WriteSignal()
        self._credentials = credentials or OperatorCredentials()
        self._tls: ssl.SSLContext | None = None

    def serves(self, service: str) -> bool:
        """Whether requests for a service (botocore's name) go to a neighbour."""
        if service in self._hosted:
            return False
        return service in self._endpoints or (self._moto is not None and moto_serves(service))

    def is_embedded(self, service: str) -> bool:
        """Whether a service that a neighbour serves is emulated in memory."""
        return service not in self._endpoints

    def writes(self, service: str, name: str) -> Watch | None:
        """What tells of writes to a stream (or a table's, by the table); None where others write unnoticed."""
        embedded = service not in self._endpoints and service not in self._hosted
        return self._written.watch(service, name) if embedded else None

    def describe(self) -> Mapping[str, Any]:
        """For the health document."""
        embedded: dict[str, Any] | None = None
        if self._moto is not None:
            installed = moto_directory() is not None
            embedded = {"name": MOTO, "installed": installed} | self._moto.describe()
        return {
            "embedded": embedded,
            "endpoints": {
                service: one.url for service, one in (self._endpoints | self._brokers).items()
            },
        }

    async def serve(
        self, exchange: Exchange, request: HttpRequest, service: str, caller: Caller
    ) -> None:
        """Answers one request of a client. Raises AwsError while nothing of the answer was sent."""
        sent = await self.send(service, request, caller.account_id, caller.region)
        try:
            await _pass_on(exchange, sent)
        finally:
            sent.answer.close()

    async def send(self, service: str, request: HttpRequest, account_id: str, region: str) -> Sent:
        """Sends a request on; the answer is to be closed. Raises AwsError (501, 503, 504)."""
        request = routing.in_path_style(service, request)
        endpoint = self._endpoints.get(service)
        if endpoint is not None:
            return await self._send_to(endpoint, service, request, region)
        if self._moto is None:
            raise not_yet(service)
        sent = await self._send_to_moto(self._moto, request, account_id)
        self._written.sent(service, request)
        return sent

    async def _send_to_moto(self, moto: MotoProcess, request: HttpRequest, account_id: str) -> Sent:
        if routing.is_of_moto_itself(request):
            raise ClientFault("AccessDeniedException", "This path is moto's own.", 403)
        headers = routing.forwarded_headers(request)
        host = request.headers.get("host", "localhost")
        headers += [("host", host), ("x-moto-account-id", account_id)]
        server = await moto.server()
        target = routing.target_of(request)
        try:
            return Sent(await send(server, request.method, target, headers, request.body), MOTO)
        except HttpFailure as failure:
            await asyncio.sleep(0)  # the loop may hear of its end only now
            raise moto.lost() if moto.state == "ended" else _failed(MOTO, failure) from failure

    async def _send_to(
        self, endpoint: Endpoint, service: str, request: HttpRequest, region: str
    ) -> Sent:
        request = replace(request, query=routing.without_signature(request.query))
        if request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-AWS4-"):
            raise not_yet("bodies signed in chunks, for a neighbour at a real endpoint,")
        headers = routing.forwarded_headers(request, signature=False)
        target = routing.target_of(request)
        if endpoint.signed:
            credentials = await self._credentials.get()
            headers = sign(
                service,
                region,
                request.method,
                endpoint.url + target,
                headers,
                request.body,
                credentials,
            )
        headers = [*headers, ("host", endpoint.host_header)]
        tls = await self._tls_context() if endpoint.tls else None
        server = Server(endpoint.host, endpoint.port, tls)
        try:
            answer = await send(server, request.method, target, headers, request.body)
        except HttpFailure as failure:
            raise _failed(endpoint.url, failure) from failure
        return Sent(answer, endpoint.url)

    async def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:  # on a thread: it reads the host's certificates
            loop = asyncio.get_running_loop()
            self._tls = await loop.run_in_executor(None, ssl.create_default_context)
        return self._tls

    async def reset(self) -> None:
        """Forgets what the embedded neighbour holds."""
        if self._moto is not None:
            await self._moto.reset()

    async def close(self) -> None:
        """Stops the embedded neighbour."""
        if self._moto is not None:
            await self._moto.close()


async def _pass_on(exchange: Exchange, sent: Sent) -> None:
    answer = sent.answer
    headers = routing.returned_headers(answer.headers, sent.neighbour)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
    if answer.status in {204, 304}:
        exchange.respond_raw(answer.status, head, b"")
        return
    task = asyncio.current_task()

    def leave() -> None:
        if task is not None:
            task.cancel()

    flow = Outflow(exchange, leave)
    exchange.begin(answer.status, head, answer.length)
    try:
        async with aclosing(answer.pieces()) as pieces:
            async for piece in pieces:
                await flow.write(piece)
    except HttpFailure:
        exchange.cut()
        return
    exchange.end()


def _failed(neighbour: str, failure: HttpFailure) -> AwsError:
    return PlatformFault(f"The neighbour {neighbour} failed: {failure}.", "ServiceUnavailable", 503)
