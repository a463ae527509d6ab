"""SNS filter policies: limits, message attributes, what exists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.patterns import Dialect, PatternError, compile_pattern, message_attributes_document


def accepts(policy: str, **attributes: tuple[str, str | None]) -> bool:
    """Whether an attribute policy accepts a message."""
    document = message_attributes_document(attributes)
    return compile_pattern(policy, Dialect.SNS_ATTRIBUTES).matches(document)


def test_attributes_are_compared_by_their_data_type() -> None:
    """A String is a string, a Number a number, a String.Array each of its elements."""
    assert accepts('{"a": ["99"]}', a=("String", "99"))
    assert not accepts('{"a": [99]}', a=("String", "99"))
    assert accepts('{"a": [99]}', a=("Number", "99.0"))
    assert accepts('{"a": [{"numeric": [">", 0, "<=", 100]}]}', a=("Number.int", "99"))
    assert accepts('{"a": ["tennis"]}', a=("String.Array", '["rugby", "tennis"]'))
    assert accepts('{"a": [true, null]}', a=("String.Array", "[null]"))
    assert accepts('{"a.b": ["x"]}', **{"a.b": ("String", "x")})


def test_binary_attributes_are_never_seen() -> None:
    """A Binary attribute is as good as absent."""
    assert not accepts('{"a": [{"exists": true}]}', a=("Binary", None))
    assert accepts('{"a": [{"exists": false}]}', a=("Binary", None), b=("String", "x"))


def test_absence_needs_some_attribute() -> None:
    """``exists: false`` matches no message without attributes; an empty policy matches all."""
    assert not accepts('{"a": [{"exists": false}]}')
    assert accepts('{"a": [{"exists": false}]}', b=("String", "x"))
    assert accepts("{}")


def test_what_exists_is_neither_null_nor_empty() -> None:
    """``exists: true`` on a body wants a value."""
    pattern = compile_pattern('{"a": [{"exists": true}]}', Dialect.SNS_BODY)
    assert pattern.matches({"a": 0})
    assert not pattern.matches({"a": None})
    assert not pattern.matches({"a": ""})


@pytest.mark.parametrize(
    ("values", "levels", "fits"),
    [((3, 4), (2, 3), True), ((150,), (1,), True), ((151,), (1,), False)],
)
def test_combinations_multiply_values_and_levels(
    values: tuple[int, ...], levels: tuple[int, ...], fits: bool
) -> None:
    """AWS's example, 3 values at level 2 and 4 at level 3, makes 72 of the 150 allowed."""
    policy: dict[str, object] = {}
    for index, (count, level) in enumerate(zip(values, levels, strict=True)):
        leaf: object = [str(n) for n in range(count)]
        for _ in range(level - 1):
            leaf = {"k": leaf}
        policy[f"k{index}"] = leaf
    if fits:
        compile_pattern(policy, Dialect.SNS_BODY)
    else:
        with pytest.raises(PatternError, match="Filter policy is too complex"):
            compile_pattern(policy, Dialect.SNS_BODY)


def test_five_keys_at_most() -> None:
    """The sixth key is refused; EventBridge takes it."""
    policy = {f"k{n}": ["x"] for n in range(6)}
    with pytest.raises(PatternError, match="can not have more than 5 keys"):
        compile_pattern(policy, Dialect.SNS_ATTRIBUTES)
    assert compile_pattern(policy, Dialect.EVENTBRIDGE).fields == set(policy)


@given(
    st.dictionaries(
        st.text(max_size=3),
        st.tuples(
            st.sampled_from(["String", "Number", "String.Array", "Binary", "x"]),
            st.none() | st.text(max_size=20) | st.just("1e9999") | st.just("[" * 5000),
        ),
    )
)
def test_any_attributes_become_a_document(attributes: dict[str, tuple[str, str | None]]) -> None:
    """Whatever the values, the document holds no attribute that was not given, and none fails."""
    assert message_attributes_document(attributes).keys() <= attributes.keys()
