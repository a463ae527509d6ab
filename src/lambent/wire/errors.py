"""``AwsError`` → the answer in the caller's protocol, its members named as the error's shape names
them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lambent.model.errors import AwsError
from lambent.wire import bindings, models
from lambent.wire.json_values import writers
from lambent.wire.tree_values import structure_writer

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


def query_error(plan: ErrorPlan, model: Any, error: AwsError) -> Headers:
    """``x-amzn-query-error`` for services that once spoke the query protocol."""
    if model is None or not model.is_query_compatible:
        return ()
    return (("x-amzn-query-error", one_line(f"{plan.code};{error.fault}")),)


def json_members(service: str, plan: ErrorPlan, error: AwsError) -> dict[str, Any]:
    """The error's members as JSON values, by their names on the wire."""
    found = members(plan, error)
    return found if plan.shape is None else _writer(service, plan.name)(found)


@lru_cache(maxsize=4096)
def _writer(service: str, name: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    shape = error_plan(service, name).shape
    inside = [name for name in shape.members if name not in bindings.output_plan(shape).outside]
    write = structure_writer(shape, writers(models.service_model(service)), inside)
    known = frozenset(inside)
    return lambda found: write({name: item for name, item in found.items() if name in known})


def one_line(text: str) -> str:
    """``text`` fit for a header."""
    return text.replace("\r", " ").replace("\n", " ")
