"""Payload format 2.0: what events hold, and what answers results mean."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.gateway.payloads import (
    MalformedResponseError,
    Origin,
    decode_result,
    encode_body,
    encode_event,
)
from lambent.model.http import HttpRequest

URL_ID = "a" * 32
HOST = f"{URL_ID}.lambda-url.us-east-1.localhost"
ORIGIN = Origin(
    "id", "anonymous", URL_ID, HOST, "127.0.0.1", datetime(2020, 3, 12, 19, 3, 58, 390_000, UTC)
)
GOLDEN = Path(__file__).parents[4] / "shared" / "golden" / "events" / "lambda-urls-request.json"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


def event_of(
    method: str = "GET",
    path: str = "/",
    query: str = "",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    origin: Origin = ORIGIN,
) -> Any:
    """The event of one request."""
    request = HttpRequest(method, path, query, {"host": HOST} | dict(headers or {}), body)
    return json.loads(encode_event(request, origin))


def result_of(value: Any) -> Any:
    """The answer to a result."""
    return decode_result(json.dumps(value).encode())


def test_the_event_of_a_whole_request() -> None:
    """Everything is where AWS has it."""
    event = event_of(
        "POST",
        "/my/path",
        "a=1&a=2&b=&c=x%20y+z",
        b"Hello from client!",
        {
            "cookie": "one=1; two=2",
            "content-type": "text/plain; charset=utf-8",
            "user-agent": "agent",
            "header2": "value1,value2",
        },
    )
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/my/path",
        "rawQueryString": "a=1&a=2&b=&c=x%20y+z",
        "cookies": ["one=1", "two=2"],
        "headers": {
            "host": HOST,
            "content-type": "text/plain; charset=utf-8",
            "user-agent": "agent",
            "header2": "value1,value2",
        },
        "queryStringParameters": {"a": "1,2", "b": "", "c": "x y z"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": URL_ID,
            "domainName": HOST,
            "domainPrefix": URL_ID,
            "http": {
                "method": "POST",
                "path": "/my/path",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "agent",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1584039838390,
        },
        "body": "Hello from client!",
        "isBase64Encoded": False,
    }


def test_what_is_not_there_is_left_out() -> None:
    """No cookies, no parameters, no body, no authorizer: no members for them."""
    event = event_of()
    assert event["isBase64Encoded"] is False
    assert event["rawQueryString"] == ""
    assert not {"cookies", "queryStringParameters", "body"} & event.keys()
    assert not {"authorizer", "authentication"} & event["requestContext"].keys()


def test_the_recorded_event_has_the_same_shape() -> None:
    """Every member of AWS's sample of a signed request is in ours, with a value of the same type."""
    if not GOLDEN.exists():
        pytest.skip("the golden events are not here")
    golden = json.loads(GOLDEN.read_text())
    iam = golden["requestContext"]["authorizer"]["iam"]
    origin = Origin(
        *("id", "111122223333", URL_ID, HOST, "127.0.0.1", ORIGIN.received),
        authorizer={"iam": iam},
    )
    headers = {"cookie": "cookie1; cookie2", "header1": "value1"}
    ours = event_of("POST", "/my/path", golden["rawQueryString"], b"x", headers, origin)
    assert ours["cookies"] == golden["cookies"]
    assert ours["queryStringParameters"] == golden["queryStringParameters"]
    assert shape_of(golden, ours) == []
    assert ours["requestContext"]["authentication"] is None


def shape_of(golden: Any, ours: Any, path: str = "") -> list[str]:
    """Where ``ours`` lacks a member of ``golden``, or has another type."""
    if type(golden) is not type(ours):
        return [path]
    if not isinstance(golden, dict) or path == ".headers":
        return []
    return [
        wrong
        for name, value in golden.items()
        for wrong in (
            shape_of(value, ours[name], f"{path}.{name}") if name in ours else [f"{path}.{name}"]
        )
    ]


@pytest.mark.parametrize(
    ("content_type", "encoded"),
    [
        ("text/html", False),
        ("TEXT/CSV; charset=utf-8", False),
        ("application/json", False),
        ("application/vnd.api+json", False),
        ("image/svg+xml", True),
        ("application/soap+xml", False),
        ("application/javascript", False),
        ("application/x-www-form-urlencoded", True),
        ("application/octet-stream", True),
        ("multipart/form-data; boundary=x", True),
        (None, True),
    ],
)
def test_bodies_are_text_by_their_type(content_type: str | None, encoded: bool) -> None:
    """What its type says is text is text, all else is in base64."""
    expected = base64.b64encode(b"abc").decode() if encoded else "abc"
    assert encode_body(b"abc", content_type) == (expected, encoded)


@given(
    st.binary(min_size=1), st.sampled_from([None, "text/plain", "application/json", "image/png"])
)
def test_no_body_is_lost(body: bytes, content_type: str | None) -> None:
    """Any bytes come out of the event as they went in."""
    text, encoded = encode_body(body, content_type)
    assert (base64.b64decode(text) if encoded else text.encode()) == body


@given(
    st.text("abc/%?&=+;\xff \u20ac", max_size=30),
    st.text("abc%&=+;,\xff0", max_size=30),
    st.text(st.characters(max_codepoint=255), max_size=30),
)
def test_any_request_is_an_event(path: str, query: str, header: str) -> None:
    """Whatever stands in path, query and headers, there is an event in JSON."""
    event = event_of(path=path, query=query, headers={"x": header, "cookie": header})
    assert event["rawPath"] == path
    assert event["headers"]["x"] == header


@pytest.mark.parametrize(
    "value", ["Hello, world!", None, 7, True, [1], {"message": "m"}, {"body": "b"}, {}]
)
def test_plain_json_is_the_body(value: Any) -> None:
    """A result without a statusCode is a 200 with that JSON, byte for byte."""
    payload = json.dumps(value, indent=1).encode()
    answer = decode_result(payload)
    assert (answer.status, answer.body) == (200, payload)
    assert list(answer.headers) == [("content-type", "application/json")]


def test_a_structured_answer() -> None:
    """Status, headers, cookies and body are as the function says."""
    answer = result_of(
        {
            "statusCode": 201,
            "headers": {"Content-Type": "text/plain", "X-Number": 7, "X-Flag": True},
            "cookies": ["a=1; Max-Age=7", "b=2"],
            "body": "h\u00e9",
            "isBase64Encoded": False,
        }
    )
    assert (answer.status, answer.body) == (201, "h\u00e9".encode())
    assert list(answer.headers) == [
        ("Content-Type", "text/plain"),
        ("X-Number", "7"),
        ("X-Flag", "true"),
        ("set-cookie", "a=1; Max-Age=7"),
        ("set-cookie", "b=2"),
    ]
    encoded = {"statusCode": "200", "isBase64Encoded": True, "body": "/wA="}
    assert (result_of(encoded).status, result_of(encoded).body) == (200, b"\xff\x00")
    empty = result_of({"statusCode": 404, "headers": None, "cookies": None, "body": None})
    assert (empty.status, empty.body) == (404, b"")
    assert list(empty.headers) == [("content-type", "application/json")]


@pytest.mark.parametrize("status", [204, 205, 304])
def test_some_answers_have_no_body(status: int) -> None:
    """A body behind a status that has none is not sent: a client would take it for the next answer."""
    assert result_of({"statusCode": status, "body": "x"}).body == b""


def test_base64_may_have_lines() -> None:
    """Python's encodebytes and others break base64 into lines."""
    body = base64.encodebytes(bytes(range(200))).decode()
    answer = result_of({"statusCode": 200, "body": body, "isBase64Encoded": True})
    assert answer.body == bytes(range(200))


def test_headers_of_the_connection_are_renamed() -> None:
    """A function cannot end or frame the connection."""
    answer = result_of(
        {"statusCode": 200, "headers": {"Content-Length": "7", "Connection": "close"}}
    )
    names = [name for name, _ in answer.headers]
    assert names == ["content-type", "x-amzn-remapped-content-length", "x-amzn-remapped-connection"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"statusCode": None},
        {"statusCode": "OK"},
        {"statusCode": 99},
        {"statusCode": 100},
        {"statusCode": 600},
        {"statusCode": True},
        {"statusCode": 200.5},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"a": {}}},
        {"statusCode": 200, "headers": {"a": "1\r\nb: 2"}},
        {"statusCode": 200, "headers": {"a b": "1"}},
        {"statusCode": 200, "headers": {"": "1"}},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "cookies": [{}]},
        {"statusCode": 200, "cookies": ["a=1\n"]},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": "%%", "isBase64Encoded": True},
        {"statusCode": 200, "body": "\ud800"},
    ],
)
def test_bad_shapes_are_malformed(wrong: Any) -> None:
    """What cannot be an answer is refused, whole."""
    with pytest.raises(MalformedResponseError):
        result_of(wrong)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_result_is_an_answer_or_malformed(payload: bytes) -> None:
    """No result of a function is anybody's crash."""
    status = 0
    try:
        status = decode_result(payload).status
    except MalformedResponseError:
        status = 502
    assert 200 <= status <= 599


@given(
    st.dictionaries(
        st.sampled_from(["statusCode", "headers", "cookies", "body", "isBase64Encoded"]),
        json_values,
    )
)
def test_no_header_breaks_out_of_its_line(result: dict[str, Any]) -> None:
    """Nothing a function answers puts a line of its own into the head."""
    try:
        answer = result_of({"statusCode": 200} | result)
    except MalformedResponseError:
        return
    for name, value in answer.headers:
        assert not set("\r\n\0") & set(name + value)
