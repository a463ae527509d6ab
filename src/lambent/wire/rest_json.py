"""The ``rest-json`` protocol (Lambda, Scheduler, X-Ray, API Gateway): REST bindings around a JSON
body."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from lambent.model.call import Result
from lambent.model.errors import AwsError, ClientFault
from lambent.model.http import HttpRequest, HttpResponse
from lambent.wire import bindings, errors
from lambent.wire.json_values import dump_json, parse_json, readers, writers
from lambent.wire.tree_values import Reader, Writer, structure_reader, structure_writer

_JSON = (("content-type", "application/json"),)


@cache
def _body_reader(operation: Any) -> Reader | None:
    shape = operation.input_shape
    plan = bindings.input_plan(shape)
    table = readers(operation.service_model)
    if plan.payload is not None:
        return None if plan.streamed else table.of(plan.payload_shape)
    return structure_reader(shape, table, plan.body_members) if plan.body_members else None


@cache
def _body_writer(operation: Any) -> Writer | None:
    shape = operation.output_shape
    plan = bindings.output_plan(shape)
    table = writers(operation.service_model)
    if plan.payload is not None:
        return None if plan.streamed else table.of(plan.payload_shape)
    return structure_writer(shape, table, plan.body_members) if plan.body_members else None


def decode_input(operation: Any, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of ``operation``; raises ``SerializationException`` or Lambda's own for bad
    JSON."""
    plan = bindings.input_plan(operation.input_shape)
    found = bindings.read_located(plan, request, labels)
    body = request.body
    if plan.streamed:
        if body and plan.payload is not None:
            found[plan.payload] = bindings.read_stream(plan.payload_shape.type_name, body)
        return found
    read = _body_reader(operation)
    if read is None or not body:
        return found
    parsed = _parse(operation, body)
    if parsed is None:
        return found
    if plan.payload is not None:
        found[plan.payload] = read(parsed, 0)
    else:
        found.update(read(parsed, 0))
    return found


def _parse(operation: Any, body: bytes) -> Any:
    try:
        return parse_json(body)
    except ClientFault as fault:
        if operation.service_model.service_name != "lambda":
            raise
        # AWS: Lambda reports unreadable JSON by an error of its own.
        raise ClientFault(
            "InvalidRequestContentException",
            f"Could not parse request body into json: {fault.message}",
            400,
            fields={"Type": "User"},
        ) from None


def encode_output(operation: Any, result: Result, request_id: str) -> HttpResponse:
    """The answer of ``operation``; the status is the result's, a ``statusCode`` member's or the
    model's."""
    del request_id
    output = result.output
    plan = bindings.output_plan(operation.output_shape)
    status = bindings.status_of(plan, operation, result)
    headers = bindings.write_headers(plan, output)
    if plan.streamed:
        payload = output.get(plan.payload) if plan.payload else None
        raw = payload.encode() if isinstance(payload, str) else payload or b""
        content = _JSON if raw and not _has_content_type(headers) else ()
        return HttpResponse(status, (*content, *headers), raw)
    body = _body(operation, plan, output)
    return HttpResponse(status, (*_JSON, *headers), body)


def _body(operation: Any, plan: bindings.RestPlan, output: Mapping[str, Any]) -> bytes:
    inside: Any = {name: item for name, item in output.items() if name not in plan.outside}
    if plan.payload is not None:
        inside = inside.get(plan.payload)
    elif not plan.body_members:
        return b""
    if inside is None:
        return b"{}"
    write = _body_writer(operation)
    return dump_json(inside if write is None else write(inside))


def _has_content_type(headers: list[tuple[str, str]]) -> bool:
    return any(name.lower() == "content-type" for name, _ in headers)


def encode_error(service: str, error: AwsError, request_id: str) -> HttpResponse:
    """``{"Type":"User","message":…}`` with the code in ``x-amzn-ErrorType``."""
    del request_id
    plan = errors.error_plan(service, error.code)
    headers = [*_JSON, ("x-amzn-ErrorType", errors.one_line(plan.name))]
    if plan.shape is not None:
        located = bindings.output_plan(plan.shape)
        headers += bindings.write_headers(located, errors.members(plan, error))
    return HttpResponse(error.status, headers, dump_json(errors.json_members(service, plan, error)))
