"""A branch compiled to closures over the event, field by field.

What the closures hold to, which is what AWS's engine does:

1. A field is there when a scalar lies at its path; ``{}`` and ``[]`` are no values.
2. An array matches when any of its elements does. The fields below one array of objects must be
   found in one and the same element.
3. A field that must be absent is looked for in the element the others were found in; where no
   other was, in all elements.
4. Keys with dots in the event are steps (``{"a.b": 1}`` is ``{"a": {"b": 1}}``).

Source: https://github.com/aws/event-ruler, ``Event`` and ``ArrayMembership``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambent.patterns.operators import Leaf

Check = Callable[[Any], bool]

_MISSING: Any = ()
"""Stands for a key that is not there: iterates as nothing, equals no JSON value."""


@dataclass(slots=True)
class _Step:
    """One step of the paths: what may lie here, and the steps below."""

    leaf: Leaf | None = None
    below: dict[str, "_Step"] = field(default_factory=dict)


def compile_branch(branch: Mapping[str, Leaf]) -> Check:
    """A check of the whole event, which is an object."""
    root = _Step()
    for name, leaf in branch.items():
        step = root
        for part in name.split("."):
            step = step.below.setdefault(part, _Step())
        step.leaf = leaf
    return _object_check(root)


def _object_check(step: _Step, value_check: Callable[[_Step], Check] | None = None) -> Check:
    value_check = value_check or _value_check
    checks = tuple((key, value_check(child)) for key, child in step.below.items())
    leads_on = any(child.below for child in step.below.values())

    def matches(document: dict[str, Any]) -> bool:
        if leads_on and "." in "".join(document):
            document = _undotted(document, step)
        for key, check in checks:  # noqa: SIM110 - all() with a generator takes twice as long
            if not check(document.get(key, _MISSING)):
                return False
        return True

    return matches


def _value_check(step: _Step) -> Check:
    leaf = None if step.leaf is None else _leaf_check(step.leaf)
    if not step.below:
        return leaf or _always
    below = _below_check(step)
    if leaf is None:
        return below
    here = leaf
    return lambda value: here(value) and below(value)


def _below_check(step: _Step) -> Check:
    matches = _object_check(step)
    if not matches({}):

        def some(value: Any) -> bool:
            if type(value) is dict:
                return matches(value)
            return type(value) is list and any(map(matches, _objects(value)))

        return some
    lacks = _object_check(step, _absence_check)

    def some_or_none(value: Any) -> bool:
        if type(value) is dict:
            return matches(value)
        if type(value) is not list:
            return True
        elements = list(_objects(value))
        return all(map(lacks, elements)) or any(
            matches(element) and not lacks(element) for element in elements
        )

    return some_or_none


def _leaf_check(leaf: Leaf) -> Check:
    accepts, absent = leaf.accepts, leaf.absent
    strings = frozenset(scalar for kind, scalar in leaf.exact if kind is str)
    only_strings = len(strings) == len(leaf.exact) and not leaf.tests

    def check(value: Any) -> bool:
        if type(value) is str:
            return value in strings or (not only_strings and accepts(value))
        if type(value) in _CONTAINERS:
            scalars = list(_scalars(value))
            return any(map(accepts, scalars)) if scalars else absent
        return accepts(value)

    return check


def _absence_check(step: _Step) -> Check:
    """None of the fields here and below is there, in any element."""
    below = _object_check(step, _absence_check) if step.below else _always
    here = _always if step.leaf is None else _is_absent

    def lacks(value: Any) -> bool:
        if isinstance(value, dict):
            return below(value)
        return here(value) and (not isinstance(value, list) or all(map(below, _objects(value))))

    return lacks


def _is_absent(value: Any) -> bool:
    return type(value) in _CONTAINERS and next(_scalars(value), _MISSING) is _MISSING


def _always(_: object) -> bool:
    return True


_CONTAINERS = frozenset({dict, list, tuple})


def _scalars(value: Any) -> Iterator[Any]:
    """The scalars of arrays within arrays, in order, without recursion; of an object, none."""
    stack = [value]
    while stack:
        element = stack.pop()
        if isinstance(element, list):
            stack.extend(reversed(element))
        elif not isinstance(element, dict) and element is not _MISSING:
            yield element


def _objects(array: list[Any]) -> Iterator[dict[str, Any]]:
    """The objects of arrays within arrays, in order, without recursion."""
    stack = [array]
    while stack:
        element = stack.pop()
        if isinstance(element, list):
            stack.extend(reversed(element))
        elif isinstance(element, dict):
            yield element


def _undotted(document: dict[str, Any], step: _Step) -> dict[str, Any]:
    """The object with the keys the pattern knows by steps put where those steps lead."""
    plain: dict[str, Any] = {}
    for key, value in document.items():
        head, *tail = key.split(".")
        if not tail or not _leads(step, key):
            head, tail = key, []
        for part in reversed(tail):
            value = {part: value}  # noqa: PLW2901 - wrapped once for each step
        plain[head] = _merged(plain[head], value) if head in plain else value
    return plain


def _leads(step: _Step, key: str) -> bool:
    """Whether the steps a key spells are steps of the pattern."""
    current: _Step | None = step
    for part in key.split("."):
        current = None if current is None else current.below.get(part)
    return current is not None


def _merged(one: Any, other: Any) -> Any:
    """Both values at once: objects key by key, anything else side by side in an array."""
    if isinstance(one, dict) and isinstance(other, dict):
        both = dict(one)
        for key, value in other.items():
            both[key] = _merged(both[key], value) if key in both else value
        return both
    values = one if isinstance(one, list) else [one]
    if isinstance(other, dict) and any(isinstance(value, dict) for value in values):
        return [_merged(value, other) if isinstance(value, dict) else value for value in values]
    if isinstance(other, list):
        return _merged(other, one) if isinstance(one, dict) else [*values, *other]
    return [*values, other]
