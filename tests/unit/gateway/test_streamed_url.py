"""Function URLs in RESPONSE_STREAM: what the head is made of, and what becomes of the body."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.gateway import payloads
from lambent.gateway.streamed_url import INTEGRATION_TYPE, MAX_PRELUDE_BYTES
from lambent.model.function_url import Cors
from lambent.testing.loop import on_loop

PRELUDE = {"statusCode": 201, "headers": {"x-own": "1"}, "cookies": ["a=b"]}


def playing(site: Any, pieces: list[bytes], kind: str = INTEGRATION_TYPE, **changes: Any) -> Any:
    """A URL whose function streams those pieces."""

    async def play(sink: Any) -> None:
        sink.begin(kind, "1")
        for piece in pieces:
            sink.write(piece)

    site.set(invoke_mode="RESPONSE_STREAM", **changes)
    site.play = play
    return site


@on_loop
@pytest.mark.parametrize("step", [1, 7, 1000])
async def test_the_prelude_is_the_head(new_site: Any, step: int) -> None:
    """However it is cut into pieces, status, headers and cookies come from it, and the rest is the body."""
    sent = json.dumps(PRELUDE).encode() + bytes(8) + b"body\0\0"
    site = playing(new_site(), [sent[at : at + step] for at in range(0, len(sent), step)])
    answer = await site.ask("POST", "/", b"{}")
    assert (answer.status, answer.body, answer.whole) == (201, b"body\0\0", True)
    assert (answer.headers["x-own"], answer.headers["set-cookie"]) == ("1", "a=b")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "x-amzn-requestid" in answer.headers


@on_loop
async def test_without_a_prelude_the_type_is_the_functions(site: Any) -> None:
    """Anything but the integration's type is the body of a 200, from its first byte."""
    answer = await playing(site, [b'{"statusCode": 500}'], "text/plain").ask()
    assert (answer.status, answer.body) == (200, b'{"statusCode": 500}')
    assert answer.headers["content-type"] == "text/plain"


@on_loop
async def test_an_answer_in_one_piece_is_the_body(site: Any) -> None:
    """What it says of status and headers is not looked at in this mode."""
    site.set(invoke_mode="RESPONSE_STREAM")
    answer = await site.ask()
    assert (answer.status, json.loads(answer.body)) == (200, {"statusCode": 200, "body": "ok"})


@on_loop
@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"no end"],
        [b"[]" + bytes(8)],
        [b"no json" + bytes(8)],
        [b'{"statusCode": 99}' + bytes(8)],
        [b'{"headers": {"a b": "c"}}' + bytes(8)],
        [b" " * MAX_PRELUDE_BYTES, b" ", bytes(8)],
    ],
)
async def test_a_prelude_that_is_none_is_502(new_site: Any, pieces: list[bytes]) -> None:
    """Nothing of it reaches the caller."""
    answer = await playing(new_site(), pieces).ask()
    assert (answer.status, answer.body) == (502, b"Internal Server Error")


@on_loop
async def test_failing_early_is_502_and_late_is_a_cut(new_site: Any) -> None:
    """Once a byte is out a status cannot be taken back: the caller sees that the body is not whole."""
    late = playing(new_site(), [b"half"], "text/plain")
    late.function_error = "Unhandled"
    answer = await late.ask()
    assert (answer.status, answer.body, answer.whole) == (200, b"half", False)
    early = new_site()
    early.set(invoke_mode="RESPONSE_STREAM")
    early.function_error = "Unhandled"
    assert (await early.ask()).status == 502


@on_loop
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_an_answer_without_a_body_has_none(new_site: Any, method: str, status: int) -> None:
    """What the function streams then goes nowhere, and the connection stays whole."""
    head = json.dumps({"statusCode": status}).encode() + bytes(8)
    answer = await playing(new_site(), [head, b"body"]).ask(method)
    assert (answer.status, answer.body) == (status, b"")


@on_loop
async def test_cors_holds_for_streams_too(site: Any) -> None:
    """The URL's configuration is in the head of a streamed answer."""
    playing(site, [b"x"], "text/plain", cors=Cors(allow_origins=("*",)))
    answer = await site.ask(headers={"origin": "https://example.com"})
    assert answer.headers["access-control-allow-origin"] == "*"


@on_loop
async def test_a_buffered_url_asks_for_no_stream(site: Any) -> None:
    """There the function's answer is format 2.0, as ever."""
    playing(site, [b"x"])
    site.set(invoke_mode="BUFFERED")
    assert (await site.ask()).body == b"ok"


@given(st.binary(max_size=60) | st.dictionaries(st.text(max_size=9), st.text(max_size=9)).map(
    lambda d: json.dumps({"headers": d}).encode()
))  # fmt: skip
def test_any_prelude_is_a_head_or_malformed(prelude: bytes) -> None:
    """Whatever the bytes, headers that leave are fit to be sent."""
    try:
        head = payloads.decode_prelude(prelude)
    except payloads.MalformedResponseError:
        return
    assert 200 <= head.status <= 599
    assert not any("\n" in name + value or "\r" in name + value for name, value in head.headers)
