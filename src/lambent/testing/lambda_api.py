"""Lambda's control API in this process, spoken to in bytes.

Botocore's serializer, the router and decoder, an operation, the encoder, botocore's parser.

There is no HTTP server and no sandbox. What a bug raises inside an operation comes through, where the
server would answer 500.
"""

import io
import json
import re
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import HeadersDict, prepare_request_dict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from lambent.control import lifecycle
from lambent.control.plane import ControlPlane
from lambent.control.registry import OPERATIONS
from lambent.model.call import Call
from lambent.model.errors import AwsError
from lambent.model.event_source_mapping import EventSourceMapping
from lambent.model.http import HttpRequest, HttpResponse
from lambent.neighbours.code_objects import names_object
from lambent.server.code_sources import image_uri
from lambent.server.operations import Operations
from lambent.store.code import CodeStore
from lambent.store.database import Database
from lambent.testing.code_bucket import CodeBucket
from lambent.testing.fake_images import FakeImages
from lambent.wire import codec, router
from lambent.wire.models import operation_model

ACCOUNT, REGION = "000000000000", "us-east-1"
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ENDPOINT = "http://127.0.0.1:4566"
_SCOPE = f"{ACCOUNT}/20260131/{REGION}/lambda/aws4_request"
_SIGNED = f"AWS4-HMAC-SHA256 Credential={_SCOPE}, SignedHeaders=host, Signature=00"
_PLACEHOLDER = re.compile(r"<(\w+)>")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and what botocore's client would give for it (``ResponseMetadata`` apart)."""

    status: int
    parsed: Mapping[str, Any]
    body: bytes


class FakeSources:
    """Event sources that are there, whatever their ARN: queues with a visibility timeout of 30 s."""

    kinds: Collection[str] = ("sqs",)

    def describe(self, arn: str, account_id: str, region: str) -> Mapping[str, Any]:
        """A queue's facts."""
        del arn, account_id, region
        return {"VisibilityTimeout": "30"}

    def changed(self, mapping: EventSourceMapping) -> None:
        """Nothing is polled."""


@dataclass
class LambdaApi:
    """The API over a control plane; ``ids`` fills ``<name>`` in parameters and expectations.

    The clock stands at ``NOW``, so that times in answers are known. Made by :meth:`on`.
    """

    plane: ControlPlane
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._operations = Operations({"lambda": (OPERATIONS, self.plane)})

    @classmethod
    def on(cls, folder: Path, ids: Mapping[str, str] | None = None) -> "LambdaApi":
        """On a folder's records, on an x86_64 host, which need not outlast this one. To be closed."""
        database = Database(folder)
        database.connection.execute("PRAGMA synchronous=OFF")
        plane = ControlPlane(
            database,
            CodeStore(folder / "code"),
            lambda: NOW,
            lambda _: None,
            architecture="x86_64",
            destination_services=("lambda", "sqs", "sns"),
            sources=FakeSources(),
            runtime_build=lambda _: "0" * 64,
            images=FakeImages(),
        )
        return cls(plane, dict(ids or {}))

    def close(self) -> None:
        """Closes the records."""
        self.plane.database.close()

    def call(self, operation: str, parameters: Mapping[str, Any], *, drain: bool = True) -> Reply:
        """One call of a client, and unless ``drain`` is False the work it left."""
        answer = self.answer(serialized(operation, filled(parameters, self.ids)), drain=drain)
        return parsed(operation, answer)

    def must(self, operation: str, parameters: Mapping[str, Any], **more: Any) -> Mapping[str, Any]:
        """The output of a call. Raises AssertionError when it is refused."""
        reply = self.call(operation, parameters, **more)
        if reply.status >= 300:
            raise AssertionError(f"{operation} was refused: {reply.body!r}")
        return reply.parsed

    def answer(self, request: HttpRequest, *, drain: bool = True) -> HttpResponse:
        """What the server answers to a request."""
        target = None
        try:
            target = router.identify(request)
            call = _with_object(self._with_image(codec.decode(request, "request-1", target)))
            result = self._operations.find(call)(call)
            answer = codec.encode_result(target, result, "request-1")
        except AwsError as error:
            answer = codec.encode_error(target or router.guess(request), error, "request-1")
        if drain:
            lifecycle.drain(self.plane)
        return answer

    def _with_image(self, call: Call) -> Call:
        uri = image_uri(call)
        if not uri:
            return call
        return replace(call, fetched_code=self.images.find(uri))

    @property
    def images(self) -> FakeImages:
        """The images there are."""
        images = self.plane.images
        if not isinstance(images, FakeImages):
            raise TypeError("a plane of a test's own")
        return images


def _with_object(call: Call) -> Call:
    """As the edge has it: with what S3 has of the code that it names."""
    if call.fetched_code is not None or not names_object(call.operation, call.parameters):
        return call
    bucket = CodeBucket(zip_of({"app.py": "def handler(event, context): return event"}))
    return replace(call, fetched_code=bucket.fetch(call.operation, call.parameters))


def filled(value: Any, ids: Mapping[str, str]) -> Any:
    """``value`` with the ids in place of their ``<name>``."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: ids.get(match[1], match[0]), value)
    if isinstance(value, Mapping):
        return {filled(key, ids): filled(item, ids) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, ids) for item in value]
    return value


def serialized(operation: str, parameters: Mapping[str, Any]) -> HttpRequest:
    """The request botocore's client sends, without its own checks."""
    model = operation_model("lambda", operation)
    serializer = create_serializer("rest-json", include_validation=False)
    request = serializer.serialize_to_request(dict(parameters), model)
    prepare_request_dict(request, ENDPOINT)
    url = urlsplit(request["url"])
    headers = {name.lower(): str(value) for name, value in request["headers"].items()}
    headers = {"host": url.netloc, "authorization": _SIGNED} | headers
    body = request["body"]
    raw = body.encode() if isinstance(body, str) else bytes(body or b"")
    return HttpRequest(request["method"], url.path, url.query, headers, raw)


def parsed(operation: str, answer: HttpResponse) -> Reply:
    """What botocore's client reads in an answer."""
    model = operation_model("lambda", operation)
    body: Any = answer.body
    if model.has_streaming_output and answer.status < 300:
        body = io.BytesIO(answer.body)
    given = {
        "status_code": answer.status,
        "headers": HeadersDict(dict(answer.headers)),
        "body": body,
    }
    read = create_parser("rest-json").parse(given, model.output_shape)
    read.pop("ResponseMetadata")
    return Reply(answer.status, read, answer.body)


def with_body(request: HttpRequest, body: Any) -> HttpRequest:
    """The request with another JSON body."""
    return replace(request, body=json.dumps(body).encode())


def zip_of(files: Mapping[str, str]) -> bytes:
    """A zip with these files, the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()
