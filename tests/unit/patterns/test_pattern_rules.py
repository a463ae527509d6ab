"""What matches what: AWS's documented and recorded examples, one line each."""

import json
from typing import Any

import pytest

from lambent.patterns import Dialect, compile_pattern

MATCHES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"a": ["x"]}, {"a": "x", "b": 1}),
    ({"a": [None]}, {"a": None}),
    ({"a": [""]}, {"a": ""}),
    ({"a": [True]}, {"a": True}),
    ({"a": [300]}, {"a": 3.0e2}),
    ({"a": [123456789012]}, {"a": 123456789012}),
    ({"a": ["x", "y"]}, {"a": ["z", "y"]}),
    ({"a": {"b": [1], "c": [2]}}, {"a": [{"b": 1, "c": 2}, {"b": 3}]}),
    ({"a": [{"anything-but": "x"}]}, {"a": None}),
    ({"a": [{"anything-but": {"prefix": "in"}}]}, {"a": 12}),
    ({"a": [{"anything-but": ["rugby", "tennis"]}]}, {"a": ["rugby", "baseball"]}),
    ({"a": [{"anything-but": {"wildcard": ["*x", "y*"]}}]}, {"a": "z"}),
    ({"a": [{"exists": False}]}, {"b": 1}),
    ({"a": {"b": [{"exists": False}]}}, {"c": 1}),
    ({"a": [{"exists": False}]}, {"a": {"b": 1}}),
    ({"a": {"b": [{"exists": False}]}}, {"a": [{"c": 1}, {"c": 2}]}),
    ({"a": {"b": [{"exists": False}], "c": [2]}}, {"a": [{"b": 1}, {"c": 2}]}),
    ({"a": {"b": [{"exists": False}, 1]}}, {"a": [{"b": 1}, {"b": 2}]}),
    ({"a": [{"exists": False}]}, {"a": []}),
    ({"a": [{"exists": True}]}, {"a": None}),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.255"}),
    ({"a": [{"cidr": "2001:db8::/32"}]}, {"a": "2001:DB8:0::1"}),
    ({"a": [{"numeric": ["=", 3.018e2]}]}, {"a": 301.8}),
    ({"a": [{"numeric": [">=", -5e9]}]}, {"a": -5000000000}),
    ({"a": [{"wildcard": "x*y\\*"}]}, {"a": "x-y*"}),
    ({"a": [{"wildcard": "\\\\*"}]}, {"a": "\\anything"}),
    ({"a": [{"prefix": {"equals-ignore-case": "eVe"}}]}, {"a": "EventBus"}),
    ({"a": [{"suffix": {"equals-ignore-case": ".PNG"}}]}, {"a": "x.png"}),
    ({"a.b": [1]}, {"a": {"b": 1}}),
    ({"a": {"b": [1]}}, {"a.b": 1}),
    ({"s": [1], "$or": [{"m": [2]}, {"n": [3]}]}, {"s": 1, "n": 3}),
    ({"$or": {"m": [2]}}, {"$or": {"m": 2}}),
    ({"a": [{"exactly": "x"}]}, {"a": "x"}),
]

MISSES: list[tuple[dict[str, Any], Any]] = [
    ({"a": ["x"]}, {"a": "X"}),
    ({"a": [1]}, {"a": True}),
    ({"a": [1]}, {"a": "1"}),
    ({"a": [None]}, {"a": []}),
    ({"a": [None]}, {}),
    ({"a": {"b": [1], "c": [2]}}, {"a": [{"b": 1}, {"c": 2}]}),
    ({"a": [{"anything-but": "x"}]}, {}),
    ({"a": [{"anything-but": [1, 2]}]}, {"a": 1.0}),
    ({"a": [{"exists": True}]}, {"a": {"b": 1}}),
    ({"a": {"b": [{"exists": False}]}}, {"a": [{"b": 1}, {"c": 2}]}),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.1.0"}),
    ({"a": [{"cidr": "::/1"}]}, {"a": "10.0.1.0"}),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "nowhere\0"}),
    ({"a": [{"numeric": [">", 0]}]}, {"a": 5_000_000_001}),
    ({"a": [{"numeric": [">", 0]}]}, {"a": "1"}),
    ({"a": [{"numeric": [">", 0]}]}, {"a": 1.0000001}),
    ({"a": [{"wildcard": "ab*ba"}]}, {"a": "aba"}),
    ({"a": ["x"]}, ["x"]),
    ({"a": ["x"]}, "x"),
]


@pytest.mark.parametrize(("pattern", "event"), MATCHES, ids=json.dumps)
def test_matches(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    """Each event is one AWS delivers, for the pattern as an object and as text."""
    assert compile_pattern(pattern, Dialect.EVENTBRIDGE).matches(event)
    assert compile_pattern(json.dumps(pattern), Dialect.LAMBDA).matches(event)


@pytest.mark.parametrize(("pattern", "event"), MISSES, ids=json.dumps)
def test_misses(pattern: dict[str, Any], event: object) -> None:
    """Each event is one AWS does not deliver."""
    assert not compile_pattern(pattern, Dialect.EVENTBRIDGE).matches(event)


def test_many_wildcards_take_linear_time() -> None:
    """A pattern of 1,500 wildcards against a megabyte that nearly matches ends at once."""
    pattern = compile_pattern({"a": [{"wildcard": "a*" * 1500 + "b"}]}, Dialect.LAMBDA)
    assert not pattern.matches({"a": "a" * 1_000_000})
    assert pattern.matches({"a": "a" * 1_000_000 + "b"})


def test_deep_events_do_not_overflow() -> None:
    """An event of arrays nested deeper than Python's stack is matched, not refused."""
    nested: Any = "x"
    for _ in range(100_000):
        nested = [nested]
    assert compile_pattern({"a": ["x"]}, Dialect.EVENTBRIDGE).matches({"a": nested})
    while isinstance(nested, list):  # taken apart here: the collector would recurse
        nested = nested.pop()
