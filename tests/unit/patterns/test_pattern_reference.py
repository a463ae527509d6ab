"""The compiled matcher against a naive one, written from AWS's description of its own engine.

The naive matcher flattens the event to (name, scalar, index in each array around it), multiplies
``$or`` out and tries every choice of one scalar per field, the indexes of which must agree.
"""

import fnmatch
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.patterns import Dialect, compile_pattern

Fields = list[tuple[str, Any, dict[int, int]]]


def flatten(value: Any, name: str, inside: dict[int, int], arrays: list[int], out: Fields) -> None:
    """Every scalar of an event with its name and where in which arrays it lies."""
    if isinstance(value, dict):
        for key, child in value.items():
            flatten(child, f"{name}.{key}" if name else key, inside, arrays, out)
    elif isinstance(value, list):
        arrays[0] += 1
        identity = arrays[0]
        for index, child in enumerate(value):
            scalar = not isinstance(child, dict | list)
            flatten(child, name, inside if scalar else {**inside, identity: index}, arrays, out)
    else:
        out.append((name, value, inside))


def rules(pattern: dict[str, Any], path: str = "") -> list[dict[str, list[Any]]]:
    """The conjunctions a pattern stands for."""
    found: list[dict[str, list[Any]]] = [{}]
    for key, value in pattern.items():
        if key == "$or" and isinstance(value, list):
            found = [{**one, **two} for one in found for v in value for two in rules(v, path)]
        elif isinstance(value, dict):
            found = [{**one, **two} for one in found for two in rules(value, f"{path}{key}.")]
        else:
            found = [{**one, path + key: value} for one in found]
    return found


def same(one: Any, other: Any) -> bool:
    """JSON equality: 1 is 1.0 and not true."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def accepts(condition: Any, value: Any) -> bool:
    """Whether one value of a leaf's array accepts one scalar."""
    if not isinstance(condition, dict):
        return same(condition, value)
    (name, operand) = next(iter(condition.items()))
    if name == "exists":
        return bool(operand)
    if name == "anything-but":
        if isinstance(operand, dict):
            (inner, texts) = next(iter(operand.items()))
            texts = texts if isinstance(texts, list) else [texts]
            return not any(accepts({inner: text}, value) for text in texts)
        listed = operand if isinstance(operand, list) else [operand]
        return not any(same(each, value) for each in listed)
    if name == "numeric":
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        compare = {
            "=": lambda a, b: a == b,
            "<": lambda a, b: a < b,
            "<=": lambda a, b: a <= b,
            ">": lambda a, b: a > b,
            ">=": lambda a, b: a >= b,
        }
        pairs = zip(operand[::2], operand[1::2], strict=True)
        return all(compare[sign](value, bound) for sign, bound in pairs)
    if not isinstance(value, str):
        return False
    if isinstance(operand, dict):
        (text,) = operand.values()
        return accepts({name: text.lower()}, value.lower())
    if name == "prefix":
        return bool(value[: len(operand)] == operand)
    if name == "suffix":
        return not operand or value[-len(operand) :] == operand
    if name == "equals-ignore-case":
        return bool(value.lower() == operand.lower())
    return fnmatch.fnmatchcase(value, operand)


def agree(one: dict[int, int], other: dict[int, int]) -> bool:
    """Whether two places can be looked at in one go: no array at two indexes."""
    return all(other.get(array, index) == index for array, index in one.items())


def rule_matches(rule: dict[str, list[Any]], fields: Fields) -> bool:
    """Tries every choice: per field a scalar that is accepted, or its absence."""

    def attempt(names: list[str], place: dict[int, int], absent: list[str]) -> bool:
        if not names:
            return not any(n in absent and agree(place, where) for n, _, where in fields)
        first, *others = names
        fitting = (
            where
            for name, value, where in fields
            if name == first and agree(place, where) and any(accepts(c, value) for c in rule[name])
        )
        if any(attempt(others, {**place, **where}, absent) for where in fitting):
            return True
        may_lack = any(c == {"exists": False} for c in rule[first])
        return may_lack and attempt(others, place, [*absent, first])

    return attempt(list(rule), {}, [])


def naive(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """The reference answer."""
    fields: Fields = []
    flatten(event, "", {}, [0], fields)
    return any(rule_matches(rule, fields) for rule in rules(pattern))


texts = st.sampled_from(["", "a", "b", "ab", "AB", "ba", "aab", "bb"])
numbers = st.sampled_from([0, 1, -1, 2, 0.5, 1.0, 2.5])
scalars = texts | numbers | st.booleans() | st.none()
some_text = texts.filter(bool)
wildcards = st.sampled_from(["*", "a*", "*b", "a*b", "*a*", "a*a*", "b*a"])
ranges = st.tuples(
    st.sampled_from([">", ">="]), st.sampled_from([-1, 0]), st.sampled_from(["<", "<="]), st.just(2)
)
expressions = (
    st.builds(lambda t: {"prefix": t}, texts)
    | st.builds(lambda t: {"suffix": t}, texts)
    | st.builds(lambda t: {"prefix": {"equals-ignore-case": t}}, texts)
    | st.builds(lambda t: {"suffix": {"equals-ignore-case": t}}, texts)
    | st.builds(lambda t: {"equals-ignore-case": t}, texts)
    | st.builds(lambda t: {"wildcard": t}, wildcards)
    | st.builds(lambda b: {"exists": b}, st.booleans())
    | st.builds(
        lambda o, n: {"numeric": [o, n]}, st.sampled_from(["=", "<", "<=", ">", ">="]), numbers
    )
    | st.builds(lambda r: {"numeric": list(r)}, ranges)
    | st.builds(
        lambda v: {"anything-but": v},
        texts | numbers | st.lists(texts, min_size=1) | st.lists(numbers, min_size=1),
    )
    | st.builds(
        lambda k, t: {"anything-but": {k: t}},
        st.sampled_from(["prefix", "suffix", "equals-ignore-case"]),
        some_text | st.lists(some_text, min_size=1),
    )
    | st.builds(lambda t: {"anything-but": {"wildcard": t}}, wildcards)
)
leaves = st.lists(scalars | expressions, min_size=1, max_size=3)


def patterns(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Patterns in which a key is always an object or always a leaf: x and y lead on, z ends."""
    ends = {"z": leaves, "w": leaves}
    if not depth:
        return st.fixed_dictionaries({}, optional=ends).filter(bool)
    below = patterns(depth - 1)
    plain = st.fixed_dictionaries({}, optional={"x": below, "y": below, **ends}).filter(bool)
    choices = st.lists(below, min_size=2, max_size=2)
    return plain | st.builds(lambda p, c: {**p, "$or": c}, plain, choices)


def events(depth: int, *, arrays: bool) -> st.SearchStrategy[Any]:
    """Events over the same keys; with arrays anywhere, or without any and with dotted keys."""
    below = events(depth - 1, arrays=arrays) if depth else scalars
    dotted = {} if arrays else dict.fromkeys(["x.z", "x.y", "x.y.z", "y.w"], below)
    ends = scalars | (st.lists(scalars | below, max_size=3) if arrays else below)
    leads = below | (st.lists(scalars | below | st.lists(below, max_size=2)) if arrays else scalars)
    fields = {"x": leads, "y": leads, "z": ends, "w": ends}
    return st.fixed_dictionaries({}, optional={**fields, **dotted})


@settings(max_examples=300)
@given(patterns(2), events(2, arrays=True))
def test_agrees_with_the_naive_matcher_where_events_hold_arrays(
    pattern: dict[str, Any], event: dict[str, Any]
) -> None:
    """Arrays, nested or of objects, match as in AWS's engine: one element for all fields below it."""
    assert compile_pattern(pattern, Dialect.EVENTBRIDGE).matches(event) == naive(pattern, event)


@settings(max_examples=300)
@given(patterns(2), events(2, arrays=False))
def test_agrees_with_the_naive_matcher_where_keys_have_dots(
    pattern: dict[str, Any], event: dict[str, Any]
) -> None:
    """A key with dots in the event is the path it spells."""
    assert compile_pattern(pattern, Dialect.EVENTBRIDGE).matches(event) == naive(pattern, event)


@given(st.text(alphabet="ab*", max_size=8), st.text(alphabet="ab", max_size=12))
def test_wildcards_agree_with_fnmatch(wildcard: str, text: str) -> None:
    """``*`` is any run of characters, in any number of places."""
    while "**" in wildcard:
        wildcard = wildcard.replace("**", "*")
    pattern = compile_pattern({"z": [{"wildcard": wildcard}]}, Dialect.EVENTBRIDGE)
    assert pattern.matches({"z": text}) == fnmatch.fnmatchcase(text, wildcard)
