"""From the text of a pattern to its branches: what each field must be for the pattern to match.

``$or`` is multiplied out, as AWS's engine does, so a branch is a conjunction: a leaf by field name,
the steps joined by dots. Two spellings of one path (``{"a.b": …}`` and ``{"a": {"b": …}}``) are one
field; where a branch names a field twice, the later wins. Both are AWS's behaviour.
Source: https://github.com/aws/event-ruler, ``JsonRuleCompiler``.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from lambent.patterns.dialects import MAX_DEPTH, MAX_STEPS, Dialect, check_limits, is_or
from lambent.patterns.errors import PatternError
from lambent.patterns.operators import MATCH_TYPES, Leaf, parse_leaf

Branch = dict[str, Leaf]

_RESERVED_IN_OR = MATCH_TYPES | frozenset(
    {"html", "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"}
    | {"date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"}
    | {"ip-address-in-range", "ip-address-not-in-range"}
)


def parse_pattern(source: str | Mapping[str, Any], dialect: Dialect) -> list[Branch]:
    """The branches of a pattern, of which one must match.

    Raises:
        PatternError: not JSON, not the grammar, or more than the dialect allows.
    """
    pattern = _read_json(source, dialect) if isinstance(source, str) else source
    if not isinstance(pattern, dict):
        raise PatternError("Filter is not an object")
    if not pattern and dialect.is_sns:
        return [{}]  # AWS: an empty filter policy is none at all
    _check_shape(pattern, 1)
    check_limits(pattern, dialect)
    branches = _extend([{}], pattern, "", dialect)
    if sum(name.count(".") + 1 for branch in branches for name in branch) > MAX_STEPS:
        raise PatternError(f"Rule is too complex: $or makes more than {MAX_STEPS} steps")
    return branches


def _read_json(text: str, dialect: Dialect) -> object:
    if len(text) > dialect.max_chars:
        raise PatternError(f"Pattern is longer than {dialect.max_chars} characters")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        # Best known: AWS adds what its JSON parser saw.
        reason = "failed to parse JSON" if dialect.is_sns else "Invalid JSON"
        raise PatternError(reason) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check_shape(pattern: Mapping[str, Any], depth: int, *, in_or: bool = False) -> None:
    """Every key leads to an object, to an array of values, or is ``$or``; nothing is empty."""
    if depth > MAX_DEPTH:
        raise PatternError(f"Pattern is nested deeper than {MAX_DEPTH} levels")
    if not pattern:
        raise PatternError("Empty objects are not allowed")
    for key, value in pattern.items():
        if not isinstance(key, str):
            raise PatternError("Field names must be strings")
        if is_or(key, value):
            _check_or(value, depth)
        elif in_or and key in _RESERVED_IN_OR:
            raise PatternError(
                f"{key} is Ruler reserved fieldName which cannot be used inside $or."
            )
        elif isinstance(value, dict):
            _check_shape(value, depth + 1, in_or=in_or)
        elif not isinstance(value, list):
            raise PatternError(f'"{key}" must be an object or an array')
        elif not value:
            raise PatternError("Empty arrays are not allowed")


def _check_or(choices: list[Any], depth: int) -> None:
    if not all(isinstance(choice, dict) for choice in choices):
        raise PatternError("Only JSON object is allowed in array of $or relationship.")
    if len(choices) < 2:
        raise PatternError("There must have at least 2 Objects in $or relationship.")
    for choice in choices:
        _check_shape(choice, depth + 1, in_or=True)


def _extend(
    branches: list[Branch], pattern: Mapping[str, Any], path: str, dialect: Dialect
) -> list[Branch]:
    """The branches (which are written to) with the pattern's fields added."""
    for key, value in pattern.items():
        if is_or(key, value):
            branches = [
                branch
                for choice in value
                for branch in _extend([dict(b) for b in branches], choice, path, dialect)
            ]
        elif isinstance(value, dict):
            branches = _extend(branches, value, f"{path}{key}.", dialect)
        else:
            leaf = parse_leaf(value, strict_exists=dialect.is_sns)
            for branch in branches:
                branch[path + key] = leaf
    return branches
