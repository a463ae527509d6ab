"""Event source mappings: rows of ``event_source_mappings``, each an :class:`EventSourceMapping` as JSON."""

import json
import sqlite3
from dataclasses import asdict

from lambent.model.event_source_mapping import EventSourceMapping, MappingState

_PUT = """
    INSERT OR REPLACE INTO event_source_mappings
        (uuid, account_id, region, function_arn, event_source_arn, document)
    VALUES (?, ?, ?, ?, ?, ?)
"""
_GET = "SELECT document FROM event_source_mappings WHERE uuid = ?"
_LIST = """
    SELECT document FROM event_source_mappings
    WHERE account_id = ?1 AND region = ?2 AND uuid > ?3
        AND (?4 = '' OR function_arn = ?4) AND (?5 = '' OR event_source_arn = ?5)
    ORDER BY uuid LIMIT ?6
"""
_FIND = """
    SELECT document FROM event_source_mappings
    WHERE account_id = ? AND region = ? AND function_arn = ? AND event_source_arn = ?
"""
_ALL = "SELECT document FROM event_source_mappings ORDER BY uuid"
_REMOVE = "DELETE FROM event_source_mappings WHERE uuid = ?"


def put_mapping(cx: sqlite3.Connection, mapping: EventSourceMapping) -> None:
    """Writes a mapping, new or changed."""
    cx.execute(
        _PUT,
        (
            *(mapping.uuid, mapping.account_id, mapping.region, mapping.function_arn),
            mapping.event_source_arn or "",
            json.dumps(asdict(mapping), separators=(",", ":")),
        ),
    )


def get_mapping(cx: sqlite3.Connection, uuid: str) -> EventSourceMapping | None:
    """One mapping; None when there is none."""
    row = cx.execute(_GET, (uuid,)).fetchone()
    return None if row is None else _from_row(row)


def find_mapping(
    cx: sqlite3.Connection, account_id: str, region: str, function_arn: str, event_source_arn: str
) -> EventSourceMapping | None:
    """The mapping of a source to a function, qualifier and all."""
    row = cx.execute(_FIND, (account_id, region, function_arn, event_source_arn)).fetchone()
    return None if row is None else _from_row(row)


def list_mappings(
    cx: sqlite3.Connection,
    account_id: str,
    region: str,
    *,
    function_arn: str = "",
    event_source_arn: str = "",
    after: str = "",
    limit: int,
) -> list[EventSourceMapping]:
    """Mappings by UUID, of those behind ``after``; ``""`` filters nothing."""
    rows = cx.execute(_LIST, (account_id, region, after, function_arn, event_source_arn, limit))
    return [_from_row(row) for row in rows]


def every_mapping(cx: sqlite3.Connection) -> list[EventSourceMapping]:
    """All there are, of all accounts."""
    return [_from_row(row) for row in cx.execute(_ALL)]


def remove_mapping(cx: sqlite3.Connection, uuid: str) -> None:
    """Removes a mapping; that there is none is no error."""
    cx.execute(_REMOVE, (uuid,))


def _from_row(row: sqlite3.Row) -> EventSourceMapping:
    document = json.loads(row[0])
    return EventSourceMapping(**document | {"state": MappingState(document["state"])})
