"""What a message in a queue says of a failed event: the three forms there are, read without I/O.

1. A dead letter of Lambda: the event as body, ``RequestID``, ``ErrorCode``, ``ErrorMessage`` as attributes.
   It names no function. Source: "Adding a dead-letter queue".
2. A record of a destination, with the function and the event in it. Source: "Capturing records of Lambda
   asynchronous invocations".
3. Anything else: a message of a queue whose consumer failed. Both of the others may come wrapped by SNS.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message. ``event`` is None where there is nothing to replay, ``function_arn`` where it is not said.

    ``kind`` is ``dead letter``, ``record`` or ``message``; ``sent_at_ms`` when it came into this queue.
    """

    kind: str
    message_id: str
    receipt_handle: str
    sent_at_ms: int
    body: bytes
    event: bytes | None = None
    request_id: str = ""
    function_arn: str = ""
    condition: str = ""
    error: str = ""
    attempts: int | None = None
    is_duplicate: bool = False

    @property
    def sent_at(self) -> str:
        """``2026-01-02T03:04:05Z``."""
        moment = datetime.fromtimestamp(self.sent_at_ms / 1000, UTC)
        return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

    def is_named(self, text: str) -> bool:
        """Whether somebody means this one: by its request id or its message id."""
        return text in {self.message_id, self.request_id}


def read(message: Mapping[str, Any]) -> DeadLetter:
    """A message as ``ReceiveMessage`` gives it, with all attributes. Never fails: it may be anything."""
    body = str(message.get("Body", "")).encode()
    attributes = {
        name: str(value.get("StringValue", ""))
        for name, value in message.get("MessageAttributes", {}).items()
    }
    letter = DeadLetter(
        "message",
        str(message["MessageId"]),
        str(message["ReceiptHandle"]),
        int(message.get("Attributes", {}).get("SentTimestamp", 0)),
        body,
    )
    if not attributes:
        body, attributes = _unwrap(body)
    if {"RequestID", "ErrorCode", "ErrorMessage"} <= attributes.keys():
        return replace(
            letter,
            kind="dead letter",
            event=body,
            request_id=attributes["RequestID"],
            condition=attributes["ErrorCode"],
            error=attributes["ErrorMessage"],
        )
    return _read_record(letter, body) or letter


def mark_duplicates(letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    """Those whose request id was there before, oldest first, are marked."""
    ordered = sorted(letters, key=lambda letter: (letter.sent_at_ms, letter.message_id))
    seen: Counter[str] = Counter()
    marked = []
    for letter in ordered:
        seen[letter.request_id] += bool(letter.request_id)
        marked.append(replace(letter, is_duplicate=seen[letter.request_id] > 1))
    return marked


def _read_record(letter: DeadLetter, body: bytes) -> DeadLetter | None:
    """A destination's record. The event stays as the bytes it is: nothing in it is rewritten."""
    members = _members(body)
    try:
        context = json.loads(members["requestContext"])
        function_arn, request_id = str(context["functionArn"]), str(context["requestId"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    attempts = context.get("approximateInvokeCount")
    condition = str(context.get("condition", ""))
    event = members.get("requestPayload")
    return replace(
        letter,
        kind="record",
        event=event,
        request_id=request_id,
        function_arn=function_arn,
        condition=condition,
        error=_error_of(members) or condition,
        attempts=attempts if isinstance(attempts, int) else None,
    )


def _error_of(members: Mapping[str, bytes]) -> str:
    try:
        answer = json.loads(members["responsePayload"])
    except (KeyError, ValueError, RecursionError):
        return ""
    if not isinstance(answer, dict) or "errorMessage" not in answer:
        return ""
    kind = answer.get("errorType")
    return f"{kind}: {answer['errorMessage']}" if kind else str(answer["errorMessage"])


def _unwrap(body: bytes) -> tuple[bytes, dict[str, str]]:
    """What SNS wrapped, and its attributes; ``body`` itself where it did not."""
    members = _members(body)
    try:
        if json.loads(members["Type"]) != "Notification" or "TopicArn" not in members:
            return body, {}
        message = json.loads(members["Message"])
        given = json.loads(members.get("MessageAttributes", b"{}"))
        attributes = {str(name): str(one["Value"]) for name, one in given.items()}
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return body, {}
    return str(message).encode(errors="replace"), attributes


def _members(body: bytes) -> Mapping[str, bytes]:
    """An object's members, each as the bytes it is; none of what is no object."""
    try:
        return {name: bytes(value) for name, value in _read_members(body).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
