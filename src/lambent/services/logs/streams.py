"""Log streams: create, delete, describe."""

import json
from typing import Any, Final

from lambent.model.call import Call, Result
from lambent.services.logs import faults
from lambent.services.logs.service import Group, LogsService, asked_group, group_arn
from lambent.services.logs.tokens import format_name_token, parse_name_token

_PAGE: Final = 50
_ADD_STREAM: Final = (
    "INSERT INTO streams (group_id, name, created_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
)
_COLUMNS: Final = (
    "SELECT name, created_ms,"
    " (SELECT min(first_ms) FROM blocks WHERE stream_id = streams.id),"
    " (SELECT max(last_ms) FROM blocks WHERE stream_id = streams.id) AS last_ms,"
    " (SELECT max(ingestion_ms) FROM blocks WHERE stream_id = streams.id),"
    " (SELECT max(id) FROM blocks WHERE stream_id = streams.id)"
    " FROM streams WHERE group_id = ?"
)


def create_log_stream(logs: LogsService, call: Call) -> Result:
    """Create a stream; one that exists already, if only by its events, is an error."""
    logs.settle()
    group = logs.find_group(call, call.parameters["logGroupName"])
    name = call.parameters["logStreamName"]
    created = logs.store.change(
        (
            _ADD_STREAM,
            (group.group_id, name, logs.now_ms()),
        )
    )
    if not created:
        raise faults.already_exists(faults.STREAM_EXISTS)
    return Result()


def delete_log_stream(logs: LogsService, call: Call) -> Result:
    """Delete a stream and its events."""
    logs.settle()
    group = logs.find_group(call, call.parameters["logGroupName"])
    logs.store.delete_stream(logs.find_stream_id(group, call.parameters["logStreamName"]))
    return Result()


def describe_log_streams(logs: LogsService, call: Call) -> Result:
    """A group's streams, by name or by the time of their last event."""
    parameters = call.parameters
    by_time = parameters.get("orderBy") == "LastEventTime"
    if by_time and parameters.get("logStreamNamePrefix") is not None:
        raise faults.invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    logs.settle()
    group = asked_group(logs, call)
    limit = parameters.get("limit", _PAGE)
    select = _by_time if by_time else _by_name
    rows = select(logs, group, call, limit + 1)
    output: dict[str, Any] = {"logStreams": [_describe(call, group, row) for row in rows[:limit]]}
    if len(rows) > limit:
        last = rows[limit - 1]
        output["nextToken"] = format_name_token(
            json.dumps([last[3] or 0, last[0]]) if by_time else last[0]
        )
    return Result(output)


def sequence_token(block_id: int) -> str:
    """AWS: still returned, and ignored when it comes back."""
    return f"{block_id:056d}"


def _by_name(logs: LogsService, group: Group, call: Call, limit: int) -> list[Any]:
    prefix = call.parameters.get("logStreamNamePrefix") or ""
    after = parse_name_token(call.parameters.get("nextToken"))
    down = call.parameters.get("descending", False)
    sign, way = ("<", "DESC") if down else (">", "ASC")
    sql = f"{_COLUMNS} AND substr(name, 1, ?) = ?"
    values: list[Any] = [group.group_id, len(prefix), prefix]
    if after:
        sql += f" AND name {sign} ?"
        values.append(after)
    return logs.store.query(f"{sql} ORDER BY name {way} LIMIT ?", (*values, limit))


def _by_time(logs: LogsService, group: Group, call: Call, limit: int) -> list[Any]:
    after = parse_name_token(call.parameters.get("nextToken"))
    down = call.parameters.get("descending", False)
    sign, way = ("<", "DESC") if down else (">", "ASC")
    sql, values = f"SELECT * FROM ({_COLUMNS})", [group.group_id]  # noqa: S608 - fixed words
    if after:
        sql += f" WHERE (coalesce(last_ms, 0), name) {sign} (?, ?)"
        values += _parse_place(after)
    return logs.store.query(
        f"{sql} ORDER BY coalesce(last_ms, 0) {way}, name {way} LIMIT ?", (*values, limit)
    )


def _parse_place(text: str) -> list[Any]:
    try:
        last_ms, name = json.loads(text)
        return [int(last_ms), str(name)]
    except (ValueError, TypeError) as error:
        raise faults.invalid(faults.BAD_TOKEN) from error


def _describe(call: Call, group: Group, row: tuple[Any, ...]) -> dict[str, Any]:
    name, created_ms, first_ms, last_ms, ingested_ms, last_block_id = row
    stream = {
        "logStreamName": name,
        "creationTime": created_ms,
        "arn": f"{group_arn(call, group.name)}:log-stream:{name}",
        "storedBytes": 0,  # AWS: always 0 for a stream since June 2019
    }
    if last_block_id is not None:
        stream |= {
            "firstEventTimestamp": first_ms,
            "lastEventTimestamp": last_ms,
            "lastIngestionTime": ingested_ms,
            "uploadSequenceToken": sequence_token(last_block_id),
        }
    return stream
