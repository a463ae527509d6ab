"""One value against the constraints of its shape: length, range, pattern, enum; with AWS's wording
of each."""

import re
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from lambent.wire.models import Shape

Constraint = tuple[Callable[[Any], bool], str]

NOT_NULL = "Member must not be null"

_LONGEST_MATCHED = 2048
"""POLICY: a longer value is not matched: no pattern of the models is worth quadratic time."""

_LONGEST_MATCHED_NESTED = 256
_NESTED_REPEAT = re.compile(r"\([^()]*[*+][^()]*\)(?:[*+]|\{\d+,\})")
_EXPONENTIAL = re.compile(r"\(\[ \\t\]\+\[(?:\^|\\x20)")
"""A repeated group that may start and go on with blanks: every blank doubles the work
(EventBridge's headers)."""

# Java's Unicode classes, widened to what Python has: a value Java accepts is never refused.
_JAVA_CLASSES = (("\\p{L}", "\\w"), ("\\p{N}", "\\w"), ("\\p{Z}", "\\s"), ("\\p{Zs}", "\\s"))

_NUMBERS = ("integer", "long", "float", "double")
_SIZED = ("string", "list", "map", "blob")


def constraints(shape: Shape) -> tuple[Constraint, ...]:
    """What ``shape`` asks of one value: pairs of a test that holds and AWS's wording of it."""
    metadata = shape.metadata
    kind = shape.type_name
    found: list[Constraint] = []
    low, high = metadata.get("min"), metadata.get("max")
    if kind in _NUMBERS:
        if high is not None:
            text = f"Member must have value less than or equal to {high}"
            found.append((lambda value: value <= high, text))
        if low is not None:
            text = f"Member must have value greater than or equal to {low}"
            found.append((lambda value: value >= low, text))
    elif kind in _SIZED:
        if high is not None:
            text = f"Member must have length less than or equal to {high}"
            found.append((lambda value: len(value) <= high, text))
        if low:
            text = f"Member must have length greater than or equal to {low}"
            found.append((lambda value: len(value) >= low, text))
    if kind == "string":
        found.extend(_text_constraints(metadata))
    return tuple(found)


def _text_constraints(metadata: dict[str, Any]) -> list[Constraint]:
    found: list[Constraint] = []
    pattern = metadata.get("pattern")
    matches = _matcher(pattern) if pattern else None
    if matches is not None:
        found.append((matches, f"Member must satisfy regular expression pattern: {pattern}"))
    if metadata.get("enum"):
        allowed = frozenset(metadata["enum"])
        text = f"Member must satisfy enum value set: [{', '.join(metadata['enum'])}]"
        found.append((allowed.__contains__, text))
    return found


@lru_cache(maxsize=4096)
def _matcher(pattern: str) -> Callable[[str], bool] | None:
    """A full match of a Java pattern, or None where Python cannot compile it or must not run it."""
    if _EXPONENTIAL.search(pattern):
        return None
    translated = pattern
    for java, python in _JAVA_CLASSES:
        translated = translated.replace(java, python)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "possible nested set": Java means something else by it
            compiled = re.compile(translated)
    except (re.error, Warning, OverflowError, RecursionError):
        return None
    longest = _LONGEST_MATCHED_NESTED if _NESTED_REPEAT.search(pattern) else _LONGEST_MATCHED
    fullmatch = compiled.fullmatch
    return lambda value: len(value) > longest or fullmatch(value) is not None
