"""What is refused, and in which words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.patterns import Dialect, PatternError, compile_pattern, error_message

REASONS: list[tuple[str, str]] = [
    ("", "Invalid JSON"),
    ('{"a": [NaN]}', "Invalid JSON"),
    ("[" * 4000, "Invalid JSON"),
    ("[]", "Filter is not an object"),
    ("{}", "Empty objects are not allowed"),
    ('{"a": {}}', "Empty objects are not allowed"),
    ('{"int": 42}', '"int" must be an object or an array'),
    ('{"a": []}', "Empty arrays are not allowed"),
    ('{"a": [["b"]]}', "Match value must be String, number, true, false, or null"),
    ('{"a": [{"EXISTS": true}]}', "Unrecognized match type EXISTS"),
    ('{"a": [{}]}', "Match expression name not found"),
    ('{"a": [{"suffix": 100}]}', "suffix match pattern must be a string"),
    ('{"a": [{"suffix": "x", "prefix": "y"}]}', "Only one key allowed in match expression"),
    ('{"a": [{"prefix": {"suffix": "x"}}]}', "Unsupported prefix pattern: suffix"),
    ('{"a": [{"exists": "no"}]}', "exists match pattern must be either true or false."),
    ('{"a": [{"numeric": []}]}', "Invalid member in numeric match: ]"),
    ('{"a": [{"numeric": [1, "<="]}]}', "Invalid member in numeric match: 1"),
    ('{"a": [{"numeric": ["operator"]}]}', "Unrecognized numeric range operator: operator"),
    ('{"a": [{"numeric": ["=", "000"]}]}', "Value of equals must be numeric"),
    ('{"a": [{"numeric": [">="]}]}', "Value of >= must be numeric"),
    ('{"a": [{"numeric": ["<", 100, ">", 10]}]}', "Too many elements in numeric expression"),
    ('{"a": [{"numeric": [">=", 1, ">", 2]}]}', "Bad numeric range operator: >"),
    ('{"a": [{"numeric": [">", 3, "<", 1]}]}', "Bottom must be less than top"),
    ('{"a": [{"numeric": [">", 20, "<="]}]}', "Value of <= must be numeric"),
    ('{"a": [{"numeric": [">", 20, 30]}]}', "Bad value in numeric range: 30"),
    (
        '{"a": [{"numeric": [">", 20, "<", 30, "<", 50]}]}',
        "Too many terms in numeric range expression",
    ),
    ('{"a": [{"numeric": ["=", 5e10]}]}', "Value must be between -5.0E9 and 5.0E9, inclusive"),
    (
        '{"a": [{"anything-but": {"equals-ignore-case": [123, 456]}}]}',
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
    ),
    ('{"a": [{"anything-but": {"prefix": ""}}]}', "Null prefix/suffix not allowed"),
    ('{"a": [{"anything-but": {"cidr": "x"}}]}', "Unsupported anything-but pattern: cidr"),
    (
        '{"a": [{"anything-but": ["x", 1]}]}',
        (
            "Inside anything but list, either all values are number or string, "
            "mixed type is not supported"
        ),
    ),
    ('{"a": [{"cidr": "10.0.0.0"}]}', "Malformed CIDR, one '/' required"),
    ('{"a": [{"cidr": "10.0.0.0/x"}]}', "Malformed CIDR, mask bits must be an integer"),
    ('{"a": [{"cidr": "10.0.0/24"}]}', "Nonstandard IP address: 10.0.0"),
    ('{"a": [{"cidr": "10.0.0.0/32"}]}', "IPv4 mask bits must be < 32"),
    (
        '{"a": [{"wildcard": "arn:aws:events:us-east-1:**"}]}',
        "Consecutive wildcard characters at pos 26",
    ),
    ('{"a": [{"wildcard": "a\\\\b"}]}', "Invalid escape character at pos 2"),
    ('{"$or": [{"a": [1]}]}', "There must have at least 2 Objects in $or relationship."),
    ('{"$or": [1, 2]}', "Only JSON object is allowed in array of $or relationship."),
]


@pytest.mark.parametrize(("text", "reason"), REASONS)
def test_reasons_are_those_aws_gives(text: str, reason: str) -> None:
    """Each text is refused with AWS's recorded wording, less the position in the text."""
    with pytest.raises(PatternError) as refused:
        compile_pattern(text, Dialect.EVENTBRIDGE)
    assert refused.value.reason == reason


def test_each_service_words_the_error_its_own_way() -> None:
    """One reason, five messages: SNS has two, and one more for nested attribute policies."""
    error = PatternError("Empty arrays are not allowed")
    assert error_message(error, Dialect.EVENTBRIDGE) == (
        "Event pattern is not valid. Reason: Empty arrays are not allowed"
    )
    assert error_message(error, Dialect.LAMBDA) == "Invalid filter pattern definition."
    assert error_message(error, Dialect.SNS_BODY) == (
        "Invalid parameter: FilterPolicy: Empty arrays are not allowed"
    )
    assert error_message(error, Dialect.SNS_ATTRIBUTES, subscribing=True) == (
        "Invalid parameter: Attributes Reason: FilterPolicy: Empty arrays are not allowed"
    )
    with pytest.raises(PatternError) as nested:
        compile_pattern('{"a": {"b": ["c"]}}', Dialect.SNS_ATTRIBUTES)
    assert error_message(nested.value, Dialect.SNS_ATTRIBUTES) == (
        "Invalid parameter: Filter policy scope MessageAttributes does not support nested "
        "filter policy"
    )


def test_or_is_limited_before_it_is_multiplied_out() -> None:
    """$or beyond 1,000 combinations is refused, however many it would make."""
    pattern = {f"k{i}": {"$or": [{"a": [1]}, {"b": [2]}]} for i in range(60)}
    with pytest.raises(PatternError, match="too complex"):
        compile_pattern(pattern, Dialect.EVENTBRIDGE)


def test_or_of_long_paths_is_limited() -> None:
    """Few combinations of many steps each are as many steps as many combinations of few."""
    choices = {f"k{i}": {"$or": [{c: [1]} for c in "abcdefghij"]} for i in range(3)}
    deep = '{"a":' * 90 + "[1]" + "}" * 90
    assert compile_pattern(choices, Dialect.EVENTBRIDGE).matches({k: {"c": 1} for k in choices})
    with pytest.raises(PatternError, match="too complex"):
        compile_pattern({**choices, "d": json.loads(deep)}, Dialect.EVENTBRIDGE)


@pytest.mark.parametrize("depth", [101, 1_000, 100_000])
def test_depth_is_limited(depth: int) -> None:
    """A pattern nested too deeply is refused, as text and as an object, without overflowing."""
    with pytest.raises(PatternError):
        compile_pattern('{"a":' * depth + "[1]" + "}" * depth, Dialect.SNS_BODY)


@pytest.mark.parametrize("leaf", ['["x"]', '[{"exists": false}]', '["x", {"exists": false}]'])
def test_depth_costs_no_more_than_its_square(leaf: str) -> None:
    """The deepest pattern allowed compiles and matches at once, whatever it asks at the end."""
    pattern = compile_pattern('{"a":' * 100 + leaf + "}" * 100, Dialect.EVENTBRIDGE)
    event: dict[str, Any] = {"a": "x"}
    for _ in range(99):
        event = {"a": [event, {"b": 1}]}
    assert pattern.matches(event) is ('"x"' in leaf)


def test_text_is_limited() -> None:
    """EventBridge and Lambda take 4,096 characters."""
    text = json.dumps({"a": ["x" * 4_096]})
    with pytest.raises(PatternError, match="4096"):
        compile_pattern(text, Dialect.LAMBDA)
    assert compile_pattern(text, Dialect.SNS_BODY).matches({"a": "x" * 4_096})


words = st.sampled_from(
    ["a", "$or", "prefix", "suffix", "anything-but", "numeric", "exists", "wildcard", "cidr"]
) | st.sampled_from(
    ["equals-ignore-case", "exactly", ">", "<=", "=", "*", "\\", "a*", "10.0.0.0/8", "::/0"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | words,
    lambda child: st.lists(child, max_size=4) | st.dictionaries(words | st.text(max_size=3), child),
    max_leaves=25,
)


@given(st.text(max_size=200) | anything.map(json.dumps), st.sampled_from(Dialect), anything)
def test_compiling_text_raises_only_its_own_error(text: str, dialect: Dialect, event: Any) -> None:
    """Any text compiles or is refused with a PatternError; what compiles takes any document."""
    try:
        pattern = compile_pattern(text, dialect)
    except PatternError:
        return
    assert pattern.matches(event) in {True, False}


@given(anything, st.sampled_from(Dialect), anything)
def test_compiling_objects_raises_only_its_own_error(
    source: Any, dialect: Dialect, event: Any
) -> None:
    """The same for objects: an $or, a leaf or an operand of any shape."""
    for shaped in (source, {"a": source}, {"a": [source]}, {"$or": [source, source]}):
        try:
            pattern = compile_pattern(shaped, dialect)
        except PatternError:
            continue
        assert pattern.matches({"a": event}) in {True, False}
