"""The codec's edges: who calls, wrong types, bounds, and the bytes AWS writes."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.call import Call, Caller, Result
from lambent.model.errors import AwsError, ClientFault
from lambent.model.http import HttpRequest
from lambent.wire import codec, timestamps
from lambent.wire.content_encoding import MAX_INFLATED_BYTES
from lambent.wire.header_lists import format_header_list, split_header_list
from lambent.wire.router import Target
from lambent.wire.xml_text import escape, parse_xml

Signed = Callable[..., HttpRequest]
FUNCTIONS = "/2015-03-31/functions"
INVOKE = Target("lambda", "Invoke", "rest-json", {"FunctionName": "f"})
CALLER = Caller("123456789012", "eu-west-1", "id")


def refusal(request: HttpRequest, target: Target | None = None) -> AwsError:
    """The error ``request`` meets."""
    with pytest.raises(AwsError) as caught:
        codec.decode(request, "id", target)
    return caught.value


def test_the_caller_is_who_the_scope_claims(signed: Signed) -> None:
    """Twelve digits as access key are the account; region and endpoint come from scope and host."""
    call = codec.decode(signed("lambda", "GET", FUNCTIONS), "id")
    assert call.caller == Caller(
        "123456789012", "eu-west-1", "id", "123456789012", None, "http://localhost:4566"
    )


def test_an_unsigned_caller_is_the_default_account() -> None:
    """Without a scope the account is zeros and the region us-east-1."""
    call = codec.decode(HttpRequest("GET", FUNCTIONS, "", {"host": "h:1"}, b""), "id")
    assert call.caller == Caller("0" * 12, "us-east-1", "id", None, None, "http://h:1")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"FunctionName": 1}, "NUMBER_VALUE can not be converted to a String"),
        ({"Timeout": "x"}, "STRING_VALUE can not be converted to an Integer"),
        ({"Timeout": 1.5}, "NUMBER_VALUE can not be converted to an Integer"),
        ({"Timeout": True}, "TRUE_VALUE can not be converted to an Integer"),
        ({"Publish": "x"}, "STRING_VALUE can not be converted to a Boolean"),
        ({"FunctionName": {}}, "Start of structure or map found where not expected."),
        ({"FunctionName": []}, "Start of list found where not expected"),
        ({"Layers": {}}, "Expected list or null"),
        ({"Tags": []}, "Expected map or null"),
        ({"Code": "x"}, "Unexpected field type"),
        ({"Code": {"ZipFile": "!"}}, "Invalid base64 text"),
    ],
)
def test_wrong_json_types_are_refused(body: dict[str, Any], message: str, signed: Signed) -> None:
    """A value of the wrong JSON type is 400 ``SerializationException`` in AWS's words."""
    error = refusal(signed("lambda", "POST", FUNCTIONS, body))
    assert (error.code, error.status, error.message) == ("SerializationException", 400, message)


def test_lambda_words_unreadable_json_its_own_way(signed: Signed) -> None:
    """Bad JSON is ``InvalidRequestContentException`` with Lambda's text, naming character and
    place."""
    error = refusal(signed("lambda", "POST", FUNCTIONS, b'{"a": h}'))
    assert error.code == "InvalidRequestContentException"
    assert error.message.startswith(
        "Could not parse request body into json: Unexpected character ('h' (code 104)): "
    )
    assert "line: 1, column: 7" in error.message


@pytest.mark.parametrize("body", [b"hello", b'{"a":', b"\xff", b"NaN", b"[" * 100_000])
def test_unreadable_json_is_a_serialization_error(body: bytes, signed: Signed) -> None:
    """Outside Lambda bad JSON is ``SerializationException``, however deep it nests."""
    headers = {"x-amz-target": "Logs_20140328.PutLogEvents"}
    assert (
        refusal(signed("logs", "POST", "/", body, headers=headers)).code == "SerializationException"
    )


def test_known_members_nested_too_deeply_are_refused(signed: Signed) -> None:
    """A recursive shape is followed to a bound, not to the end of the stack."""
    value: Any = {"S": "x"}
    for _ in range(60):
        value = {"L": [value]}
    body = {"TableName": "t", "Item": {"a": value}}
    headers = {"x-amz-target": "DynamoDB_20120810.PutItem"}
    error = refusal(signed("dynamodb", "POST", "/", body, headers=headers))
    assert (error.code, "too deeply" in error.message) == ("SerializationException", True)


def test_nulls_and_unknown_members_are_ignored(signed: Signed) -> None:
    """An explicit null is an absent member, an unknown one nothing at all."""
    body = {"Description": None, "NoSuchMember": [1], "Timeout": 5}
    call = codec.decode(signed("lambda", "PUT", f"{FUNCTIONS}/f/configuration", body), "id")
    assert call.parameters == {"FunctionName": "f", "Timeout": 5}


@pytest.mark.parametrize(
    "query", ["MaxItems=abc", "MaxItems=", "MaxItems=1e3", "MaxItems=" + "9" * 99]
)
def test_wrong_query_values_are_refused(query: str, signed: Signed) -> None:
    """A query value that is no integer where one belongs is refused, not crashed on."""
    assert refusal(signed("lambda", "GET", FUNCTIONS, query=query)).code == "SerializationException"


def test_event_streams_that_come_in_are_refused(signed: Signed) -> None:
    """An operation that takes an event stream is 501 at decoding; one that only answers so is decoded."""
    path = "/2021-11-15/functions/f/response-streaming-invocations"
    call = codec.decode(signed("lambda", "POST", path, b"{}"), "id")
    assert (call.operation, call.parameters["FunctionName"]) == ("InvokeWithResponseStream", "f")
    target = Target("transcribe-streaming", "StartStreamTranscription", "rest-json")
    assert refusal(signed("lambda", "POST", path, b"{}"), target).status == 501


def test_ec2_is_refused_in_its_own_words(signed: Signed) -> None:
    """The ec2 protocol is 501, not a crash."""
    body = b"Action=DescribeInstances&Version=2016-11-15"
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert refusal(signed("ec2", "POST", "/", body, headers=form)).status == 501


DOCTYPE = b'<!DOCTYPE a [<!ENTITY b "bb">]><Delete><Quiet>&b;</Quiet></Delete>'


@pytest.mark.parametrize(
    "body",
    [
        DOCTYPE,
        b"<a>",
        b"",
        b"\xff\xfe<\x00a\x00",
        b"<a>&nbsp;</a>",
        "<?xml version='1.0' encoding='utf-16'?><a/>".encode("utf-16"),
    ],
)
def test_entities_and_other_encodings_are_refused(body: bytes) -> None:
    """A document type, an entity of one's own or another encoding is ``MalformedXML``."""
    with pytest.raises(ClientFault) as caught:
        parse_xml(body)
    assert caught.value.code == "MalformedXML"


@given(text=st.text())
def test_escaped_text_always_parses(text: str) -> None:
    """Whatever text is escaped, an element around it is well-formed XML."""
    body = f'<a b="{escape(text)}">{escape(text)}</a>'.encode("utf-8", "surrogatepass")
    assert parse_xml(body).tag == "a"


def test_compressed_bodies_are_read_where_the_model_allows(signed: Signed) -> None:
    """CloudWatch's PutMetricData may come gzipped; a bomb and a broken stream are refused."""
    body = json.dumps({"Namespace": "n", "MetricData": [{"MetricName": "m"}]}).encode()
    headers = {
        "x-amz-target": "GraniteServiceVersion20100801.PutMetricData",
        "content-encoding": "gzip",
    }
    packed = signed("cloudwatch", "POST", "/", gzip.compress(body), headers=headers)
    assert codec.decode(packed, "id").parameters["Namespace"] == "n"
    bomb = gzip.compress(b" " * (MAX_INFLATED_BYTES + 1))
    assert refusal(signed("cloudwatch", "POST", "/", bomb, headers=headers)).status == 413
    for broken in (b"x", gzip.compress(body)[:-9]):
        error = refusal(signed("cloudwatch", "POST", "/", broken, headers=headers))
        assert error.code == "SerializationException"


# --- answers


@pytest.mark.parametrize(
    ("output", "status", "body"),
    [
        ({"StatusCode": 200, "Payload": b'"x"', "ExecutedVersion": "1"}, 200, b'"x"'),
        ({"StatusCode": 202}, 202, b""),
        ({"StatusCode": 204}, 204, b""),
    ],
)
def test_a_status_member_is_the_status(output: dict[str, Any], status: int, body: bytes) -> None:
    """Invoke's ``StatusCode`` is the HTTP status and its payload the body as it is."""
    answer = codec.encode_result(INVOKE, Result(output), "id")
    assert (answer.status, answer.body) == (status, body)
    assert ("x-amzn-RequestId", "id") in answer.headers


def test_a_status_and_headers_of_the_result_win() -> None:
    """``Result.status`` overrides the model's status and its headers are sent."""
    call = Call("lambda", "DeleteFunction", {}, CALLER)
    answer = codec.encode_result(call, Result({}, status=204, headers=(("X-A", "b"),)))
    assert answer.status == 204
    assert ("X-A", "b") in answer.headers
    assert ("x-amzn-RequestId", "id") in answer.headers


@pytest.mark.parametrize(
    "target",
    [
        Target("lambda", "GetAlias", "rest-json"),
        Target("logs", "CreateDelivery", "json"),
        Target("sts", "AssumeRole", "query"),
        Target("cloudwatch", "GetMetricData", "smithy-rpc-v2-cbor"),
        Target("s3", "ListBuckets", "rest-xml"),
    ],
)
def test_an_output_member_nobody_knows_is_an_error_of_ours(target: Target) -> None:
    """What the output shape cannot say raises instead of getting lost."""
    with pytest.raises(ValueError, match="has no member Nope"):
        codec.encode_result(target, Result({"Nope": 1}), "id")


def test_query_answers_are_wrapped() -> None:
    """A query answer has its namespace, result wrapper and response metadata."""
    output = {"Account": "1", "Arn": "a<b", "UserId": None}
    answer = codec.encode_result(Target("sts", "GetCallerIdentity", "query"), Result(output), "id")
    assert answer.body == (
        b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        b"<GetCallerIdentityResult><Account>1</Account><Arn>a&lt;b</Arn></GetCallerIdentityResult>"
        b"<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata>"
        b"</GetCallerIdentityResponse>"
    )


def test_headers_cannot_be_split() -> None:
    """A line break in a header value does not start another header."""
    output = {"StatusCode": 200, "FunctionError": "a\r\nb: c"}
    answer = codec.encode_result(INVOKE, Result(output), "id")
    assert dict(answer.headers)["X-Amz-Function-Error"] == "a  b: c"


@given(items=st.lists(st.text('abc ,"\\xyz', min_size=1).filter(lambda item: item == item.strip())))
def test_header_lists_round_trip(items: list[str]) -> None:
    """Texts with commas and quotes come back from a list header as they went in."""
    plain = [item for item in items if not item.startswith("\\") or '"' in item or "," in item]
    assert split_header_list(format_header_list(plain, quoted=True), str) == plain


MOMENTS = st.integers(-2_000_000_000_000_000, 200_000_000_000_000_000).map(
    lambda micros: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
)


@pytest.mark.parametrize("name", ["unixtimestamp", "iso8601", "rfc822"])
@given(moment=MOMENTS)
def test_moments_round_trip(name: str, moment: datetime) -> None:
    """Each format gives the moment back, to the second, or to what a float of seconds can tell."""
    back = timestamps.parse(timestamps.format_as(moment, name), name)
    tolerance = {"unixtimestamp": timedelta(microseconds=32), "iso8601": timedelta()}
    expected = moment.replace(microsecond=0) if name == "rfc822" else moment
    assert abs(back - expected) <= tolerance.get(name, timedelta())


@given(value=st.one_of(st.text(max_size=30), st.floats(), st.integers(), st.none(), st.booleans()))
def test_anything_else_is_no_moment(value: object) -> None:
    """Parsing a moment gives an aware datetime or ``ValueError``, whatever comes."""
    for name in (None, "iso8601", "rfc822", "unixtimestamp"):
        try:
            moment = timestamps.parse(value, name)
        except ValueError:
            continue
        assert moment.tzinfo is not None
