"""The AWS API of neighbours, for the platform's own parts: pollers of streams, code from S3.

Requests and answers are botocore's (its serialisers and parsers); in between is the loop's HTTP client.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, urlencode

from lambent.http1.client import HttpFailure
from lambent.model.errors import ClientFault, PlatformFault, not_yet
from lambent.model.http import HttpRequest
from lambent.neighbours.forwarding import Neighbours
from lambent.wire.models import operation_model

DEADLINE_S: Final = 60.0
"""POLICY: of one call, with its answer; the embedded neighbour may have to start for it."""
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""POLICY: several times the most records that a call gives (10 MB of Kinesis)."""


class NeighbourApi:
    """Is an :class:`~lambent.sources.contract.AwsApi` of the services that neighbours serve."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        account_id: str,
        region: str,
        deadline_s: float = DEADLINE_S,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Mapping[str, Any]:
        """The operation's output; a streaming body is ``bytes``.

        Raises AwsError: the service's own, 501 where nobody serves it, 503 after the deadline or where
        the answer is larger than ``max_bytes``.
        """
        model = operation_model(service, operation)
        if model is None or not self._neighbours.serves(service):
            raise not_yet(f"{service}:{operation}")
        request = _request(model, parameters, account_id, region)
        try:
            async with asyncio.timeout(deadline_s):
                sent = await self._neighbours.send(service, request, account_id, region)
                try:
                    body = await sent.answer.read(max_bytes)
                finally:
                    sent.answer.close()
        except TimeoutError as error:
            text = f"{service}:{operation} did not answer within {deadline_s:g} s."
            raise PlatformFault(text, "ServiceUnavailable", 503) from error
        except HttpFailure as failure:
            text = f"{service}:{operation} failed: {failure}."
            raise PlatformFault(text, "ServiceUnavailable", 503) from failure
        return _output(model, sent.answer.status, dict(sent.answer.headers), body)


def _request(
    model: Any, parameters: Mapping[str, Any], account_id: str, region: str
) -> HttpRequest:
    from botocore.exceptions import ParamValidationError  # noqa: PLC0415 - the platform starts without

    service = model.service_model
    try:
        made = _serializer(_protocol(service)).serialize_to_request(dict(parameters), model)
    except ParamValidationError as error:
        raise ClientFault("ValidationException", str(error)) from error
    body = made["body"] or b""
    query = made.get("query_string") or {}
    text = query if isinstance(query, str) else urlencode(query, quote_via=quote, doseq=True)
    path, _, fixed = made["url_path"].partition("?")
    headers = {name.lower(): str(value) for name, value in made["headers"].items()}
    # Nobody verifies the embedded neighbour's; for a real endpoint it is made anew.
    scope = f"{account_id}/{datetime.now(UTC):%Y%m%d}/{region}/{service.signing_name}/aws4_request"
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
    )
    headers["host"] = "localhost"
    return HttpRequest(
        made["method"],
        path,
        "&".join(part for part in (fixed, text) if part),
        headers,
        body.encode() if isinstance(body, str) else bytes(body),
    )


def _output(model: Any, status: int, headers: dict[str, str], body: bytes) -> Mapping[str, Any]:
    from botocore.parsers import create_parser  # noqa: PLC0415

    parser = create_parser(_protocol(model.service_model))
    streams = model.has_streaming_output and status < 300
    given = {
        "status_code": status,
        "headers": headers,
        "body": b"" if streams else body,
        "context": {},
    }
    try:
        parsed = dict(parser.parse(given, model.output_shape))
    except Exception as error:  # botocore's parsers raise what their inputs happen to break
        text = f"{model.service_model.service_name}:{model.name} answered what cannot be read."
        raise PlatformFault(text, "ServiceUnavailable", 503) from error
    if status >= 300:
        told: Mapping[str, Any] = parsed.get("Error") or {}
        raise ClientFault(str(told.get("Code", status)), str(told.get("Message", "")), status)
    parsed.pop("ResponseMetadata", None)
    if streams:
        parsed[model.output_shape.serialization["payload"]] = body
    return parsed


def _protocol(service: Any) -> str:
    return str(service.resolved_protocol)


@lru_cache(maxsize=8)
def _serializer(protocol: str) -> Any:
    from botocore.serialize import create_serializer  # noqa: PLC0415

    return create_serializer(protocol, include_validation=True)
