"""Log events: put, get, filter."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from lambent.model.call import Call, Result
from lambent.services.logs import faults
from lambent.services.logs.filter_pattern import InvalidPattern, Pattern, parse
from lambent.services.logs.ingest import MAX_EVENT_BYTES
from lambent.services.logs.scan import StoredEvent, scan
from lambent.services.logs.service import Group, LogsService, asked_group
from lambent.services.logs.streams import sequence_token
from lambent.services.logs.tokens import EventToken, format_event_token, parse_event_token
from lambent.store.log_blocks import EVENT_OVERHEAD_BYTES, Span

# Source for all of these: PutLogEvents, GetLogEvents, FilterLogEvents in botocore's ``logs`` model.
MAX_BATCH_BYTES: Final = 1_048_576
PAGE_EVENTS: Final = 10_000
PAGE_BYTES: Final = 1_048_576
_DAY_MS: Final = 24 * 3600 * 1000
_TOO_OLD_MS: Final = 14 * _DAY_MS
_TOO_NEW_MS: Final = 2 * 3600 * 1000
_DESCENDING_SINCE_MS: Final = 1_704_067_200_000  # 2024-01-01
SCANNED_BYTES: Final = 32 * 1024 * 1024
"""POLICY: a page is answered, perhaps empty, after looking at this much. AWS does likewise."""


def put_log_events(logs: LogsService, call: Call) -> Result:
    """Add a batch to a stream that exists. Events out of the accepted time are left out and named.

    The events are on disk when this returns. AWS: the sequence token is ignored.
    """
    parameters = call.parameters
    logs.settle()
    group = logs.find_group(call, parameters["logGroupName"])
    stream_id = logs.find_stream_id(group, parameters["logStreamName"])
    events = [(event["timestamp"], event["message"].encode()) for event in parameters["logEvents"]]
    _check_batch(events)
    accepted, rejected = _sort_out(logs, group, [stamp for stamp, _ in events])
    caller = call.caller
    logs.writer.append_many(
        caller.account_id, caller.region, group.name, parameters["logStreamName"], events[accepted]
    )
    logs.settle()
    rows = logs.store.query("SELECT max(id) FROM blocks WHERE stream_id = ?", (stream_id,))
    output: dict[str, Any] = {"nextSequenceToken": sequence_token(rows[0][0] or 0)}
    if rejected:
        output["rejectedLogEventsInfo"] = rejected
    if parameters.get("entity"):
        # Entities are not kept, and the answer has a member to say so.
        output["rejectedEntityInfo"] = {"errorType": "UnsupportedLogGroupType"}
    return Result(output)


def get_log_events(logs: LogsService, call: Call) -> Result:
    """A page of one stream, oldest first. At either end, the token that was passed comes back."""
    parameters = call.parameters
    token = parse_event_token(parameters.get("nextToken"))
    logs.settle()
    group = asked_group(logs, call)
    span = Span(
        group.group_id,
        stream_ids=(logs.find_stream_id(group, parameters["logStreamName"]),),
        start_ms=max(parameters.get("startTime", 0), logs.oldest_kept_ms(group)),
        end_ms=parameters.get("endTime", 2**62) - 1,
    )
    backward = token.backward if token else not parameters.get("startFromHead", False)
    found = scan(logs.store, span, descending=backward, beyond=token.position if token else None)
    page = list(_page(found, parameters.get("limit", PAGE_EVENTS)))
    if backward:
        page.reverse()
    first, last = _edges(page, token)
    return Result(
        {
            "events": [_describe(event) for event in page],
            "nextForwardToken": format_event_token(last),
            "nextBackwardToken": format_event_token(first, backward=True),
        }
    )


def filter_log_events(logs: LogsService, call: Call) -> Result:
    """A page of a group's matching events, of all or some streams, interleaved by time."""
    parameters = call.parameters
    token = parse_event_token(parameters.get("nextToken"))
    pattern = _pattern(parameters.get("filterPattern", ""))
    descending = token.backward if token else _descending(call)
    logs.settle()
    group = asked_group(logs, call)
    found = scan(
        logs.store,
        _filter_span(logs, group, call),
        descending=descending,
        beyond=token.position if token else None,
    )
    page, last = _matching(found, pattern, parameters.get("limit", PAGE_EVENTS))
    output: dict[str, Any] = {
        "events": [
            {
                "logStreamName": event.stream_name,
                "eventId": f"{event.position:056d}",
                **_describe(event),
            }
            for event in page
        ],
        "searchedLogStreams": [],  # AWS: always empty since 2020
    }
    if last is not None:
        output["nextToken"] = format_event_token(last, backward=descending)
    return Result(output)


def _check_batch(events: Sequence[tuple[int, bytes]]) -> None:
    total = 0
    for _, message in events:
        size = len(message) + EVENT_OVERHEAD_BYTES
        if len(message) > MAX_EVENT_BYTES:
            raise faults.invalid(
                f"Log event too large: {size} bytes exceeds limit of {MAX_BATCH_BYTES}"
            )
        total += size
    if total > MAX_BATCH_BYTES:
        raise faults.invalid(f"Upload too large: {total} bytes exceeds limit of {MAX_BATCH_BYTES}")
    if any(later < earlier for (earlier, _), (later, _) in pairwise(events)):
        raise faults.invalid(
            "Log events in a single PutLogEvents request must be in chronological order."
        )


def _sort_out(
    logs: LogsService, group: Group, stamps: Sequence[int]
) -> tuple[slice, dict[str, int]]:
    """Which events to take, and the indexes that name the others.

    Raises ``InvalidParameterException`` if those to take span more than 24 hours.
    """
    now_ms = logs.now_ms()
    too_old = sum(stamp < now_ms - _TOO_OLD_MS for stamp in stamps)
    expired = sum(stamp < logs.oldest_kept_ms(group) for stamp in stamps)
    too_new = sum(stamp > now_ms + _TOO_NEW_MS for stamp in stamps)
    start, stop = max(too_old, expired), len(stamps) - too_new
    if start < stop and stamps[stop - 1] - stamps[start] > _DAY_MS:
        raise faults.invalid(
            "The batch of log events in a single PutLogEvents request"
            " cannot span more than 24 hours."
        )
    rejected = {}
    if too_new:
        rejected["tooNewLogEventStartIndex"] = stop
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired:
        rejected["expiredLogEventEndIndex"] = expired
    return slice(start, stop), rejected


def _page(found: Iterator[StoredEvent], limit: int) -> Iterator[StoredEvent]:
    """As many events as a page takes, at least one."""
    size = 0
    for count, event in enumerate(found, 1):
        size += len(event.message) + EVENT_OVERHEAD_BYTES
        if count > 1 and size > PAGE_BYTES:
            return
        yield event
        if count >= limit:
            return


def _matching(
    found: Iterator[StoredEvent], pattern: Pattern, limit: int
) -> tuple[list[StoredEvent], int | None]:
    """The page, and where to go on; None at the end."""
    page: list[StoredEvent] = []
    size = looked_at = 0
    last: int | None = None
    for event in found:
        weight = len(event.message) + EVENT_OVERHEAD_BYTES
        if len(page) >= limit or looked_at > SCANNED_BYTES:
            return page, last
        looked_at += weight
        if pattern.matches(_text(event.message)):
            if page and size + weight > PAGE_BYTES:
                return page, last
            page.append(event)
            size += weight
        last = event.position
    return page, None


def _edges(page: Sequence[StoredEvent], token: EventToken | None) -> tuple[int, int]:
    """The positions that the backward and forward tokens stand on."""
    if page:
        return page[0].position, page[-1].position
    if token is None:
        return 0, 0
    if token.backward:
        return token.position, token.position - 1
    return token.position + 1, token.position


def _filter_span(logs: LogsService, group: Group, call: Call) -> Span:
    parameters = call.parameters
    names, prefix = parameters.get("logStreamNames"), parameters.get("logStreamNamePrefix")
    if names is not None and prefix is not None:
        raise faults.invalid(
            "logStreamNames and logStreamNamePrefix are mutually exclusive parameters."
        )
    return Span(
        group.group_id,
        stream_ids=tuple(logs.find_stream_id(group, name) for name in names) if names else None,
        stream_prefix=prefix,
        start_ms=max(parameters.get("startTime", 0), logs.oldest_kept_ms(group)),
        end_ms=parameters.get("endTime", 2**62),
    )


def _descending(call: Call) -> bool:
    if call.parameters.get("startFromHead", True):
        return False
    if call.parameters.get("startTime", 0) < _DESCENDING_SINCE_MS:
        raise faults.invalid(
            "startFromHead can be false only when startTime is on or after 2024-01-01T00:00:00Z."
        )
    return True


def _pattern(text: str) -> Pattern:
    try:
        return parse(text)
    except InvalidPattern as error:
        raise faults.invalid(str(error)) from error


def _describe(event: StoredEvent) -> dict[str, Any]:
    return {
        "timestamp": event.timestamp_ms,
        "message": _text(event.message),
        "ingestionTime": event.ingestion_ms,
    }


def _text(message: bytes) -> str:
    return message.decode("utf-8", "replace")
