"""Scalable targets, their policies, scheduled actions and activities: rows of ``scaling``."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PUT = "INSERT OR REPLACE INTO scaling VALUES (?, ?, ?, ?, ?, ?, ?)"
_IS = "account_id = ? AND region = ? AND kind = ?"
_GET = f"SELECT * FROM scaling WHERE {_IS} AND resource_id = ? AND name = ?"  # noqa: S608
_LIST = (
    f"SELECT * FROM scaling WHERE {_IS} AND (resource_id, name) > (?, ?) ORDER BY resource_id, name"  # noqa: S608
)
_LIST_OF = f"SELECT * FROM scaling WHERE {_IS} AND resource_id = ? ORDER BY name"  # noqa: S608
_REMOVE = f"DELETE FROM scaling WHERE {_IS} AND resource_id = ? AND name = ?"  # noqa: S608
_EVERY = "SELECT * FROM scaling WHERE kind = ?"
_DUE = "SELECT * FROM scaling WHERE due_at_s <= ? ORDER BY due_at_s LIMIT ?"
_NEXT_DUE = "SELECT MIN(due_at_s) FROM scaling WHERE due_at_s IS NOT NULL"


@dataclass(frozen=True, slots=True)
class ScalingRecord:
    """One row. ``due_at_s``: seconds since the epoch, of an action that runs again."""

    account_id: str
    region: str
    kind: str
    resource_id: str
    name: str = ""
    due_at_s: float | None = None
    document: Mapping[str, Any] = field(default_factory=dict)


def put_record(cx: sqlite3.Connection, record: ScalingRecord) -> None:
    """Sets a record, in place of the one with its key."""
    text = json.dumps(record.document, separators=(",", ":"))
    cx.execute(_PUT, (*_key(record)[:3], record.resource_id, record.name, record.due_at_s, text))


def get_record(
    cx: sqlite3.Connection, place: tuple[str, str], kind: str, resource_id: str, name: str = ""
) -> ScalingRecord | None:
    """One record of an account and region."""
    row = cx.execute(_GET, (*place, kind, resource_id, name)).fetchone()
    return None if row is None else _record(row)


def list_records(
    cx: sqlite3.Connection, place: tuple[str, str], kind: str, after: tuple[str, str] = ("", "")
) -> list[ScalingRecord]:
    """Those of an account and region, by resource and name, behind the key ``after``."""
    return [_record(row) for row in cx.execute(_LIST, (*place, kind, *after))]


def list_of_resource(
    cx: sqlite3.Connection, place: tuple[str, str], kind: str, resource_id: str
) -> list[ScalingRecord]:
    """Those of one resource, by name."""
    return [_record(row) for row in cx.execute(_LIST_OF, (*place, kind, resource_id))]


def every_record(cx: sqlite3.Connection, kind: str) -> list[ScalingRecord]:
    """Those of every account and region."""
    return [_record(row) for row in cx.execute(_EVERY, (kind,))]


def due_records(cx: sqlite3.Connection, now_s: float, limit: int) -> list[ScalingRecord]:
    """What is to run by now, the earliest first."""
    return [_record(row) for row in cx.execute(_DUE, (now_s, limit))]


def next_due_s(cx: sqlite3.Connection) -> float | None:
    """When something is to run next."""
    (due_at_s,) = cx.execute(_NEXT_DUE).fetchone()
    return None if due_at_s is None else float(due_at_s)


def remove_record(cx: sqlite3.Connection, record: ScalingRecord) -> None:
    """Takes a record away; that there is none is no error."""
    cx.execute(_REMOVE, _key(record))


def _key(record: ScalingRecord) -> tuple[str, str, str, str, str]:
    return record.account_id, record.region, record.kind, record.resource_id, record.name


def _record(row: sqlite3.Row) -> ScalingRecord:
    account_id, region, kind, resource_id, name, due_at_s, text = tuple(row)
    document = json.loads(text)
    return ScalingRecord(account_id, region, kind, resource_id, name, due_at_s, document)
