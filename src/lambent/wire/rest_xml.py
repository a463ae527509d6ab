"""The ``rest-xml`` protocol (S3, CloudFront, Route 53): REST bindings around an XML body."""

from collections.abc import Mapping
from typing import Any

from lambent.model.call import Result
from lambent.model.errors import AwsError
from lambent.model.http import HttpRequest, HttpResponse
from lambent.wire import bindings, models
from lambent.wire.errors import error_plan, members
from lambent.wire.models import Shape
from lambent.wire.query import error_element
from lambent.wire.xml_text import DECLARATION, escape, parse_xml
from lambent.wire.xml_values import (
    namespace_of,
    readers,
    structure_reader,
    structure_writer,
    writers,
)

_XML = (("content-type", "application/xml"),)
_S3_NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def decode_input(operation: Any, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of ``operation``; raises 400 ``MalformedXML`` for a body it cannot read."""
    shape = operation.input_shape
    plan = bindings.input_plan(shape)
    found = bindings.read_located(plan, request, labels)
    body = request.body
    if not body or (plan.payload is None and not plan.body_members):
        return found
    if plan.payload is not None and plan.streamed:
        found[plan.payload] = bindings.read_stream(plan.payload_shape.type_name, body)
        return found
    root = parse_xml(body)
    table = readers(operation.service_model)
    if plan.payload is not None:
        found[plan.payload] = table.of(plan.payload_shape)([root], 0)
    else:
        found.update(structure_reader(shape, table, plan.body_members)([root], 0))
    return found


def encode_output(operation: Any, result: Result, request_id: str) -> HttpResponse:
    """The answer of ``operation``; the status is the result's, a ``statusCode`` member's or the
    model's."""
    del request_id
    output = result.output
    shape = operation.output_shape
    plan = bindings.output_plan(shape)
    status = bindings.status_of(plan, operation, result)
    headers = tuple(bindings.write_headers(plan, output))
    if plan.streamed:
        payload = output.get(plan.payload) if plan.payload else None
        raw = payload.encode() if isinstance(payload, str) else payload or b""
        return HttpResponse(status, headers, raw)
    inside = {name: item for name, item in output.items() if name not in plan.outside}
    text = _body(operation, plan, shape, inside)
    if not text:
        return HttpResponse(status, headers, b"")
    return HttpResponse(status, (*_XML, *headers), (DECLARATION + text).encode())


def _body(operation: Any, plan: bindings.RestPlan, shape: Shape, inside: dict[str, Any]) -> str:
    out: list[str] = []
    table = writers(operation.service_model)
    if plan.payload is not None:
        value = inside.pop(plan.payload, None)
        if inside:
            raise ValueError(f"{shape.name} has no member {next(iter(inside))}")
        if value is None:
            return ""
        payload = plan.payload_shape
        name = payload.serialization.get("name", payload.name)
        table.of(payload)(out, name, value)
        return _with_namespace(operation, payload, name, out)
    if not plan.body_members:
        return ""
    name = shape.serialization.get("name", shape.name)
    structure_writer(shape, table, plan.body_members)(out, name, inside)
    return _with_namespace(operation, shape, name, out)


def _with_namespace(operation: Any, shape: Shape, name: str, out: list[str]) -> str:
    text = "".join(out)
    if namespace_of(shape):
        return text
    return text.replace(f"<{name}", f"<{name}{_namespace(operation.service_model)}", 1)


def _namespace(model: Any) -> str:
    if model.service_name == "s3":
        return _S3_NAMESPACE
    namespace = model.metadata.get("xmlNamespace")
    return f' xmlns="{escape(namespace)}"' if namespace else ""


def encode_error(service: str, error: AwsError, request_id: str) -> HttpResponse:
    """S3's bare ``<Error>``, or the ``<ErrorResponse>`` of every other service."""
    if service == "s3":
        return HttpResponse(error.status, _XML, _s3_error(error, request_id).encode())
    model = models.service_model(service) if service else None
    namespace = _namespace(model) if model is not None else ""
    body = (
        f"{DECLARATION}<ErrorResponse{namespace}>{error_element(model, service, error)}"
        f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
    )
    return HttpResponse(error.status, (("content-type", "text/xml"),), body.encode())


def _s3_error(error: AwsError, request_id: str) -> str:
    """AWS: S3 adds what the error is about (``BucketName``, ``Key``) although no model says so."""
    plan = error_plan("s3", error.code)
    about = {**error.fields, **members(plan, error)}
    about.pop(plan.message_member)
    extra = "".join(
        f"<{name}>{escape(str(value))}</{name}>"
        for name, value in about.items()
        if name.isidentifier()
    )
    return (
        f"{DECLARATION}<Error><Code>{escape(plan.code)}</Code>"
        f"<Message>{escape(error.message)}</Message>{extra}"
        f"<RequestId>{escape(request_id)}</RequestId><HostId>{escape(request_id)}</HostId></Error>"
    )
