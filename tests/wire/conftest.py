"""What the wire's tests share: valid parameters out of a model, and botocore as the other end."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import strategies as st

from lambent.model.http import HttpRequest, HttpResponse
from lambent.wire import models

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "protocols"
SIGNING = {"cloudwatch": "monitoring", "stepfunctions": "states"}
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cn", "Co")),
    max_size=12,
)
LABEL = st.text("abcdefghijklmnopqrstuvwxyzABC019-_.%/: +é", min_size=1, max_size=12)
HEADER = st.text("abcdefghijklmnopqrstuvwxyzABC019-_.%/:+=", min_size=1, max_size=12)


def authorization(service: str, key: str = "123456789012") -> str:
    """An ``Authorization`` header scoped to ``service``."""
    scope = f"{key}/20260131/eu-west-1/{SIGNING.get(service, service)}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00ff"


def to_request(serialized: dict[str, Any], service: str) -> HttpRequest:
    """What botocore serialised, as the server sees it on the wire."""
    query = serialized.get("query_string") or {}
    path, _, static = serialized["url_path"].partition("?")
    pairs = urlencode(query, doseq=True, quote_via=quote) if query else ""
    body = serialized["body"]
    if isinstance(body, dict):
        body = urlencode(body).encode()
    elif isinstance(body, str):
        body = body.encode()
    headers = {name.lower(): str(value) for name, value in serialized["headers"].items()}
    headers = {"host": "localhost:4566", "authorization": authorization(service), **headers}
    joined = "&".join(part for part in (static, pairs) if part)
    return HttpRequest(serialized["method"], path, joined, headers, bytes(body))


def values(shape: Any, location: str | None = None, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of ``shape``'s type, sized within its limits; patterns and enums are kept where
    cheap."""
    kind = shape.type_name
    metadata = shape.metadata
    if kind == "structure":
        return structures(shape, depth)
    if kind == "list":
        low = metadata.get("min", 0)
        size = {"min_size": low, "max_size": max(low, 2)}
        return st.lists(values(shape.member, location, depth + 1), **size)
    if kind == "map":
        keys = values(shape.key, location, depth + 1)
        return st.dictionaries(keys, values(shape.value, location, depth + 1), max_size=2)
    return scalars(shape, location)


def scalars(shape: Any, location: str | None) -> st.SearchStrategy[Any]:
    """A scalar's values, as the place it travels in can carry them."""
    metadata = shape.metadata
    match shape.type_name:
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            low = int(metadata.get("min", -1000))
            return st.integers(low, int(metadata.get("max", max(low, 1000))))
        case "float" | "double":
            least, most = float(metadata.get("min", -1000)), float(metadata.get("max", 1000))
            return st.floats(least, most, width=32)
        case "timestamp":
            seconds = st.integers(0, 4_000_000_000)
            return seconds.map(lambda at: datetime.fromtimestamp(at, UTC))
        case "blob":
            return st.binary(min_size=1, max_size=20)
        case _ if metadata.get("enum"):
            return st.sampled_from(metadata["enum"])
        case _:
            alphabets = {"uri": LABEL, "querystring": LABEL, "header": HEADER, "headers": HEADER}
            return alphabets.get(location or "", TEXT)


def structures(shape: Any, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Structures with all required members and some of the others; recursion ends after a few
    levels."""
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        wanted = name in shape.required_members
        if (depth > 3 and not wanted) or location == "statusCode":
            continue
        made = values(member, location, depth + 1)
        if location in ("header", "querystring", "headers") and member.type_name in ("list", "map"):
            continue  # empty ones do not travel; they have tests of their own
        (required if wanted or (shape.serialization.get("payload") == name) else optional)[name] = (
            made
        )
    return st.fixed_dictionaries(required, optional=optional)


@pytest.fixture(scope="session")
def serialize() -> Callable[..., HttpRequest]:
    """``serialize(service, operation, params, protocol=None)``: the request botocore would send."""

    def send(
        service: str, operation: str, params: dict[str, Any], protocol: str | None = None
    ) -> HttpRequest:
        model = models.operation_model(service, operation)
        name = protocol or model.service_model.metadata["protocol"]
        serializer = create_serializer(name, include_validation=False)
        return to_request(serializer.serialize_to_request(params, model), service)

    return send


@pytest.fixture(scope="session")
def parse() -> Callable[..., dict[str, Any]]:
    """``parse(service, operation, answer, protocol=None)``: what botocore makes of an answer."""

    def read(
        service: str, operation: str, answer: HttpResponse, protocol: str | None = None
    ) -> dict[str, Any]:
        model = models.operation_model(service, operation)
        parser = create_parser(protocol or model.service_model.metadata["protocol"])
        headers = HeadersDict(dict(answer.headers))
        streams = model.has_streaming_output
        body = BytesIO(answer.body) if streams else answer.body
        response = {"status_code": answer.status, "headers": headers, "body": body}
        parsed: dict[str, Any] = parser.parse(response, model.output_shape)
        for name, member in model.output_shape.members.items() if model.output_shape else ():
            if member.serialization.get("location") == "statusCode":
                assert parsed.pop(name) == answer.status
            elif streams and name == model.output_shape.serialization.get("payload"):
                parsed[name] = parsed[name].read()
        return parsed

    return read


@pytest.fixture(scope="session")
def params_of() -> Callable[[str, str], st.SearchStrategy[dict[str, Any]]]:
    """``params_of(service, operation)``: input parameters to draw."""

    def make(service: str, operation: str) -> st.SearchStrategy[dict[str, Any]]:
        return structures(models.operation_model(service, operation).input_shape, 0)

    return make


@pytest.fixture(scope="session")
def outputs_of() -> Callable[[str, str], st.SearchStrategy[dict[str, Any]]]:
    """``outputs_of(service, operation)``: outputs to draw."""

    def make(service: str, operation: str) -> st.SearchStrategy[dict[str, Any]]:
        shape = models.operation_model(service, operation).output_shape
        return structures(shape, 0) if shape is not None else st.just({})

    return make


@pytest.fixture(scope="session")
def signed() -> Callable[..., HttpRequest]:
    """``signed(service, method, path, body, query, **headers)``: a request by hand."""

    def make(
        service: str,
        method: str,
        path: str,
        body: bytes | dict[str, Any] = b"",
        query: str = "",
        headers: dict[str, str] | None = None,
    ) -> HttpRequest:
        raw = json.dumps(body).encode() if isinstance(body, dict) else body
        own = {"host": "localhost:4566", "authorization": authorization(service)}
        return HttpRequest(method, path, query, {**own, **(headers or {})}, raw)

    return make


@pytest.fixture(scope="session")
def golden() -> Callable[[str, str], list[dict[str, Any]]]:
    """``golden(direction, protocol)``: AWS's compliance suites, or a skip where they are not."""

    def load(direction: str, protocol: str) -> list[dict[str, Any]]:
        path = GOLDEN / direction / f"{protocol}.json"
        if not path.exists():
            pytest.skip("the shared compliance cases are not beside this checkout")
        suites: list[dict[str, Any]] = json.loads(path.read_text())
        return suites

    return load


@pytest.fixture(scope="session")
def b64() -> Callable[[bytes], str]:
    """Base64 text of bytes."""
    return lambda raw: base64.b64encode(raw).decode()
