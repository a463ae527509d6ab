"""Log groups: create, delete, describe, retention."""

import json
from typing import Any, Final

from lambent.model.call import Call, Result
from lambent.model.errors import not_yet
from lambent.services.logs import faults
from lambent.services.logs.service import LogsService, group_arn, identified_name
from lambent.services.logs.tokens import format_name_token, parse_name_token

RETENTION_DAYS: Final = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731,
    1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
"""Source: the shape ``Days`` of botocore's ``logs`` model."""
_PAGE: Final = 50
_ADD_GROUP: Final = (
    "INSERT INTO groups (account_id, region, name, created_ms, tags)"
    " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


def create_log_group(logs: LogsService, call: Call) -> Result:
    """Create a group that keeps its events for ever until a retention is set."""
    parameters = call.parameters
    name = parameters["logGroupName"]
    if name.startswith("aws/"):
        raise faults.invalid("Log group names can't start with the string aws/")
    if parameters.get("kmsKeyId"):
        raise not_yet("kmsKeyId of a log group")
    if parameters.get("logGroupClass", "STANDARD") != "STANDARD":
        raise not_yet("log group classes other than STANDARD")
    if parameters.get("deletionProtectionEnabled"):
        raise not_yet("deletionProtectionEnabled of a log group")
    logs.settle()
    created = logs.store.change(
        (
            _ADD_GROUP,
            (
                call.caller.account_id,
                call.caller.region,
                name,
                logs.now_ms(),
                json.dumps(dict(parameters.get("tags") or {})),
            ),
        )
    )
    if not created:
        raise faults.already_exists(faults.GROUP_EXISTS)
    return Result()


def delete_log_group(logs: LogsService, call: Call) -> Result:
    """Delete a group with its streams and events. Events that come later create it anew."""
    logs.settle()
    group = logs.find_group(call, call.parameters["logGroupName"])
    logs.store.delete_group(group.group_id)
    return Result()


def describe_log_groups(logs: LogsService, call: Call) -> Result:
    """The caller's groups by name, filtered by a prefix, a part of the name, or a list."""
    parameters = call.parameters
    if parameters.get("includeLinkedAccounts"):
        raise not_yet("includeLinkedAccounts")
    prefix, part = parameters.get("logGroupNamePrefix"), parameters.get("logGroupNamePattern")
    if prefix is not None and part is not None:
        raise faults.invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    logs.settle()
    if parameters.get("logGroupClass", "STANDARD") != "STANDARD":
        return Result({"logGroups": []})
    limit = parameters.get("limit", _PAGE)
    rows = _select(logs, call, prefix or "", part or "", limit + 1)
    output: dict[str, Any] = {
        "logGroups": [_describe(call, row, short=part is not None) for row in rows[:limit]]
    }
    if len(rows) > limit:
        output["nextToken"] = format_name_token(rows[limit - 1][0])
    return Result(output)


def put_retention_policy(logs: LogsService, call: Call) -> Result:
    """Keep events this many days; older ones are hidden at once and deleted soon."""
    days = call.parameters["retentionInDays"]
    if days not in RETENTION_DAYS:
        raise faults.invalid(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy "
            f"constraint: Member must satisfy enum value set: {list(RETENTION_DAYS)}"
        )
    return _set_retention(logs, call, days)


def delete_retention_policy(logs: LogsService, call: Call) -> Result:
    """Keep events for ever."""
    return _set_retention(logs, call, None)


def _set_retention(logs: LogsService, call: Call, days: int | None) -> Result:
    logs.settle()
    group = logs.find_group(call, call.parameters["logGroupName"])
    logs.store.change(("UPDATE groups SET retention_days = ? WHERE id = ?", (days, group.group_id)))
    return Result()


def _select(logs: LogsService, call: Call, prefix: str, part: str, limit: int) -> list[Any]:
    sql = (
        "SELECT name, created_ms, retention_days,"
        " (SELECT coalesce(sum(bytes), 0) FROM blocks"
        "  WHERE group_id = groups.id AND last_ms >= ? - coalesce(retention_days, ?) * 86400000)"
        " FROM groups WHERE account_id = ? AND region = ? AND name > ?"
        " AND substr(name, 1, ?) = ? AND instr(name, ?)"
    )
    now_ms = logs.now_ms()
    parameters: list[Any] = [now_ms, now_ms, call.caller.account_id, call.caller.region]
    parameters += [parse_name_token(call.parameters.get("nextToken"))]
    parameters += [len(prefix), prefix, part]
    identifiers = call.parameters.get("logGroupIdentifiers")
    if identifiers:
        sql += f" AND name IN ({','.join('?' * len(identifiers))})"
        parameters += [identified_name(call, identifier) for identifier in identifiers]
    return logs.store.query(f"{sql} ORDER BY name LIMIT ?", (*parameters, limit))


def _describe(call: Call, row: tuple[Any, ...], *, short: bool) -> dict[str, Any]:
    """AWS: a search by pattern shows ``arn``, ``creationTime`` and ``logGroupName`` only."""
    name, created_ms, retention_days, stored_bytes = row
    arn = group_arn(call, name)
    group = {"logGroupName": name, "creationTime": created_ms, "arn": f"{arn}:*"}
    if short:
        return group
    group |= {
        "metricFilterCount": 0,
        "storedBytes": stored_bytes,
        "logGroupClass": "STANDARD",
        "logGroupArn": arn,
    }
    if retention_days is not None:
        group["retentionInDays"] = retention_days
    return group
