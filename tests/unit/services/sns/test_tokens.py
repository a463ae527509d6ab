"""Paging: every key once, whatever comes and goes in between."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.errors import AwsError
from lambent.services.sns.tokens import PAGE, new_token, page_of, parse_page_token

KEYS = st.sets(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), max_size=350
)


def _all(keys: list[str]) -> list[str]:
    found, token = list[str](), None
    while True:
        page, token = page_of(keys, token)
        assert len(page) <= PAGE
        found += page
        if token is None:
            return found


@given(KEYS)
def test_pages_make_up_the_whole(keys: set[str]) -> None:
    """Page by page, in order, nothing twice and nothing left out; the last page has no token."""
    assert _all(sorted(keys)) == sorted(keys)


@given(KEYS, KEYS)
def test_what_stays_is_seen_once(before: set[str], added: set[str]) -> None:
    """Keys that come or go between two pages neither repeat nor hide others."""
    page, token = page_of(sorted(before), None)
    if token is not None:
        gone = set(list(page)[::2])
        rest, _ = page_of(sorted((before - gone) | added), token)
        assert not set(page) & set(rest)
        seen = {key for key in rest if key in before}
        assert all(key in seen for key in sorted(before)[PAGE:] if key <= rest[-1])


@given(st.text(max_size=30))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    """What is no token is refused as AWS refuses, and nothing else happens."""
    with suppress(AwsError):
        assert isinstance(parse_page_token(text), str)


def test_confirmation_tokens_cannot_be_guessed() -> None:
    """288 hexadecimal characters, each time others."""
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch("[0-9a-f]{288}", token) for token in tokens)


@pytest.mark.parametrize("token", ["%", "AAAA=A", "€"])
def test_nonsense_is_no_token(token: str) -> None:
    """It is refused rather than taken for the beginning."""
    with pytest.raises(AwsError):
        page_of(["a"], token)
