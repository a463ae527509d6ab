"""Every operation of Lambda's model: requests that keep the model's constraints arrive as they were meant, and are
accepted; answers are read by botocore as they were given."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambent.model.call import Result
from lambent.model.http import HttpRequest
from lambent.wire import codec, models
from lambent.wire.catalogue import operation_names
from lambent.wire.router import Target

EVERY = operation_names("lambda")
STREAMED = [
    name for name in EVERY if models.operation_model("lambda", name).has_event_stream_output
]
FEW = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
ASCII = st.characters(min_codepoint=33, max_codepoint=126)
_LONGEST = 40
"""POLICY: how long a drawn text or list gets where the model lets it."""
_DEEPEST = 4


@cache
def texts(pattern: str | None, low: int, high: int) -> st.SearchStrategy[str]:
    """Texts of a length that match a pattern of the model."""
    if pattern is None:
        return st.text(ASCII, min_size=low, max_size=max(low, min(high, _LONGEST)))
    for java, plain in ((r"\p{L}\p{Z}\p{N}", "a-zA-Z0-9"), (r"\p{L}\p{N}", "a-zA-Z0-9")):
        pattern = pattern.replace(java, plain)
    drawn = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True, alphabet=ASCII)
    return drawn.filter(lambda text: low <= len(text) <= high)


def valid(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that keep every constraint of ``shape``."""
    metadata, kind = shape.metadata, shape.type_name
    low = metadata.get("min")
    high = metadata.get("max")
    match kind:
        case "structure":
            return structures(shape, depth)
        case "list":
            least = int(low or 0)
            most = max(least, min(2, int(high if high is not None else 2)))
            return st.lists(valid(shape.member, depth + 1), min_size=least, max_size=most)
        case "map":
            inner = valid(shape.value, depth + 1)
            return st.dictionaries(valid(shape.key), inner, min_size=int(low or 0), max_size=2)
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            bottom = int(low if low is not None else -(2**31))
            return st.integers(bottom, int(high if high is not None else 2**31 - 1))
        case "float" | "double":
            return st.floats(float(low or 0), float(high if high is not None else 1000))
        case "timestamp":
            return st.integers(0, 4_000_000_000).map(lambda at: datetime.fromtimestamp(at, UTC))
        case "blob":
            return st.binary(min_size=1, max_size=20)
        case _ if metadata.get("enum"):
            return st.sampled_from(metadata["enum"])
        case _:
            return texts(
                metadata.get("pattern"), int(low or 0), int(high if high is not None else 1000)
            )


def structures(shape: Any, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Structures with what is required, and some of the rest; recursion ends after a few levels."""
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        wanted = name in shape.required_members
        if location == "statusCode" or (depth > _DEEPEST and not wanted):
            continue
        drawn = valid(member, depth + 1)
        if location == "uri":  # an empty name is another path
            drawn = drawn.filter(lambda text: text not in ("", ".", ".."))
        elif location in ("header", "querystring") and member.type_name == "list":
            drawn = st.lists(
                valid(member.member), min_size=1, max_size=2
            )  # empty, it does not travel
        streamed = shape.serialization.get("payload") == name
        (required if wanted or streamed else optional)[name] = drawn
    return st.fixed_dictionaries(required, optional=optional)


@pytest.mark.parametrize("operation", EVERY)
@given(data=st.data())
@FEW
def test_what_keeps_the_model_arrives_and_is_accepted(
    operation: str, data: st.DataObject, serialize: Callable[..., HttpRequest]
) -> None:
    """Routing, decoding and validating what botocore sent gives the operation and its parameters."""
    shape = models.operation_model("lambda", operation).input_shape
    params = data.draw(structures(shape, 0)) if shape is not None else {}
    call = codec.decode(serialize("lambda", operation, params), "the-id")
    assert (call.service, call.operation) == ("lambda", operation)
    assert call.parameters == params


@pytest.mark.parametrize("operation", sorted(set(EVERY) - set(STREAMED)))
@given(data=st.data())
@FEW
def test_answers_are_read_as_given(
    operation: str, data: st.DataObject, parse: Callable[..., dict[str, Any]]
) -> None:
    """Botocore's parser gives back every output of the model that is encoded."""
    shape = models.operation_model("lambda", operation).output_shape
    output = data.draw(structures(shape, 0)) if shape is not None else {}
    answer = codec.encode_result(Target("lambda", operation, "rest-json"), Result(output), "the-id")
    parsed = parse("lambda", operation, answer)
    assert parsed.pop("ResponseMetadata")["RequestId"] == "the-id"
    assert parsed == output
