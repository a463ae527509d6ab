"""The ``query`` protocol (STS, IAM, SNS, CloudWatch): form fields in, XML out.

Fields are paths into the shape: ``Filters.member.1.Name=x``, ``Tags.entry.2.key=y``.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from lambent.model.call import Result
from lambent.model.errors import AwsError, ClientFault
from lambent.model.http import HttpRequest, HttpResponse
from lambent.wire import errors, models
from lambent.wire.models import Shape
from lambent.wire.shape_table import MAX_DEPTH, ShapeTable
from lambent.wire.xml_text import escape
from lambent.wire.xml_values import text_reader, writers

_XML = (("content-type", "text/xml"),)
_MAX_FIELDS = 100_000
_TEXT = None
"""The key under which a node keeps its own value; every other key is a part of a path."""

Node = dict[str | None, Any]
Reader = Callable[[Node], Any]


# --- reading


def decode_input(operation: Any, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of ``operation``; raises 400 ``MalformedInput`` for fields it cannot read."""
    del labels
    shape = operation.input_shape
    if shape is None:
        return {}
    found: dict[str, Any] = _readers(operation.service_model).of(shape)(_tree(_fields(request)))
    return found


def _fields(request: HttpRequest) -> list[tuple[str, str]]:
    try:
        body = request.body.decode()
        text = f"{request.query}&{body}" if request.query and body else request.query or body
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise _malformed("The request is not a valid form") from None


def _tree(fields: list[tuple[str, str]]) -> Node:
    root: Node = {}
    for name, value in fields:
        parts = name.split(".")
        if len(parts) > MAX_DEPTH:
            raise _malformed("Parameters are nested too deeply")
        node = root
        for part in parts:
            node = node.setdefault(part, {})
        node[_TEXT] = value
    return root


def _malformed(message: str) -> ClientFault:
    return ClientFault("MalformedInput", message, 400)


@cache
def _readers(service_model: Any) -> ShapeTable[Reader]:
    del service_model  # the key of the cache
    return ShapeTable(_reader)


def _reader(shape: Shape, table: ShapeTable[Reader]) -> Reader:
    match shape.type_name:
        case "structure":
            return _structure_reader(shape, table)
        case "list":
            return _list_reader(shape, table)
        case "map":
            return _map_reader(shape, table)
        case _:
            return _scalar_reader(shape)


def _structure_reader(shape: Shape, table: ShapeTable[Reader]) -> Reader:
    members: dict[str | None, tuple[str, Reader]] = {}

    def read(node: Node) -> dict[str, Any]:
        if not members:
            for name, member in shape.members.items():
                for field in _field_names(member, name):
                    members[field] = (name, table.of(member))
        found = {}
        for key, child in node.items():
            known = members.get(key)
            if known is not None:
                found[known[0]] = known[1](child)
        return found

    return read


def _field_names(member: Shape, name: str) -> tuple[str, ...]:
    """What a member may be called; of a flattened list some clients send the name of its
    members."""
    own: str = member.serialization.get("name", name)
    if member.type_name == "list" and member.serialization.get("flattened"):
        inner: str | None = member.member.serialization.get("name")
        if inner is not None:
            return (inner, own)
    return (own,)


def _list_reader(shape: Shape, table: ShapeTable[Reader]) -> Reader:
    flattened = shape.serialization.get("flattened")
    member_name = shape.member.serialization.get("name", "member")

    def read(node: Node) -> list[Any]:
        member = table.of(shape.member)
        items = node if flattened else node.get(member_name) or node.get("member") or {}
        return [member(item) for item in _numbered(items)]

    return read


def _map_reader(shape: Shape, table: ShapeTable[Reader]) -> Reader:
    flattened = shape.serialization.get("flattened")
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")

    def read(node: Node) -> dict[str, Any]:
        read_key, read_value = table.of(shape.key), table.of(shape.value)
        found = {}
        for entry in _numbered(node if flattened else node.get("entry") or {}):
            if key_name not in entry or value_name not in entry:
                raise _malformed("A map entry needs a key and a value")
            found[read_key(entry[key_name])] = read_value(entry[value_name])
        return found

    return read


def _numbered(node: Node) -> list[Node]:
    """The children ``1``, ``2``, … in order; gaps are closed, as AWS does."""
    numbered = []
    for key, child in node.items():
        if key is _TEXT:
            continue
        if not (key.isascii() and key.isdigit() and len(key) <= len(str(_MAX_FIELDS))):
            raise _malformed("Unexpected list element name")
        numbered.append((int(key), child))
    return [child for _, child in sorted(numbered, key=lambda pair: pair[0])]


def _scalar_reader(shape: Shape) -> Reader:
    read_text = text_reader(shape)

    def read(node: Node) -> Any:
        text = node.get(_TEXT)
        if text is None:
            raise _malformed("Unexpected complex element termination")
        return read_text(text)

    return read


# --- writing


def encode_output(operation: Any, result: Result, request_id: str) -> HttpResponse:
    """``<OperationResponse>`` around the result, under its wrapper, and the response metadata."""
    shape = operation.output_shape
    inside: list[str] = []
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper")
        write = writers(operation.service_model).of(shape)
        write(inside, wrapper or "", result.output)  # without a wrapper they stand in the response
    namespace = _namespace(operation.service_model)
    body = (
        f"<{operation.name}Response{namespace}>{''.join(inside)}<ResponseMetadata>"
        f"<RequestId>{escape(request_id)}</RequestId></ResponseMetadata></{operation.name}Response>"
    )
    return HttpResponse(result.status or 200, _XML, body.encode())


def encode_error(service: str, error: AwsError, request_id: str) -> HttpResponse:
    """``<ErrorResponse>`` with Type, Code, Message and the members the error's shape has."""
    model = models.service_model(service, "query") if service else None
    body = (
        f"<ErrorResponse{_namespace(model)}>{error_element(model, service, error)}"
        f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
    )
    return HttpResponse(error.status, _XML, body.encode())


def encode_ec2_error(service: str, error: AwsError, request_id: str) -> HttpResponse:
    """``<Response>`` with its list of errors, as EC2's dialect of the protocol has it."""
    del service
    body = (
        f"<Response><Errors><Error><Code>{escape(error.code)}</Code>"
        f"<Message>{escape(error.message)}</Message></Error></Errors>"
        f"<RequestID>{escape(request_id)}</RequestID></Response>"
    )
    return HttpResponse(error.status, _XML, body.encode())


def error_element(model: Any, service: str, error: AwsError) -> str:
    """``<Error>`` as the query and most REST-XML services write it."""
    plan = errors.error_plan(service, error.code)
    out = [f"<Type>{error.fault}</Type><Code>{escape(plan.code)}</Code>"]
    out.append(f"<Message>{escape(error.message)}</Message>")
    for name, value in errors.members(plan, error).items():
        if plan.shape is not None and name != plan.message_member and name not in ("Type", "Code"):
            writers(model).of(plan.shape.members[name])(out, name, value)
    return f"<Error>{''.join(out)}</Error>"


def _namespace(model: Any) -> str:
    namespace = model.metadata.get("xmlNamespace") if model is not None else None
    return f' xmlns="{escape(namespace)}"' if namespace else ""
