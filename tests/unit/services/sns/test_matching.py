"""Filter policies by scope: what they look at, and what they never see."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lambent.model.outgoing import Attribute
from lambent.services.sns.matching import Filter
from lambent.services.sns.publication import Publication
from lambent.services.sns.subscription import State, Subscription

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)


def _subscription(
    policy: Any, scope: str = "MessageAttributes", protocol: str = "sqs"
) -> Subscription:
    attributes = {"FilterPolicy": json.dumps(policy), "FilterPolicyScope": scope}
    return Subscription("s", "t", protocol, "e", "1", State.CONFIRMED, "p", attributes)


def _passes(publication: Publication, subscription: Subscription) -> bool:
    return Filter(publication).passes(subscription)


@given(TEXT, TEXT, TEXT)
def test_a_scope_looks_at_its_own_part_only(key: str, value: str, other: str) -> None:
    """The same pair passes as an attribute under one scope, in the body under the other."""
    policy = {f"k{key}": [value]}
    in_attributes = Publication(
        "i", json.dumps({f"k{key}": other + "x"}), {f"k{key}": Attribute("String", value)}
    )
    in_body = Publication("i", json.dumps({f"k{key}": value}), {"a": Attribute("String", other)})
    by_attributes, by_body = _subscription(policy), _subscription(policy, "MessageBody")
    assert _passes(in_attributes, by_attributes)
    assert not _passes(in_body, by_attributes)
    assert _passes(in_body, by_body)
    assert _passes(in_attributes, by_body) == (value == other + "x")


@given(TEXT)
def test_no_body_is_too_strange(body: str) -> None:
    """Whatever the text, a body policy answers; what is no JSON object passes nothing."""
    passes = _passes(Publication("i", body), _subscription({"a": ["b"]}, "MessageBody"))
    assert not passes


def test_types_count() -> None:
    """Numbers compare as numbers, arrays match any element, binary values are never seen."""
    attributes = {
        "n": Attribute("Number", "10"),
        "s": Attribute("String.Array", '["x", "y"]'),
        "b": Attribute("Binary", b"x"),
    }
    publication = Publication("i", "m", attributes)
    assert _passes(publication, _subscription({"n": [{"numeric": [">", 9]}]}))
    assert _passes(publication, _subscription({"s": ["y"]}))
    assert not _passes(publication, _subscription({"b": ["x"]}))
    assert not _passes(publication, _subscription({"n": ["10"]}))


def test_a_body_policy_looks_at_the_protocols_own_message() -> None:
    """With MessageStructure json each protocol's filter sees what its subscribers would get."""
    publication = Publication("i", '{"a": 1}', by_protocol={"lambda": '{"a": 2}'})
    policy = {"a": [2]}
    assert not _passes(publication, _subscription(policy, "MessageBody"))
    assert _passes(publication, _subscription(policy, "MessageBody", "lambda"))


def test_no_policy_passes_everything() -> None:
    """Neither does an empty one ask for anything."""
    plain = Subscription("s", "t", "sqs", "e", "1", State.CONFIRMED, "p")
    assert _passes(Publication("i", "m"), plain)
    assert _passes(Publication("i", "m"), _subscription({}))
