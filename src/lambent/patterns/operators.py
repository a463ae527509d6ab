"""The values of a leaf and its match expressions (``{"prefix": …}``), as tests of one scalar.

Reasons are the wording of AWS's engine. Source: https://github.com/aws/event-ruler,
``JsonRuleCompiler``, and recorded answers of EventBridge and SNS.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lambent.patterns.addresses import cidr_test
from lambent.patterns.errors import PatternError
from lambent.patterns.numbers import comparable, is_number, numeric_test
from lambent.patterns.wildcards import wildcard_test

Test = Callable[[Any], bool]
"""Of one scalar of the event: a string, number, true, false or null."""

_ONE_KEY = "Only one key allowed in match expression"


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a field may be: any of ``exact``, what any of ``tests`` accepts, or not there."""

    exact: frozenset[tuple[type, Any]]
    tests: tuple[Test, ...]
    absent: bool

    def accepts(self, scalar: object) -> bool:
        """Whether one scalar of the event will do."""
        return _identity(scalar) in self.exact or any(test(scalar) for test in self.tests)


def parse_leaf(values: Sequence[Any], *, strict_exists: bool) -> Leaf:
    """The array of a leaf.

    ``strict_exists`` is SNS's reading of ``{"exists": true}``: neither null nor empty.
    """
    exact: set[tuple[type, Any]] = set()
    tests: list[Test] = []
    absent = False
    for value in values:
        if isinstance(value, dict):
            if next(iter(value), None) != "exists":
                tests.append(_parse_expression(value))
            elif _parse_exists(value):
                tests.append(_exists_strictly if strict_exists else _exists)
            else:
                absent = True
        elif value is None or isinstance(value, str | int | float):
            exact.add(_identity(value))
        else:
            raise PatternError("Match value must be String, number, true, false, or null")
    return Leaf(frozenset(exact), tuple(tests), absent)


def _identity(scalar: Any) -> tuple[type, Any]:
    """A key under which 1 and 1.0 are the same and 1 and true are not."""
    kind = type(scalar)
    return (float if kind is int else kind, scalar)


def _exists(_: object) -> bool:
    return True


def _exists_strictly(scalar: object) -> bool:
    return scalar is not None and scalar != ""


def _parse_exists(expression: dict[str, Any]) -> bool:
    wanted = expression["exists"]
    if not isinstance(wanted, bool):
        raise PatternError("exists match pattern must be either true or false.")
    if len(expression) > 1:
        raise PatternError(_ONE_KEY)
    return wanted


def _parse_expression(expression: dict[str, Any]) -> Test:
    if not expression:
        raise PatternError("Match expression name not found")
    name, operand = next(iter(expression.items()))
    parse = _PARSERS.get(name)
    if parse is None:
        raise PatternError(f"Unrecognized match type {name}")
    test = parse(operand)
    if len(expression) > 1:
        several = name in {"numeric", "anything-but"}
        raise PatternError("Too many elements in numeric expression" if several else _ONE_KEY)
    return test


def _text(operand: object, name: str) -> str:
    if not isinstance(operand, str):
        raise PatternError(f"{name} match pattern must be a string")
    return operand


def _exactly(operand: object) -> Test:
    wanted = _text(operand, "exact")
    return lambda scalar: type(scalar) is str and scalar == wanted


def _equals_ignore_case(operand: object) -> Test:
    wanted = _text(operand, "equals-ignore-case").lower()
    return lambda scalar: type(scalar) is str and scalar.lower() == wanted


def _prefix(operand: object) -> Test:
    if isinstance(operand, dict):
        folded = _ignoring_case(operand, "prefix")
        return lambda scalar: type(scalar) is str and scalar.lower().startswith(folded)
    prefix = _text(operand, "prefix")
    return lambda scalar: type(scalar) is str and scalar.startswith(prefix)


def _suffix(operand: object) -> Test:
    if isinstance(operand, dict):
        folded = _ignoring_case(operand, "suffix")
        return lambda scalar: type(scalar) is str and scalar.lower().endswith(folded)
    suffix = _text(operand, "suffix")
    return lambda scalar: type(scalar) is str and scalar.endswith(suffix)


def _ignoring_case(operand: dict[str, Any], name: str) -> str:
    if not operand:
        raise PatternError(f"{name.capitalize()} expression name not found")
    inner, text = next(iter(operand.items()))
    if inner != "equals-ignore-case":
        raise PatternError(f"Unsupported {name} pattern: {inner}")
    folded = _text(text, "equals-ignore-case").lower()
    if len(operand) > 1:
        raise PatternError(_ONE_KEY)
    return folded


def _wildcard(operand: object) -> Test:
    matches = wildcard_test(_text(operand, "wildcard"))
    return lambda scalar: type(scalar) is str and matches(scalar)


def _cidr(operand: object) -> Test:
    contains = cidr_test(_text(operand, "prefix"))  # AWS: the message names prefix
    return lambda scalar: type(scalar) is str and contains(scalar)


def _anything_but(operand: object) -> Test:
    if isinstance(operand, dict):
        return _anything_but_expression(operand)
    if not isinstance(operand, list | str) and not is_number(operand):
        raise PatternError("Value of anything-but must be an array or single string/number value.")
    values = operand if isinstance(operand, list) else [operand]
    if not all(isinstance(value, str) or is_number(value) for value in values):
        raise PatternError("Inside anything but list, start|null|boolean is not supported.")
    if len({isinstance(value, str) for value in values}) != 1:
        raise PatternError(
            "Inside anything but list, either all values are number or string, "
            "mixed type is not supported"
        )
    for value in values:
        if not isinstance(value, str):
            comparable(value)
    excluded = frozenset(map(_identity, values))
    return lambda scalar: _identity(scalar) not in excluded


def _anything_but_expression(operand: dict[str, Any]) -> Test:
    if not operand:
        raise PatternError("Anything-But expression name not found")
    name, values = next(iter(operand.items()))
    if name not in _EXCLUDABLE:
        raise PatternError(f"Unsupported anything-but pattern: {name}")
    if not isinstance(values, list | str) and not is_number(values):
        raise PatternError("Value of anything-but must be an array or single string/number value.")
    tests = []
    for value in values if isinstance(values, list) else [values]:
        if not isinstance(value, str):
            raise PatternError(_EXCLUDABLE[name])
        if not value and name in {"prefix", "suffix"}:
            raise PatternError("Null prefix/suffix not allowed")
        tests.append(_PARSERS[name](value))
    if len(operand) > 1:
        raise PatternError("Too many elements in numeric expression")
    return lambda scalar: not any(test(scalar) for test in tests)


_EXCLUDABLE = {
    "equals-ignore-case": "Inside anything-but/equals-ignore-case list, "
    "number|start|null|boolean is not supported.",
    "prefix": "prefix/suffix match pattern must be a string",
    "suffix": "prefix/suffix match pattern must be a string",
    "wildcard": "wildcard match pattern must be a string",
}
"""What ``anything-but`` may hold, and the reason given when an operand is no string."""

_PARSERS: dict[str, Callable[[Any], Test]] = {
    "exactly": _exactly,
    "equals-ignore-case": _equals_ignore_case,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
    "cidr": _cidr,
    "numeric": numeric_test,
    "anything-but": _anything_but,
}

MATCH_TYPES = frozenset(_PARSERS) | {"exists"}
