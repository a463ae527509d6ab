"""The segments that Lambda sends to X-Ray for a sampled invocation, as JSON documents.

Two for each: ``AWS::Lambda`` (the service took the request) and below it ``AWS::Lambda::Function`` (an environment
worked on it). Pure; times are Unix seconds.

Source: documents of BatchGetTraces that users of AWS keep as test data, and "AWS X-Ray segment documents".
"""

import json
import random
from collections.abc import Mapping
from typing import Any

Span = tuple[float, float]
"""Start and end."""


def new_segment_id() -> str:
    """16 hex digits."""
    return f"{random.getrandbits(64):016x}"


def service_segment(
    *,
    segment_id: str,
    trace_id: str,
    parent_id: str | None,
    function_name: str,
    function_arn: str,
    request_id: str,
    span: Span,
    status: int,
    fault: bool,
) -> str:
    """``AWS::Lambda``: ``status`` is what the caller is answered, ``fault`` whether the function failed."""
    document: dict[str, Any] = {
        **_head(segment_id, function_name, span, trace_id, parent_id),
        "http": {"response": {"status": status}},
        "aws": {"request_id": request_id},
        "origin": "AWS::Lambda",
        "resource_arn": function_arn,
        **_outcome(status, fault=fault),
    }
    return _text(document)


def function_segment(
    *,
    segment_id: str,
    trace_id: str,
    parent_id: str,
    account_id: str,
    function_name: str,
    function_arn: str,
    span: Span,
    subsegments: Mapping[str, Span],
    fault: bool,
) -> str:
    """``AWS::Lambda::Function``; ``subsegments`` are ``Initialization``, ``Invocation`` and ``Overhead``."""
    aws = {"function_arn": function_arn}
    document: dict[str, Any] = {
        **_head(segment_id, function_name, span, trace_id, parent_id),
        "aws": {"account_id": account_id, **aws, "resource_names": [function_name]},
        "origin": "AWS::Lambda::Function",
        **_outcome(200, fault=fault),
        "subsegments": [
            {"id": new_segment_id(), "name": name, "start_time": start, "end_time": end, "aws": aws}
            for name, (start, end) in subsegments.items()
        ],
    }
    return _text(document)


def _head(
    segment_id: str, name: str, span: Span, trace_id: str, parent_id: str | None
) -> dict[str, Any]:
    start, end = span
    head = {
        "id": segment_id,
        "name": name,
        "start_time": start,
        "trace_id": trace_id,
        "end_time": end,
    }
    return head if parent_id is None else {**head, "parent_id": parent_id}


def _outcome(status: int, *, fault: bool) -> dict[str, bool]:
    """Source: "error: a client error occurred; throttle: 429; fault: a server error" (segment documents)."""
    if fault or status >= 500:
        return {"fault": True}
    if status == 429:
        return {"error": True, "throttle": True}
    return {"error": True} if status >= 400 else {}


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
