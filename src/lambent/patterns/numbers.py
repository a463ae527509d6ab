"""Numeric comparisons within the range and precision of AWS's engine.

Numbers from -5e9 to 5e9 with up to six decimals; others are equal to themselves and in no range.
Source: https://github.com/aws/event-ruler, ``ComparableNumber``.
"""

import json
import operator
from collections.abc import Callable
from typing import Any, TypeGuard

from lambent.patterns.errors import PatternError

_BOUND = 5_000_000_000
_DECIMALS = 6
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def is_number(value: object) -> TypeGuard[int | float]:
    """A JSON number; true and false are none, whatever Python says."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def comparable(number: float) -> float:
    """The number, if a pattern may compare with it.

    Raises:
        PatternError: out of range or finer than six decimals.
    """
    if not -_BOUND <= number <= _BOUND:
        raise PatternError("Value must be between -5.0E9 and 5.0E9, inclusive")
    if number != round(number, _DECIMALS):
        # Best known: AWS appends the number in three spellings.
        raise PatternError("Only values upto 6 decimals are supported")
    return number


def numeric_test(operand: object) -> Callable[[Any], bool]:
    """``["=", 3]``, ``["<", 10]``, ``[">", 0, "<=", 5]`` as a test of a scalar."""
    if not isinstance(operand, list):
        raise PatternError("Value of numeric must be an array.")
    name = operand[0] if operand else None
    if not isinstance(name, str):
        raise PatternError(f"Invalid member in numeric match: {_shown(operand, 0)}")
    if name not in _COMPARE:
        raise PatternError(f"Unrecognized numeric range operator: {name}")
    bound = _bound(operand, 1, name)
    compare = _COMPARE[name]
    if len(operand) == 2:
        return lambda scalar: _in_range(scalar) and compare(scalar, bound)
    if name not in {">", ">="}:
        raise PatternError("Too many elements in numeric expression")
    top_name = operand[2]
    if not isinstance(top_name, str):
        raise PatternError(f"Bad value in numeric range: {_shown(operand, 2)}")
    if top_name not in {"<", "<="}:
        raise PatternError(f"Bad numeric range operator: {top_name}")
    top = _bound(operand, 3, top_name)
    if len(operand) > 4:
        raise PatternError("Too many terms in numeric range expression")
    if bound >= top:
        raise PatternError("Bottom must be less than top")
    below = _COMPARE[top_name]
    return lambda scalar: _in_range(scalar) and compare(scalar, bound) and below(scalar, top)


def _in_range(scalar: Any) -> bool:
    kind = type(scalar)
    if kind is int:
        return bool(-_BOUND <= scalar <= _BOUND)
    return kind is float and -_BOUND <= scalar <= _BOUND and scalar == round(scalar, _DECIMALS)


def _bound(operand: list[Any], index: int, name: str) -> float:
    bound = operand[index] if index < len(operand) else None
    if not is_number(bound):
        raise PatternError(f"Value of {'equals' if name == '=' else name} must be numeric")
    return comparable(bound)


def _shown(operand: list[Any], index: int) -> str:
    """The token AWS's parser stands on."""
    if index >= len(operand):
        return "]"
    value = operand[index]
    if isinstance(value, list | dict):
        return "[" if isinstance(value, list) else "{"
    return value if isinstance(value, str) else json.dumps(value)
