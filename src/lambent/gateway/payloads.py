"""Payload format 2.0: an HTTP request as the event, and a function's result as the HTTP answer.

Pure. Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html ("Request and response
payloads"), which function URLs share with HTTP APIs.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from lambent.model.http import HttpRequest, HttpResponse

_JSON = "application/json"
_TEXT = re.compile(r"(text/.*|application/(.*\+)?(json|xml)|application/javascript)", re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OF_THE_CONNECTION = frozenset(
    [
        *("connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    ]
)
WITHOUT_BODY = frozenset({204, 205, 304})
"""Source: RFC 9110; a body behind one of these would be taken for the next answer."""


class MalformedResponseError(Exception):
    """What the function answered is no answer of format 2.0; the caller gets 502."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request arrived and whose it is: the parts of ``requestContext`` that no header tells.

    ``authorizer`` is None where nobody was authenticated; ``received`` is aware.
    """

    request_id: str
    account_id: str
    api_id: str
    domain_name: str
    source_ip: str
    received: datetime
    route_key: str = "$default"
    stage: str = "$default"
    authorizer: Mapping[str, Any] | None = None


def encode_event(request: HttpRequest, origin: Origin) -> bytes:
    """The event as JSON.

    AWS: ``cookies``, ``queryStringParameters`` and ``body`` are left out when there are none; a
    repeated parameter's values are joined by a comma.
    """
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": origin.route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
    }
    headers = dict(request.headers)
    cookies = headers.pop("cookie", None)
    if cookies is not None:
        event["cookies"] = [one.strip() for one in re.split("[;,]", cookies) if one.strip()]
    event["headers"] = headers
    parameters = _parameters(request.query)
    if parameters:
        event["queryStringParameters"] = parameters
    event["requestContext"] = _context(request, origin)
    if request.body:
        event["body"], event["isBase64Encoded"] = encode_body(
            request.body, request.headers.get("content-type")
        )
    else:
        event["isBase64Encoded"] = False
    return msgspec.json.encode(event)


def encode_body(body: bytes, content_type: str | None) -> tuple[str, bool]:
    """The body as text, or in base64 and True.

    AWS: text is what its type says is text, JSON, XML or JavaScript; forms are in base64. Best known:
    so is what says nothing, and text that is no UTF-8.
    """
    if content_type and _TEXT.fullmatch(content_type.partition(";")[0].strip()):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def decode_result(payload: bytes) -> HttpResponse:
    """The answer a function's result means.

    An object with ``statusCode`` says everything itself; any other JSON is the body of a 200 in JSON.
    Raises MalformedResponseError for wrong types, and for what cannot be sent.
    """
    try:
        result = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedResponseError(str(error)) from error
    if not isinstance(result, dict) or "statusCode" not in result:
        return HttpResponse(200, [("content-type", _JSON)], payload)
    status, body = _status(result["statusCode"]), _body(result)
    return HttpResponse(status, _headers(result), b"" if status in WITHOUT_BODY else body)


def decode_prelude(prelude: bytes) -> HttpResponse:
    """Status and headers that a function streams ahead of its body, without any of it.

    Raises MalformedResponseError. Best known: nothing has to be said, and bytes are what follows.
    """
    try:
        result = msgspec.json.decode(prelude)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedResponseError(str(error)) from error
    if not isinstance(result, dict):
        raise MalformedResponseError("the prelude is no object")
    status = _status(result.get("statusCode", 200))
    return HttpResponse(status, _headers(result, "application/octet-stream"), b"")


def _parameters(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _context(request: HttpRequest, origin: Origin) -> dict[str, Any]:
    context: dict[str, Any] = {
        "accountId": origin.account_id,
        "apiId": origin.api_id,
        "domainName": origin.domain_name,
        "domainPrefix": origin.domain_name.partition(".")[0],
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": origin.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": origin.request_id,
        "routeKey": origin.route_key,
        "stage": origin.stage,
        "time": f"{origin.received.astimezone(UTC):%d/%b/%Y:%H:%M:%S} +0000",
        "timeEpoch": int(origin.received.timestamp() * 1000),
    }
    if origin.authorizer is not None:
        context |= {"authentication": None, "authorizer": origin.authorizer}
    return context


def _status(given: Any) -> int:
    """AWS takes numbers as text too. Best known: what is no final status is malformed."""
    if isinstance(given, str) and re.fullmatch("[0-9]{3}", given):
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or not 200 <= given <= 599:
        raise MalformedResponseError(f"statusCode {given!r}")
    return given


def _headers(result: Mapping[str, Any], default_type: str = _JSON) -> list[tuple[str, str]]:
    given, cookies = result.get("headers") or {}, result.get("cookies") or []
    if not isinstance(given, dict) or not isinstance(cookies, list):
        raise MalformedResponseError("headers are an object, cookies a list")
    pairs = [_pair(name, value) for name, value in given.items()]
    if not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.insert(0, ("content-type", default_type))
    return pairs + [_pair("set-cookie", cookie) for cookie in cookies]


def _pair(name: str, value: Any) -> tuple[str, str]:
    if isinstance(value, bool | int | float):
        value = json.dumps(value)
    if not isinstance(value, str) or not _TOKEN.fullmatch(name) or _UNSAFE.search(value):
        raise MalformedResponseError(f"the header {name!r}")
    if name.lower() in _OF_THE_CONNECTION:
        name = f"x-amzn-remapped-{name.lower()}"  # AWS: headers of the connection are not the function's
    return name, value


def _body(result: Mapping[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResponseError("body is no text")
    try:
        if result.get("isBase64Encoded") is True:
            return base64.b64decode(body.replace("\n", ""), validate=True)
        return body.encode()
    except (binascii.Error, ValueError) as error:
        raise MalformedResponseError("body is not what it says") from error
