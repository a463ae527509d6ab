"""What destinations and dead-letter targets get of an event: built from bytes, without I/O.

Payloads are put in as they are: the event was JSON when it was accepted, and what the function answered is
looked at only to see that it is.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from lambent.model.invocation import InvocationResult
from lambent.model.outgoing import Attribute

MAX_ERROR_MESSAGE_BYTES = 1024
"""AWS: "The first 1 KB of the error message". Source: "Adding a dead-letter queue"."""
_check_json = msgspec.json.Decoder(msgspec.Raw).decode


@dataclass(frozen=True, slots=True)
class Ending:
    """How an event ended. ``result`` is what the function answered last, if it was asked at all;

    ``status`` and ``message`` the error's, for the dead-letter target.
    """

    condition: str
    invoke_count: int
    result: InvocationResult | None
    status: int = 200
    message: str = ""


def invocation_record(
    ending: Ending,
    *,
    request_id: str,
    function_arn: str,
    request_payload: bytes,
    now_ms: int,
    payloads: bool = True,
) -> bytes:
    """The record of version 1.0; ``function_arn`` with a qualifier. Without ``payloads`` it is small.

    Source: the example in "Capturing records of Lambda asynchronous invocations". AWS: where the function
    was never asked there is no response (best known).
    """
    context = {
        "requestId": request_id,
        "functionArn": function_arn,
        "condition": ending.condition,
        "approximateInvokeCount": ending.invoke_count,
    }
    members = {
        "version": b'"1.0"',
        "timestamp": _encode(_timestamp(now_ms)),
        "requestContext": _encode(context),
    }
    if payloads:
        members["requestPayload"] = request_payload
    result = ending.result
    if result is not None:
        response = {"statusCode": 200, "executedVersion": result.executed_version}
        if result.function_error:
            response["functionError"] = result.function_error
        members["responseContext"] = _encode(response)
        if payloads:
            members["responsePayload"] = _as_json(result.payload)
    return b"{" + b",".join(b'"%s":%s' % (k.encode(), v) for k, v in members.items()) + b"}"


def dead_letter_attributes(request_id: str, ending: Ending) -> dict[str, Attribute]:
    """What a dead-letter target gets beside the event. Source: "Adding a dead-letter queue"."""
    message = ending.message.encode()[:MAX_ERROR_MESSAGE_BYTES].decode(errors="ignore")
    return {
        "RequestID": Attribute("String", request_id),
        "ErrorCode": Attribute("Number", str(ending.status)),
        "ErrorMessage": Attribute("String", message or ending.condition),
    }


def error_message(payload: bytes) -> str:
    """The ``errorMessage`` in what a failing function answered; all of it where there is none."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        document = None
    message = document.get("errorMessage") if isinstance(document, dict) else None
    if isinstance(message, str):
        return message
    return payload[:MAX_ERROR_MESSAGE_BYTES].decode(errors="replace")


def _as_json(payload: bytes) -> bytes:
    """A payload as a JSON value: itself, or its text when it is none."""
    try:
        _check_json(payload)
        payload.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _encode(payload.decode(errors="replace")) if payload else b"null"
    return payload


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _timestamp(now_ms: int) -> str:
    """``2019-11-14T18:16:05.568Z``."""
    text = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
