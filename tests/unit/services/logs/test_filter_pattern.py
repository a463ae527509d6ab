"""services.logs.filter_pattern: AWS's examples, and no surprise for any input."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.errors import AwsError
from lambent.services.logs.filter_pattern import InvalidPattern, parse

EVENT = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "ThisFlag": True,
    "user": {"id": 1, "email": "John.Stiles@example.com"},
    "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3}],
    "actions": ["GET", "PUT", "DELETE"],
    "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
    "latency": 55.5,
    "errorCode": 400,
    "code-text": "400",
    "cluster.name": "c1",
    "star": "a*b",
}


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR] A fatal exception has occurred", True),
        ("ERROR", "Exiting with ERRORCODE: -1", True),
        ("ERROR", "error", False),
        ("ERROR -Exiting", "Exiting with ERRORCODE: -1", False),
        ('"ERROR" - "Exiting"', "[ERROR] A fatal", True),
        ("ERROR Exception", "[ERROR] Caught IllegalArgumentException", True),
        ("ERROR Exception", "[ERROR] only", False),
        ('"process the request"', "Failed to process the request", True),
        ('"process the request"', "the request process", False),
        ("?ERROR ?WARN", "WARN message", True),
        ("?ERROR ?WARN", "INFO message", False),
        ('?"Task timed out" ?x', "... Task timed out after", True),
        ("?ERROR must", "must", True),
        ("-DEBUG", "INFO", True),
        ("-DEBUG", "DEBUG", False),
        (r'"a \"b\" \\c"', r'a "b" \c', True),
        ("größe_1", "die größe_1", True),
    ],
)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    """Terms are case sensitive parts of the message: all, none of, any of."""
    assert parse(pattern).matches(message) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ("{ $.eventType = UpdateTrail }", True),
        ("{ $.eventType != UpdateTrail }", False),
        ("{$.eventType=Update*}", True),
        ("{ $.eventType = *Trail }", True),
        ("{ $.eventType = *dateTr* }", True),
        ("{ $.eventType = * }", True),
        ('{ $.missing = "*" }', False),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ("{ $.sourceIPAddress = 111.111.* }", True),
        ('{ $.arrayKey[0] = "value" }', True),
        ("{ $.arrayKey[9] = value }", False),
        ("{ $.objectList[1].id = 2 }", True),
        ("{ $.objectList[*].id = 2 }", True),
        ("{ $.objectList[*].id = 7 }", False),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.eventType IS NULL }", False),
        ("{ $.SomeOtherObject NOT EXISTS }", True),
        ("{ $.SomeObject NOT EXISTS }", False),
        ("{ $.ThisFlag IS TRUE }", True),
        ("{ $.ThisFlag IS FALSE }", False),
        ("{ $.ThisFlag = 1 }", False),
        ('{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }', True),
        ('{ ($.user.id = 2 && $.users[0].email = "non") || $.actions[2] = "GET" }', False),
        (
            "{ $.user.email = John.* || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch }",
            True,
        ),
        (
            "{ ($.user.email = John.* || $.coordinates[0][1] = non) && $.actions[2] = nomatch }",
            False,
        ),
        ("{ $.users = 1 }", False),
        ("{ $.users != 1 }", False),
        ("{ $.missing != x }", False),
        ("{ $.latency >= 55.5 }", True),
        ("{ $.latency > 10e3 }", False),
        ("{ $.latency > 10e-3 }", True),
        ("{ $.latency < +1000 }", True),
        ("{ $.errorCode = 400 }", True),
        ("{ $.errorCode = 4* }", True),
        ("{ $.errorCode != 500 }", True),
        ("{ $.code-text = 400 }", True),
        ("{ $.code-text < 500 }", False),
        ("{ $.['cluster.name'] = c1 }", True),
        ('{ $["cluster.name"] = c1 }', True),
    ],
)
def test_json(pattern: str, expected: bool) -> None:
    """AWS's documented conditions hold, or not, for its documented event."""
    assert parse(pattern).matches(json.dumps(EVENT)) is expected


def test_what_is_no_json_object_never_matches() -> None:
    """Text, arrays, broken and absurdly deep JSON do not match, and do no harm."""
    pattern = parse("{ $.a NOT EXISTS }")
    assert pattern.matches(' {"b": 1}\n')
    for message in ("", "text", "[]", "{", '{"b": 1} x', '{"a":' * 100_000):
        assert not pattern.matches(message)


@pytest.mark.parametrize(
    "pattern",
    [
        "a:b",
        "Status: timeout",
        "ERROR*",
        '"open',
        "(",
        "-",
        "{",
        "{}",
        "{ $.a }",
        "{ $ = 1 }",
        "{ $.a = }",
        "{ $.a > x }",
        '{ $.a > "1" }',
        "{ $.a = 1 } x",
        "{ ($.a = 1 }",
        "{ $.a = 1 && }",
        '{ $."a" = 1 }',
        "{ $.a IS EXISTS }",
        "{ $.a NOT NULL }",
        "{" + "(" * 500 + "$.a=1" + ")" * 500 + "}",
    ],
)
def test_invalid_patterns(pattern: str) -> None:
    """What is no pattern is an error of its own kind."""
    with pytest.raises(InvalidPattern):
        parse(pattern)


def test_awss_words_for_a_bad_character() -> None:
    """The message is CloudWatch's: the term it could not read."""
    with pytest.raises(InvalidPattern, match=r"^Invalid character\(s\) in term ':'$"):
        parse("?Status: timeout")


@pytest.mark.parametrize("pattern", ["[w1=ERROR, w2]", "%a.c%", "{ $.a = %x% }"])
def test_kinds_not_supported_yet_are_refused(pattern: str) -> None:
    """Space-delimited and regular expression patterns are refused, not misread."""
    with pytest.raises(AwsError) as error:
        parse(pattern)
    assert error.value.status == 501


noise = st.text(st.sampled_from("{}()[]$.*=!<>&|\"\\'% -?,azISNOT0123eE+é"), max_size=60)
json_noise = noise.map(lambda text: "{ $.a = 1 && " + text + " }")


@given(st.one_of(noise, json_noise, st.text(max_size=40)), st.text(max_size=40))
def test_any_text_is_a_pattern_or_refused(pattern: str, message: str) -> None:
    """No text makes the parser or the matcher fail in another way than by refusing."""
    try:
        parsed = parse(pattern)
    except (InvalidPattern, AwsError):
        return
    assert parsed.matches(message) in {True, False}
    assert parsed.matches(json.dumps({"a": message})) in {True, False}


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_quoted_phrase_is_found_wherever_it_is(phrase: str, before: str, after: str) -> None:
    """Any text, quoted, matches every message that holds it, and its exclusion none."""
    quoted = '"' + phrase.replace("\\", "\\\\").replace('"', '\\"') + '"'
    message = before + phrase + after
    assert parse(quoted).matches(message)
    assert not parse(f"-{quoted}").matches(message)


values = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["x", "yx", ""]))


@given(st.dictionaries(st.sampled_from("ab"), values), st.integers(-5, 5))
def test_numbers_agree_with_python(document: dict[str, Any], wanted: int) -> None:
    """For a number, exactly one of <, =, > holds; for anything else neither < nor > does."""
    message = json.dumps(document)
    outcome = [parse(f"{{ $.a {sign} {wanted} }}").matches(message) for sign in "<=>"]
    value = document.get("a")
    if type(value) is int:
        assert outcome == [value < wanted, value == wanted, value > wanted]
    else:
        assert outcome == [False, False, False]


@given(st.dictionaries(st.sampled_from("ab"), values))
def test_and_or_agree_with_their_parts(document: dict[str, Any]) -> None:
    """Compound conditions are the logic of their parts, && before ||."""
    message = json.dumps(document)
    first, second, third = "$.a = x", "$.b IS TRUE", "$.a NOT EXISTS"
    a, b, c = (parse(f"{{ {part} }}").matches(message) for part in (first, second, third))
    plain = parse(f"{{ {first} || {second} && {third} }}")
    grouped = parse(f"{{ ({first} || {second}) && {third} }}")
    assert plain.matches(message) == (a or (b and c))
    assert grouped.matches(message) == ((a or b) and c)
