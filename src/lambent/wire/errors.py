"""``AwsError`` → the answer in the caller's protocol, its members named as the error's shape names
them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lambent.model.errors import AwsError
from lambent.model.http import HttpResponse
from lambent.wire import bindings, models
from lambent.wire.json_values import dump_json, structure_writer, writers

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ErrorPlan:
    """How a service calls one error: the shape's ``name``, the ``code`` of query clients, the
    members."""

    name: str
    code: str
    shape: Any
    message_member: str


@lru_cache(maxsize=4096)
def error_plan(service: str, code: str) -> ErrorPlan:
    """The plan for ``code``: a shape's name or a query code; errors no model knows have a plan
    too."""
    model = models.service_model(service) if service else None
    shape = _shape(model, code) if model is not None else None
    if shape is None:
        return ErrorPlan(code, code, None, "message")
    spelt = [name for name in ("message", "Message") if name in shape.members]
    wire_code = shape.metadata.get("error", {}).get("code", shape.name)
    return ErrorPlan(shape.name, wire_code, shape, spelt[0] if spelt else "message")


def _shape(model: Any, code: str) -> Any:
    by_code = None
    for shape in model.error_shapes:
        if shape.name == code:
            return shape
        if shape.metadata.get("error", {}).get("code") == code:
            by_code = by_code or shape
    return by_code


def members(plan: ErrorPlan, error: AwsError) -> dict[str, Any]:
    """The error's members by model name: its message and those ``fields`` its shape has.

    A field of an error that no model knows is kept, but ``Type``: that one is Lambda's modeled
    errors' own.
    """
    shape = plan.shape
    found = {
        name: value
        for name, value in error.fields.items()
        if (name != "Type" if shape is None else name in shape.members)
    }
    return {**found, plan.message_member: error.message}


def encode_rest_json(service: str, error: AwsError) -> HttpResponse:
    """``{"Type":"User","message":…}`` with the code in ``x-amzn-ErrorType``."""
    plan = error_plan(service, error.code)
    headers = (("content-type", "application/json"), ("x-amzn-ErrorType", one_line(plan.name)))
    body, more = _split_headers(plan, members(plan, error))
    return HttpResponse(error.status, (*headers, *more), _json_body(service, plan, body))


def encode_json(service: str, error: AwsError) -> HttpResponse:
    """``{"__type":…,"message":…}``; a query-compatible service adds the code of its query days."""
    plan = error_plan(service, error.code)
    model = models.service_model(service) if service else None
    version = model.metadata.get("jsonVersion", "1.1") if model is not None else "1.1"
    headers = (
        ("content-type", f"application/x-amz-json-{version}"),
        *query_error(plan, model, error),
    )
    body = {"__type": plan.name, **members(plan, error)}
    return HttpResponse(error.status, headers, _json_body(service, plan, body))


def query_error(plan: ErrorPlan, model: Any, error: AwsError) -> Headers:
    """``x-amzn-query-error`` for services that once spoke the query protocol."""
    if model is None or not model.is_query_compatible:
        return ()
    return (("x-amzn-query-error", one_line(f"{plan.code};{error.fault}")),)


def _split_headers(plan: ErrorPlan, found: dict[str, Any]) -> tuple[dict[str, Any], Headers]:
    if plan.shape is None:
        return found, ()
    rest = bindings.plan(plan.shape)
    headers = tuple(bindings.write_headers(rest, found))
    return {name: value for name, value in found.items() if name not in rest.outside}, headers


def _json_body(service: str, plan: ErrorPlan, found: Mapping[str, Any]) -> bytes:
    if plan.shape is None:
        return dump_json(found)
    write = _error_writer(service, plan.name)
    known = {name: value for name, value in found.items() if name in plan.shape.members}
    extra = {name: value for name, value in found.items() if name not in plan.shape.members}
    return dump_json({**extra, **write(known)})


@lru_cache(maxsize=4096)
def _error_writer(service: str, name: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    model = models.service_model(service)
    shape = error_plan(service, name).shape
    return structure_writer(shape, writers(model), shape.members)


def one_line(text: str) -> str:
    """``text`` fit for a header."""
    return text.replace("\r", " ").replace("\n", " ")
