"""``AwsError`` → the answer in the caller's protocol, its members named as the error's shape names
them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lambent.model.errors import AwsError
from lambent.wire import bindings, models
from lambent.wire.json_values import writers
from lambent.wire.shape_table import ShapeTable
from lambent.wire.tree_values import Writer

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
        name = _SQS_UNMODELED.get(code, code) if service == "sqs" else code
        return ErrorPlan(name, code, None, "message")
    spelt = [name for name in ("message", "Message") if name in shape.members]
    wire_code = _code(service, shape)
    return ErrorPlan(shape.name, wire_code, shape, spelt[0] if spelt else "message")


def _shape(model: Any, code: str) -> Any:
    by_code = None
    for shape in model.error_shapes:
        if shape.name == code:
            return shape
        if _code(model.service_name, shape) == code:
            by_code = by_code or shape
    return by_code


def _code(service: str, shape: Any) -> str:
    if service == "sqs" and shape.name == "QueueNameExists":
        return "QueueAlreadyExists"
    found: str = shape.metadata.get("error", {}).get("code", shape.name)
    return (
        f"{_SQS_PREFIX}{_SQS_CODES.get(found, found)}"
        if service == "sqs" and found in _SQS
        else found
    )


# AWS: the codes of SQS's query days, which clients still test for; botocore's model lost them.
# Source: the awsQueryError traits of SQS's Smithy model.
_SQS_PREFIX = "AWS.SimpleQueueService."
_SQS_CODES = {"QueueDoesNotExist": "NonExistentQueue"}
_SQS_UNMODELED = {
    "AccessDenied": "AccessDeniedException",
    "InvalidParameterValue": "InvalidParameterValueException",
    "MissingParameter": "MissingRequiredParameterException",
}
"""Codes whose errors come from the framework, not from the model; what JSON calls them."""
_SQS = frozenset(
    {
        "BatchEntryIdsNotDistinct",
        "BatchRequestTooLong",
        "EmptyBatchRequest",
        "InvalidBatchEntryId",
        "MessageNotInflight",
        "PurgeQueueInProgress",
        "QueueDeletedRecently",
        "QueueDoesNotExist",
        "TooManyEntriesInBatchRequest",
        "UnsupportedOperation",
    }
)


def json_type(service: str, plan: ErrorPlan) -> str:
    """``__type``. AWS: of SQS's errors it is qualified, and says which are the framework's."""
    if service != "sqs":
        return plan.name
    return f"com.amazon{'aws.sqs' if plan.shape is not None else '.coral.service'}#{plan.name}"


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


def wire_members(
    plan: ErrorPlan, error: AwsError, table: ShapeTable[Writer | None] | None
) -> dict[str, Any]:
    """The error's body members, written by ``table``, by their names on the wire.

    The message is among them even where the shape forgot it, as CloudWatch Logs' errors do.
    """
    found = members(plan, error)
    if plan.shape is None or table is None:
        return found
    shape, outside = plan.shape, bindings.output_plan(plan.shape).outside
    written = {plan.message_member: error.message}
    for name, value in found.items():
        if name in shape.members and name not in outside:
            member = shape.members[name]
            write = table.of(member)
            written[member.serialization.get("name", name)] = (
                value if write is None else write(value)
            )
    return written


def json_members(service: str, plan: ErrorPlan, error: AwsError) -> dict[str, Any]:
    """The error's body members as JSON values."""
    model = models.service_model(service) if service else None
    return wire_members(plan, error, writers(model) if model is not None else None)


def one_line(text: str) -> str:
    """``text`` fit for a header."""
    return text.replace("\r", " ").replace("\n", " ")
