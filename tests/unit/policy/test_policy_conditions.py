"""Condition operators, one line each."""

from typing import Any

import pytest

from lambent.policy import Principal, Request, evaluate, parse_policy

ROLE_SESSION = "arn:aws:sts::123456789012:assumed-role/r/s"


def holds(conditions: Any, **context: Any) -> bool:
    """Whether a statement with the conditions applies to a role's session in the context."""
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}
    policy = parse_policy(
        {"Version": "2012-10-17", "Statement": {**statement, "Condition": conditions}}
    )
    request = Request(Principal.aws(ROLE_SESSION), "sqs:SendMessage", "arn:aws:sqs:r:1:q", context)
    return evaluate([policy], request).allowed


@pytest.mark.parametrize(
    ("operator", "operand", "accepted", "refused"),
    [
        ("StringEquals", ["a", "b"], "b", "B"),
        ("StringEquals", "a*", "a*", "ab"),
        ("StringNotEquals", ["a", "b"], "c", "a"),
        ("StringEqualsIgnoreCase", "Ab", "aB", "a"),
        ("StringNotEqualsIgnoreCase", "Ab", "a", "aB"),
        ("StringLike", "a*c?", "abccd", "abc"),
        ("StringNotLike", "a*", "ba", "ab"),
        ("NumericEquals", 10, "10.0", "11"),
        ("NumericNotEquals", "10", "11", "1e1"),
        ("NumericLessThan", "10", 9.5, 10),
        ("NumericLessThanEquals", "10", 10, 10.5),
        ("NumericGreaterThan", "10", "10.1", "x"),
        ("NumericGreaterThanEquals", "10", "10", "nan"),
        ("DateEquals", "2024-01-01T00:00:00Z", "1704067200", "1704067201"),
        ("DateNotEquals", "2024-01-01", "2024-01-02T00:00:00Z", "2024-01-01T01:00:00+01:00"),
        ("DateLessThan", "2024-01-01T00:00:00Z", "2023-12-31T23:59:59Z", "2024-01-01T00:00:00Z"),
        ("DateLessThanEquals", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "soon"),
        ("DateGreaterThan", "1704067200", "2024-01-01T00:00:01Z", "2024-01-01T00:00:00Z"),
        ("DateGreaterThanEquals", "1704067200", "2024-01-01T00:00:00Z", "2023-01-01"),
        ("Bool", "true", True, "false"),
        ("Bool", False, "False", "true"),
        ("BinaryEquals", "QUJD", "QUJD", "QUJE"),
        ("IpAddress", ["10.0.0.0/8", "2001:db8::/32"], "2001:db8::1", "11.0.0.1"),
        ("IpAddress", "203.0.113.7", "203.0.113.7", "nowhere"),
        ("NotIpAddress", "10.0.0.0/8", "11.0.0.1", "10.0.0.1"),
        ("ArnEquals", "arn:aws:sns:*:1:t", "arn:aws:sns:r:1:t", "arn:aws:sns:r:1:t2"),
        ("ArnLike", "arn:aws:s3:::*", "arn:aws:s3:::a:b", "arn:aws:s3:r::a"),
        ("ArnNotEquals", "arn:aws:sns:r:1:*", "arn:aws:sns:r:2:t", "arn:aws:sns:r:1:t"),
        ("ArnNotLike", "arn:aws:sns:r:1:*", "t", "arn:aws:sns:r:1:t"),
    ],
)
def test_operators(operator: str, operand: Any, accepted: Any, refused: Any) -> None:
    """Each holds for one value and not for the other, without the key if negated or ``IfExists``."""
    condition = {operator: {"aws:Key": operand}}
    assert holds(condition, **{"AWS:KEY": accepted})
    assert not holds(condition, **{"AWS:KEY": refused})
    assert holds(condition) is ("Not" in operator)
    assert holds({f"{operator}IfExists": {"aws:Key": operand}})
    assert not holds({f"{operator}IfExists": {"aws:Key": operand}}, **{"aws:key": refused})


def test_null_asks_whether_the_key_is_there() -> None:
    """``true`` wants it absent, ``false`` present."""
    assert holds({"Null": {"k": "true"}})
    assert not holds({"Null": {"k": "true"}}, k="")
    assert holds({"Null": {"k": False}}, k="x")
    assert not holds({"Null": {"k": False}}, k=[])


@pytest.mark.parametrize(
    ("values", "every", "some", "none_of"),
    [
        (["a"], True, True, False),
        (["a", "b"], True, True, False),
        (["a", "x"], False, True, False),
        (["x", "y"], False, False, True),
        ([], True, False, True),
    ],
)
def test_sets(values: list[str], every: bool, some: bool, none_of: bool) -> None:
    """ForAllValues asks every value, none included; ForAnyValue one; negation asks each not to be listed."""
    operand = {"k": ["a", "b"]}
    assert holds({"ForAllValues:StringEquals": operand}, k=values) is every
    assert holds({"ForAnyValue:StringEquals": operand}, k=values) is some
    assert holds({"ForAllValues:StringNotEquals": operand}, k=values) is none_of


def test_sets_without_the_key() -> None:
    """Absent, every one of no values will do and none of them can."""
    assert holds({"ForAllValues:StringEquals": {"k": "a"}})
    assert not holds({"ForAnyValue:StringEquals": {"k": "a"}})
    assert not holds({"ForAnyValue:StringNotEquals": {"k": "a"}})


def test_all_conditions_must_hold() -> None:
    """Operators and keys are all asked."""
    both = {"StringEquals": {"a": "1", "b": "2"}, "Bool": {"aws:SecureTransport": "true"}}
    assert holds(both, **{"a": "1", "b": "2", "aws:SecureTransport": True})
    assert not holds(both, **{"a": "1", "b": "3", "aws:SecureTransport": True})
    assert not holds(both, a="1", b="2")


def test_keys_that_follow_from_the_principal() -> None:
    """A session is known by its role's ARN, and by its account."""
    assert holds({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/r"}})
    assert holds({"StringEquals": {"aws:PrincipalAccount": "123456789012"}})
    assert holds({"Bool": {"aws:PrincipalIsAWSService": "false"}})


def test_variables() -> None:
    """A variable is its value letter by letter, its default, or matches nothing."""
    assert holds({"StringEquals": {"k": "x-${aws:PrincipalAccount}"}}, k="x-123456789012")
    assert holds({"StringLike": {"k": "${other}*"}}, k="a*b", other="a*")
    assert not holds({"StringLike": {"k": "${other}"}}, k="abc", other="a*")
    assert holds({"StringLike": {"k": "${*}${?}"}}, k="*?")
    assert not holds({"StringLike": {"k": "${missing}*"}}, k="x")
    assert holds({"StringLike": {"k": "${missing, 'x'}*"}}, k="xy")
    assert holds({"StringEqualsIgnoreCase": {"k": "${Other}"}}, k="aB", other="Ab")
    assert holds(
        {"ArnLike": {"k": "arn:aws:sns:r:${aws:PrincipalAccount}:*"}},
        k="arn:aws:sns:r:123456789012:t",
    )
