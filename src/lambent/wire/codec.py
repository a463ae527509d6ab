"""Bytes → ``Call`` and ``Result | AwsError`` → bytes, in whatever protocol the caller speaks.

1. ``decode`` raises nothing but ``AwsError``.
2. Every answer carries the request id.
3. What is encoded is what the operation said, or ``ValueError``: no member gets lost.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from lambent.model.call import Call, Caller, Result
from lambent.model.errors import AwsError, not_yet
from lambent.model.http import HttpRequest, HttpResponse
from lambent.wire import (
    aws_json,
    errors,
    models,
    query,
    rest_json,
    rest_xml,
    router,
    rpc_v2_cbor,
    sqs_query,
)
from lambent.wire.content_encoding import inflate
from lambent.wire.faults import unknown_operation
from lambent.wire.router import Target
from lambent.wire.sigv4_scope import parse_scope
from lambent.wire.validation import validate

DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"


class Codec(Protocol):
    """One protocol."""

    def decode_input(
        self, operation: Any, request: HttpRequest, labels: Mapping[str, str]
    ) -> dict[str, Any]:
        """The parameters of ``operation``, not validated."""

    def encode_output(self, operation: Any, result: Result, request_id: str) -> HttpResponse:
        """The answer, without the request id's header."""

    def encode_error(self, service: str, error: AwsError, request_id: str) -> HttpResponse:
        """The answer that says ``error``; ``service`` is "" when unknown."""


_CODECS: Mapping[str, Codec] = {
    "json": aws_json,
    "query": query,
    "rest-json": rest_json,
    "rest-xml": rest_xml,
    "smithy-rpc-v2-cbor": rpc_v2_cbor,
}


def decode(request: HttpRequest, request_id: str, target: Target | None = None) -> Call:
    """The validated call ``request`` makes; ``target`` is what ``router.identify`` said, if asked
    before.

    The caller is who the SigV4 scope claims: nothing is verified here.

    Raises ``AwsError``: 501 ``UnknownOperationException``, 400 ``SerializationException`` or
    ``ValidationException``, 501 for event streams that come in; those that go out are framed by
    :mod:`lambent.wire.event_stream`.
    """
    target = target or router.identify(request)
    operation = _operation(target)
    if operation.has_event_stream_input:
        raise not_yet(f"{target.service}:{target.operation} (event streams)")
    plain = inflate(operation, request)
    parameters = codec_of(target.protocol).decode_input(operation, plain, target.path_params)
    if target.service == "sqs" and target.protocol == "query":
        sqs_query.name_queue(operation, request, parameters)
    if operation.input_shape is not None:
        validate(operation.input_shape, parameters, target.service)
    return Call(target.service, target.operation, parameters, caller_of(request, request_id))


def caller_of(request: HttpRequest, request_id: str) -> Caller:
    """Who calls, as the request claims: an access key of 12 digits names the account."""
    scope = parse_scope(request)
    host = request.headers.get("host", "127.0.0.1:4566")
    scheme = "https" if request.headers.get("x-forwarded-proto") == "https" else "http"
    endpoint = f"{scheme}://{host}"
    trace = request.headers.get("x-amzn-trace-id")
    if scope is None:
        return Caller(
            DEFAULT_ACCOUNT, DEFAULT_REGION, request_id, endpoint=endpoint, trace_header=trace
        )
    key = scope.access_key_id
    is_account = len(key) == 12 and key.isascii() and key.isdigit()
    return Caller(
        account_id=key if is_account else DEFAULT_ACCOUNT,
        region=scope.region or DEFAULT_REGION,
        request_id=request_id,
        access_key_id=key,
        endpoint=endpoint,
        trace_header=trace,
    )


def encode_result(
    target: Target | Call, result: Result, request_id: str | None = None
) -> HttpResponse:
    """The answer to ``target``; a bare ``Call`` is answered in its service's default protocol.

    ``request_id`` may be left out with a ``Call``, which knows it. Raises ``ValueError`` when the
    result has a member the output shape lacks.
    """
    if isinstance(target, Call):
        request_id = request_id or target.caller.request_id
        target = _target(target)
    operation = _operation(target)
    answer = codec_of(target.protocol).encode_output(operation, result, request_id or "")
    return _finish(answer, target.service, request_id or "", result.headers)


def encode_error(target: Target | Call | None, error: AwsError, request_id: str) -> HttpResponse:
    """``error`` as the caller's protocol says it; without a target as ``rest-json`` does."""
    if isinstance(target, Call):
        target = _target(target)
    service = target.service if target is not None else ""
    protocol = target.protocol if target is not None else "rest-json"
    if protocol == "ec2":  # refused, but in its own words
        answer = query.encode_ec2_error(service, error, request_id)
    else:
        answer = _CODECS.get(protocol, rest_json).encode_error(service, error, request_id)
    own = tuple((name, errors.one_line(value)) for name, value in error.headers.items())
    return _finish(answer, service, request_id, own)


def _finish(
    answer: HttpResponse, service: str, request_id: str, headers: tuple[tuple[str, str], ...]
) -> HttpResponse:
    name = "x-amz-request-id" if service == "s3" else "x-amzn-RequestId"
    return HttpResponse(answer.status, (*answer.headers, (name, request_id), *headers), answer.body)


def _operation(target: Target) -> Any:
    operation = models.operation_model(target.service, target.operation, target.protocol)
    if operation is None:
        raise unknown_operation(target.operation)
    return operation


def codec_of(protocol: str) -> Codec:
    codec = _CODECS.get(protocol)
    if codec is None:
        raise not_yet(f"the {protocol} protocol")
    return codec


def _target(call: Call) -> Target:
    model = models.service_model(call.service)
    protocol = models.protocols_of(model)[0] if model is not None else "rest-json"
    return Target(call.service, call.operation, protocol)
