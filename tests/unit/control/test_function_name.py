"""A function's name in every form AWS takes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.errors import ClientFault
from lambent.model.function_name import (
    PATTERN,
    UNQUALIFIED_PATTERN,
    FunctionName,
    is_version,
    parse_function_name,
)

ACCOUNT, REGION = "000000000000", "us-east-1"
NAMES = st.from_regex(r"[a-zA-Z_-][a-zA-Z0-9_-]{0,63}", fullmatch=True).filter(
    lambda name: name != "function"
)
QUALIFIERS = st.none() | st.just("$LATEST") | st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
PREFIXES = st.sampled_from(
    [
        "",
        "function:",
        f"{ACCOUNT}:",
        f"{ACCOUNT}:function:",
        f"{REGION}:{ACCOUNT}:function:",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:",
    ]
)


def _parse(text: str, qualifier: str | None = None) -> FunctionName:
    return parse_function_name(text, account_id=ACCOUNT, region=REGION, qualifier=qualifier)


@given(PREFIXES, NAMES, QUALIFIERS, st.booleans())
def test_every_form_means_the_same(
    prefix: str, name: str, qualifier: str | None, separate: bool
) -> None:
    """A name, partial ARN or ARN, the qualifier in it or beside it, all name one function."""
    text = prefix + name + ("" if separate or qualifier is None else f":{qualifier}")
    assert re.fullmatch(PATTERN, text)
    parsed = _parse(text, qualifier if separate else None)
    assert parsed == FunctionName(ACCOUNT, REGION, name, qualifier)


@given(PREFIXES, NAMES, QUALIFIERS)
def test_an_arn_is_read_back(prefix: str, name: str, qualifier: str | None) -> None:
    """The ARN of what was parsed parses to the same again."""
    parsed = _parse(prefix + name, qualifier)
    assert _parse(parsed.arn) == parsed
    assert parsed.arn.startswith(parsed.function_arn)
    assert re.fullmatch(UNQUALIFIED_PATTERN, parsed.function_arn)


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_a_client_fault(text: str) -> None:
    """No text raises anything but AWS's errors, and what passes is what the pattern says."""
    try:
        _parse(text)
    except ClientFault as fault:
        assert fault.code == "ValidationException" or re.fullmatch(PATTERN, text)  # noqa: PT017
    else:
        assert re.fullmatch(PATTERN, text)


@given(NAMES, st.sampled_from(["1", "live"]))
def test_two_qualifiers_must_agree(name: str, qualifier: str) -> None:
    """A qualifier in the name and another beside it are refused; the same one twice is fine."""
    assert _parse(f"{name}:{qualifier}", qualifier).qualifier == qualifier
    with pytest.raises(ClientFault) as refused:
        _parse(f"{name}:{qualifier}", "other")
    assert (refused.value.code, refused.value.message) == (
        "InvalidParameterValueException",
        "The derived qualifier from the function name does not match the specified qualifier.",
    )


def test_other_regions_and_accounts() -> None:
    """Another region is not reachable, another account denied."""
    with pytest.raises(ClientFault, match=r"'eu-west-1' are not reachable in this region") as far:
        _parse(f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f")
    assert far.value.status == 404
    with pytest.raises(ClientFault, match="no resource-based policy") as foreign:
        _parse("111111111111:function:f")
    assert (foreign.value.code, foreign.value.status) == ("AccessDeniedException", 403)


def test_latest_published_is_not_there_yet() -> None:
    """AWS's newest qualifier is refused by name rather than taken for an alias."""
    with pytest.raises(ClientFault) as refused:
        _parse("f", "$LATEST.PUBLISHED")
    assert refused.value.status == 501


@given(QUALIFIERS)
def test_versions_are_numbers_or_latest(qualifier: str | None) -> None:
    """A qualifier is a version exactly when it is $LATEST or all digits."""
    text = qualifier or ""
    assert is_version(text) == bool(re.fullmatch(r"\$LATEST|[0-9]+", text))
