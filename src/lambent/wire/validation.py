"""Parameters against the model: what AWS refuses before an operation runs, in AWS's words.

``1 validation error detected: Value 'x' at 'functionName' failed to satisfy constraint: Member must
…``. A path is made of the members' names with their first letter lowered; an element of a list is
``.1.member``. Values in lists and maps are reported at the list or map, with all constraints of its
members; the values of sensitive shapes are never repeated.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from lambent.model.errors import ClientFault
from lambent.wire import timestamps
from lambent.wire.constraints import NOT_NULL, Constraint, constraints
from lambent.wire.models import Shape
from lambent.wire.presence import check_presence
from lambent.wire.shape_table import ShapeTable

Check = Callable[[Any, str, list[str]], None]

_CODE_BY_SERVICE = {
    "cloudwatch": "ValidationError",
    "iam": "ValidationError",
    "logs": "InvalidParameterException",
    "sns": "InvalidParameter",
    "sts": "ValidationError",
}
"""AWS: not every service calls it ``ValidationException``."""

_PRESENT: Constraint = (lambda value: value is not None, NOT_NULL)
_MAX_REPORTED = 100
_LONGEST_SHOWN = 4096


def validate(shape: Shape, params: Mapping[str, Any], service: str = "") -> None:
    """Raise 400 ``ValidationException`` (or what ``service`` calls it) when ``params`` break
    ``shape``."""
    if service == "sqs":
        check_presence(shape, params)
        return
    problems: list[str] = []
    _checks(service).of(shape)(params, "", problems)
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        raise ClientFault(
            _CODE_BY_SERVICE.get(service, "ValidationException"),
            f"{len(problems)} validation {noun} detected: {'; '.join(problems[:_MAX_REPORTED])}",
            400,
        )
    if service == "lambda" and "Runtime" in params and "Runtime" in shape.members:
        _check_lambda_runtime(shape.members["Runtime"], params["Runtime"])


def _check_lambda_runtime(shape: Shape, runtime: str) -> None:
    """AWS: Lambda reports a wrong ``Runtime`` by an error of its own, without quotes around the
    value."""
    allowed = shape.metadata.get("enum", ())
    if shape.name != "Runtime" or runtime in allowed or runtime.startswith("arn:"):
        return
    raise ClientFault(
        "InvalidParameterValueException",
        f"Value {runtime} at 'runtime' failed to satisfy constraint: "
        f"Member must satisfy enum value set: [{', '.join(allowed)}] or be a valid ARN",
        400,
        fields={"Type": "User"},
    )


@cache
def _checks(service: str) -> ShapeTable[Check]:
    del service  # the key: shape names mean something within one service only
    return ShapeTable(_check)


def _check(shape: Shape, table: ShapeTable[Check]) -> Check:
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            return _structure_check(shape, table)
        case "list":
            return _list_check(shape, table)
        case "map":
            return _map_check(shape, table)
        case _:
            return _scalar_check(shape)


def _structure_check(shape: Shape, table: ShapeTable[Check]) -> Check:
    members: dict[str, tuple[str, Check | None]] = {}
    required = tuple(shape.required_members)

    def check(value: Any, path: str, problems: list[str]) -> None:
        if not members:
            members.update(_member_checks(shape, table))
        prefix = f"{path}." if path else ""
        for name in required:
            if name not in value:
                at = f"{prefix}{members[name][0]}"
                problems.append(f"Value null at '{at}' failed to satisfy constraint: {NOT_NULL}")
        for name, item in value.items():
            known = members.get(name)
            if known is not None and known[1] is not None:
                known[1](item, f"{prefix}{known[0]}", problems)

    return check


def _member_checks(shape: Shape, table: ShapeTable[Check]) -> dict[str, tuple[str, Check | None]]:
    """Each member's name in a path and its check; Lambda's ``Runtime`` has one of its own."""
    found: dict[str, tuple[str, Check | None]] = {}
    for name, member in shape.members.items():
        free = _is_free(member) or (name == "Runtime" and member.name == "Runtime")
        found[name] = (name[:1].lower() + name[1:], None if free else table.of(member))
    return found


def _is_free(shape: Shape) -> bool:
    """No value of this shape can be wrong."""
    return shape.type_name not in ("structure", "list", "map") and not constraints(shape)


def _scalar_check(shape: Shape) -> Check:
    wanted = constraints(shape)
    shown = _presenter(shape)

    def check(value: Any, path: str, problems: list[str]) -> None:
        for holds, text in wanted:
            if not holds(value):
                problems.append(f"{shown(value)} at '{path}' failed to satisfy constraint: {text}")

    return check


def _list_check(shape: Shape, table: ShapeTable[Check]) -> Check:
    own = _scalar_check(shape)
    shown = _presenter(shape)
    member = shape.member
    nested = member.type_name in ("structure", "list", "map")
    wanted = () if nested else constraints(member)
    texts = ", ".join((*(text for _, text in wanted), NOT_NULL))

    def check(value: Any, path: str, problems: list[str]) -> None:
        own(value, path, problems)
        if nested and None not in value:
            check_member = table.of(member)
            for at, item in enumerate(value, 1):
                check_member(item, f"{path}.{at}.member", problems)
        elif None in value or not _all_hold(wanted, value):
            problems.append(
                f"{shown(value)} at '{path}' failed to satisfy constraint: "
                f"Member must satisfy constraint: [{texts}]"
            )

    return check


def _map_check(shape: Shape, table: ShapeTable[Check]) -> Check:
    own = _scalar_check(shape)
    shown = _presenter(shape)
    keys = constraints(shape.key)
    member = shape.value
    nested = member.type_name in ("structure", "list", "map")
    wanted = () if nested else constraints(member)
    # AWS: that it must not be null is told besides, but not of environment variables. Source: recorded
    # from Lambda by LocalStack's tests (TestLambdaAlias::test_notfound_and_invalid_routingconfigs).
    last = () if shape.metadata.get("sensitive") else (NOT_NULL,)

    def report(value: Any, path: str, what: str, broken: tuple[Constraint, ...]) -> str:
        texts = ", ".join(dict.fromkeys((*(text for _, text in broken), *last)))
        return (
            f"{shown(value)} at '{path}' failed to satisfy constraint: "
            f"{what} must satisfy constraint: [{texts}]"
        )

    def check(value: Any, path: str, problems: list[str]) -> None:
        own(value, path, problems)
        if not _all_hold(keys, value):
            problems.append(report(value, path, "Map keys", keys))
        if None in value.values():
            problems.append(report(value, path, "Map value", (*wanted, _PRESENT)))
        elif nested:
            check_member = table.of(member)
            for key, item in value.items():
                check_member(item, f"{path}.{key}.member", problems)
        elif not _all_hold(wanted, value.values()):
            problems.append(report(value, path, "Map value", wanted))

    return check


def _all_hold(wanted: tuple[Constraint, ...], values: Iterable[Any]) -> bool:
    return not wanted or all(holds(value) for value in values for holds, _ in wanted)


def _presenter(shape: Shape) -> Callable[[Any], str]:
    """How a message shows a value of ``shape``: not at all when it, or what it holds, is
    sensitive."""
    inner = [getattr(shape, part) for part in ("member", "key", "value") if hasattr(shape, part)]
    if any(part.metadata.get("sensitive") for part in (shape, *inner)):
        return lambda _value: "Value"
    return lambda value: f"Value '{_java_text(value)[:_LONGEST_SHOWN]}'"


def _java_text(value: Any) -> str:
    """A value as Java's ``toString`` writes it."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}={_java_text(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_java_text, value))}]"
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, datetime):
        return timestamps.format_iso8601(value)
    return (
        "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )
