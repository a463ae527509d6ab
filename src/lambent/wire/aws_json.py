"""The ``json`` protocol, versions 1.0 and 1.1 (Logs, SQS, DynamoDB, Step Functions): everything in
the body."""

from collections.abc import Mapping
from typing import Any

from lambent.model.call import Result
from lambent.model.errors import AwsError
from lambent.model.http import HttpRequest, HttpResponse
from lambent.wire import errors, models
from lambent.wire.json_values import dump_json, parse_json, readers, writers


def decode_input(operation: Any, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of ``operation``; raises ``SerializationException`` for a body it cannot
    read."""
    del labels
    parsed = parse_json(request.body)
    if operation.input_shape is None or parsed is None:
        return {}
    found: dict[str, Any] = readers(operation.service_model).of(operation.input_shape)(parsed, 0)
    return found


def encode_output(operation: Any, result: Result, request_id: str) -> HttpResponse:
    """The answer of ``operation``: 200 unless the result says otherwise; no output shape is no
    body."""
    del request_id
    headers = (content_type(operation.service_model),)
    shape = operation.output_shape
    if shape is None:
        return HttpResponse(result.status or 200, headers, b"")
    write = writers(operation.service_model).of(shape)
    body = dump_json(write(result.output) if write is not None else result.output)
    return HttpResponse(result.status or 200, headers, body)


def encode_error(service: str, error: AwsError, request_id: str) -> HttpResponse:
    """``{"__type":…,"message":…}``; a query-compatible service adds the code of its query days."""
    del request_id
    plan = errors.error_plan(service, error.code)
    model = models.service_model(service) if service else None
    body = {"__type": errors.json_type(service, plan), **errors.json_members(service, plan, error)}
    headers = (content_type(model), *errors.query_error(plan, model, error))
    return HttpResponse(error.status, headers, dump_json(body))


def content_type(service_model: Any) -> tuple[str, str]:
    """``application/x-amz-json-1.1``, by the version the service speaks."""
    version = (
        service_model.metadata.get("jsonVersion", "1.1") if service_model is not None else "1.1"
    )
    return ("content-type", f"application/x-amz-json-{version}")
