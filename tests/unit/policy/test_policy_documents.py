"""Which documents are refused, in which words, and what holds for all that are not."""

import fnmatch
import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambent.policy import ANONYMOUS, PolicyError, Principal, Request, evaluate, parse_policy
from lambent.policy.globs import glob

GOOD: dict[str, Any] = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Principal": "*"}
SYNTAX = "Syntax errors in policy."


def document(**changes: Any) -> dict[str, Any]:
    """A good document with one statement changed; None takes an element out."""
    statement = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", SYNTAX),
        ("[" * 10_000, SYNTAX),
        ("[]", SYNTAX),
        ("{}", SYNTAX),
        ({"Version": "2012-10-17", "Statement": []}, SYNTAX),
        ({**document(), "Version": "2013-10-17"}, SYNTAX),
        ({**document(), "Extra": 1}, SYNTAX),
        (document(Effect="allow"), SYNTAX),
        (document(Extra=1), SYNTAX),
        (document(Action=None), "Policy statement must contain actions."),
        (document(Action=1), SYNTAX),
        (document(NotAction="sqs:*"), SYNTAX),
        (
            document(Action="everything"),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (document(Resource="queue"), 'Resource queue must be in ARN format or "*".'),
        (document(Principal=None), "Missing required field Principal"),
        (document(Principal={"AWS": "ann"}), 'Invalid principal in policy: "AWS":"ann"'),
        (
            document(Principal={"AWS": "arn:aws:iam::123456789012:role/*"}),
            'Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:role/*"',
        ),
        (document(Principal={"AWS": []}), SYNTAX),
        (document(Principal={"Who": "*"}), SYNTAX),
        (document(Condition={"StringIs": {"a": "b"}}), "Invalid Condition type : StringIs."),
        (
            document(Condition={"NullIfExists": {"a": "b"}}),
            "Invalid Condition type : NullIfExists.",
        ),
        (
            document(Condition={"ForSome:StringEquals": {"a": "b"}}),
            "Invalid Condition type : ForSome:StringEquals.",
        ),
        (document(Condition={"NumericEquals": {"a": "b"}}), "Invalid number in condition: b"),
        (document(Condition={"IpAddress": {"a": "b"}}), "Invalid IP address in condition: b"),
        (document(Condition={"StringEquals": "b"}), SYNTAX),
        (document(Condition={"StringEquals": {"a": None}}), SYNTAX),
        (
            {"Statement": [{**GOOD, "Sid": "a"}, {**GOOD, "Sid": "a"}]},
            "Statement IDs (SID) in a single policy must be unique.",
        ),
    ],
)
def test_reasons(source: Any, reason: str) -> None:
    """Each document is refused in IAM's words."""
    text = source if isinstance(source, str) else json.dumps(source)
    with pytest.raises(PolicyError) as refused:
        parse_policy(text)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (document(), "Policy document should not specify a principal."),
        (
            {**document(Principal=None), "Version": "2008-10-17"},
            "Policy document must be version 2012-10-17 or greater.",
        ),
        (document(Principal=None, Resource=None), "Policy statement must contain resources."),
    ],
)
def test_reasons_for_policies_of_identities(source: dict[str, Any], reason: str) -> None:
    """A policy of an identity is refused where a resource's is not."""
    with pytest.raises(PolicyError) as refused:
        parse_policy(source, identity=True)
    assert refused.value.reason == reason


words = st.sampled_from(
    ["Version", "Statement", "Effect", "Action", "Resource", "Principal", "Condition", "Sid", "AWS"]
) | st.sampled_from(
    [
        "2012-10-17",
        "Allow",
        "Deny",
        "*",
        "sqs:*",
        "arn:aws:sqs:r:1:q",
        "Null",
        "Bool",
        "${a",
        "${a:b}",
    ]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | words,
    lambda child: st.lists(child, max_size=4) | st.dictionaries(words, child),
    max_leaves=25,
)


@given(st.text(max_size=100) | anything.map(json.dumps), st.booleans())
def test_parsing_raises_only_its_own_error(text: str, identity: bool) -> None:
    """Any text is a policy or refused with a PolicyError; a policy decides on any request."""
    try:
        policy = parse_policy(text, identity=identity)
    except PolicyError:
        return
    assert evaluate([policy], Request(ANONYMOUS, text, text)).allowed in {True, False}


@given(st.sampled_from([*sorted(GOOD), "Condition", "NotAction", "Sid"]), anything)
def test_parsing_any_element_raises_only_its_own_error(element: str, value: Any) -> None:
    """The same for each element of a statement, and for operands of each condition operator."""
    operators = [
        "StringLike",
        "NumericEquals",
        "DateLessThan",
        "Bool",
        "BinaryEquals",
        "IpAddress",
        "Null",
    ]
    shapes = [
        document(**{element: value}),
        document(Condition={o: {"k": value} for o in operators}),
    ]
    for shape in shapes:
        try:
            policy = parse_policy(shape)
        except PolicyError:
            continue
        request = Request(ANONYMOUS, "sqs:SendMessage", "arn:aws:sqs:r:1:q", {"k": "1"})
        assert evaluate([policy], request).allowed in {True, False}


actions = st.sampled_from(["*", "sqs:*", "sqs:SendMessage", "sqs:Re?eiveMessage", "sns:Publish"])
resources = st.sampled_from(["*", "arn:aws:sqs:*:1:*", "arn:aws:sqs:r:1:q", "arn:aws:sqs:r:2:q"])
who = st.sampled_from(["*", {"AWS": "123456789012"}, {"Service": "sns.amazonaws.com"}])
conditions = st.sampled_from([{}, {"StringEquals": {"k": "1"}}, {"Null": {"k": "true"}}])
statements = st.builds(
    lambda effect, a, ka, r, kr, p, kp, c: {"Effect": effect, ka: a, kr: r, kp: p, "Condition": c},
    st.sampled_from(["Allow", "Deny"]),
    actions,
    st.sampled_from(["Action", "NotAction"]),
    resources,
    st.sampled_from(["Resource", "NotResource"]),
    who,
    st.sampled_from(["Principal", "NotPrincipal"]),
    conditions,
)
requests = st.builds(
    Request,
    st.sampled_from(
        [ANONYMOUS, Principal.account("123456789012"), Principal.service("sns.amazonaws.com")]
    ),
    st.sampled_from(["sqs:SendMessage", "sqs:ReceiveMessage", "sns:Publish"]),
    st.sampled_from(["arn:aws:sqs:r:1:q", "arn:aws:sqs:r:2:q"]),
    st.sampled_from([{}, {"k": "1"}, {"K": "2"}]),
)


@given(st.lists(statements, min_size=1, max_size=4), statements, requests)
def test_effects(held: list[dict[str, Any]], another: dict[str, Any], request: Request) -> None:
    """A deny that applies always wins; an allow more never takes access away, a deny more never gives it."""
    policy = parse_policy({"Statement": held})
    before = evaluate([policy], request)
    denied = any(s.effect.value == "Deny" and s.applies(request) for s in policy.statements)
    granted = any(s.effect.value == "Allow" and s.applies(request) for s in policy.statements)
    assert before.explicitly_denied == denied
    assert before.allowed == (granted and not denied)
    for effect in ("Allow", "Deny"):
        more = parse_policy({"Statement": [{**another, "Effect": effect}]})
        after = evaluate([policy, more], request)
        assert after.allowed == evaluate([more, policy], request).allowed
        assert (
            after.allowed >= before.allowed
            if effect == "Allow"
            else after.allowed <= before.allowed
        )


@example("ab*ba", "aba")
@example("a?*?a", "aba")
@example("*a", "")
@example("a*b*c", "abb")
@settings(max_examples=500)
@given(st.text(alphabet="ab*?", max_size=8), st.text(alphabet="ab\n*", max_size=10))
def test_globs_agree_with_fnmatch(pattern: str, text: str) -> None:
    """``*`` and ``?`` are those of fnmatch, over any character."""
    assert glob(pattern)(text) == bool(re.match(fnmatch.translate(pattern), text))


def test_globs_take_no_exponential_time() -> None:
    """A pattern of hundreds of wildcards against a long text that nearly matches ends at once."""
    assert not glob("a*" * 5_000 + "?b")("a" * 50_000)
    spaced = document(Condition={"StringLike": {"k": "${a" + " " * 100_000 + "b}"}})
    request = Request(ANONYMOUS, "sqs:SendMessage", "arn:aws:sqs:r:1:q", {"k": "a"})
    assert not evaluate([parse_policy(spaced)], request).allowed
