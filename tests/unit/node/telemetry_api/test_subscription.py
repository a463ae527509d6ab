"""Which subscriptions are ones."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.node.telemetry_api.subscription import (
    InvalidSubscriptionError,
    Subscription,
    parse_subscription,
)

WHOLE: dict[str, Any] = {
    "schemaVersion": "2022-12-13",
    "types": ["platform", "function"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/in?a=b"},
    "buffering": {"maxItems": 10_000, "maxBytes": 1_048_576, "timeoutMs": 25},
}


def test_a_whole_one() -> None:
    """Everything is as it was asked for."""
    assert parse_subscription(WHOLE) == Subscription(
        "2022-12-13", ("platform", "function"), 8080, "/in?a=b", "sandbox.localdomain",
        10_000, 1_048_576, 0.025,
    )  # fmt: skip


def test_defaults() -> None:
    """AWS's buffering, port 80 and the root."""
    document = {**WHOLE, "destination": {"protocol": "HTTP", "URI": "http://sandbox"}}
    del document["buffering"]
    found = parse_subscription(document)
    assert (found.port, found.path, found.host) == (80, "/", "sandbox")
    assert (found.max_items, found.max_bytes, found.timeout_s) == (1_000, 262_144, 1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"schemaVersion": "2020-08-15"},
        {"schemaVersion": None},
        {"types": []},
        {"types": ["logs"]},
        {"types": [[]]},
        {"types": "platform"},
        {"destination": None},
        {"destination": {"protocol": "TCP", "port": 80}},
        {"destination": {"protocol": "HTTP"}},
        {"destination": {"protocol": "HTTP", "URI": "http://localhost:80"}},
        {"destination": {"protocol": "HTTP", "URI": "https://sandbox:80"}},
        {"destination": {"protocol": "HTTP", "URI": "http://sandbox:70000"}},
        {"destination": {"protocol": "HTTP", "URI": "http://sandbox:80/\r\nX: y"}},
        {"destination": {"protocol": "HTTP", "URI": "http://u:p@sandbox:80/"}},
        {"destination": {"protocol": "HTTP", "URI": "http://[sandbox:80/"}},
        {"buffering": []},
        {"buffering": {"maxItems": 999}},
        {"buffering": {"maxItems": True}},
        {"buffering": {"maxBytes": 1_048_577}},
        {"buffering": {"timeoutMs": 24}},
        {"buffering": {"timeoutMs": "25"}},
    ],
)
def test_what_is_none(change: dict[str, Any]) -> None:
    """Each part that is wrong is told."""
    with pytest.raises(InvalidSubscriptionError):
        parse_subscription({**WHOLE, **change})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(WHOLE)), json_values)
def test_nonsense_is_refused_never_a_failure(name: str, value: Any) -> None:
    """Whatever stands anywhere, it is a subscription or a refusal."""
    try:
        parse_subscription({**WHOLE, name: value})
        parse_subscription({**WHOLE, "destination": {"protocol": "HTTP", "URI": value}})
    except InvalidSubscriptionError:
        return
