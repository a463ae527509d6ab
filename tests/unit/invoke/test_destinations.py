"""Destination records and dead-letter attributes: AWS's form, around any payload."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke.destinations import (
    Ending,
    dead_letter_attributes,
    error_message,
    invocation_record,
)
from lambent.model.invocation import InvocationResult

ARN = "arn:aws:lambda:us-east-2:123456789012:function:my-function:$LATEST"
NOW_MS = 1_573_755_365_568


def record(ending: Ending, payload: bytes = b"{}", **more: Any) -> Any:
    """The record as its reader has it."""
    built = invocation_record(
        ending, request_id="r", function_arn=ARN, request_payload=payload, now_ms=NOW_MS, **more
    )
    return json.loads(built)


def test_it_is_the_documented_record() -> None:
    """Member by member the example of AWS's guide."""
    failed = InvocationResult(b'{"errorMessage":"no"}', "$LATEST", "Unhandled")
    built = record(Ending("RetriesExhausted", 3, failed), b'{"ORDER_IDS":["9e07af03"]}')
    assert list(built.items()) == [
        ("version", "1.0"),
        ("timestamp", "2019-11-14T18:16:05.568Z"),
        (
            "requestContext",
            {
                "requestId": "r",
                "functionArn": ARN,
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
        ),
        ("requestPayload", {"ORDER_IDS": ["9e07af03"]}),
        (
            "responseContext",
            {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        ),
        ("responsePayload", {"errorMessage": "no"}),
    ]


def test_a_success_has_no_function_error() -> None:
    """The response's context tells what ran."""
    built = record(Ending("Success", 1, InvocationResult(b"null", "7")))
    assert built["responseContext"] == {"statusCode": 200, "executedVersion": "7"}
    assert built["responsePayload"] is None


def test_what_was_never_asked_has_no_response() -> None:
    """Neither context nor payload of a response stand in the record."""
    built = record(Ending("EventAgeExceeded", 0, None))
    assert set(built) == {"version", "timestamp", "requestContext", "requestPayload"}


def test_payloads_can_be_left_out() -> None:
    """The contexts stay."""
    built = record(Ending("Success", 1, InvocationResult(b"1", "7")), payloads=False)
    assert set(built) == {"version", "timestamp", "requestContext", "responseContext"}


@given(st.binary(max_size=200))
def test_any_answer_makes_a_record(payload: bytes) -> None:
    """JSON stands in it as it is, anything else as its text: the record is always JSON."""
    built = record(Ending("Success", 1, InvocationResult(payload, "7")))
    try:
        expected = json.loads(payload.decode())
    except ValueError:
        expected = payload.decode(errors="replace") if payload else None
    assert built["responsePayload"] == expected or expected != expected


def test_dead_letters_tell_request_code_and_message() -> None:
    """The message is cut at 1 KB, whatever its characters."""
    ending = Ending("RetriesExhausted", 3, None, 200, "ä" * 1000)
    attributes = dead_letter_attributes("r", ending)
    assert {name: a.data_type for name, a in attributes.items()} == {
        "RequestID": "String",
        "ErrorCode": "Number",
        "ErrorMessage": "String",
    }
    assert (attributes["RequestID"].value, attributes["ErrorCode"].value) == ("r", "200")
    assert attributes["ErrorMessage"].value == "ä" * 512


@given(st.binary(max_size=2000))
def test_an_error_message_is_found_in_anything(payload: bytes) -> None:
    """Whatever a function answers there is a text."""
    assert isinstance(error_message(payload), str)
    assert error_message(b'{"errorMessage": "no", "errorType": "E"}') == "no"
