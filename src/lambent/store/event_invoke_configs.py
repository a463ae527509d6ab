"""Event invoke configs: rows of ``event_invoke_configs``, by function and qualifier."""

import json
import sqlite3
from dataclasses import asdict

from lambent.model.event_invoke import EventInvokeConfig
from lambent.model.function_name import FunctionName

_PUT = """
    INSERT OR REPLACE INTO event_invoke_configs
        (account_id, region, function_name, qualifier, document) VALUES (?, ?, ?, ?, ?)
"""
_GET = """
    SELECT document FROM event_invoke_configs
    WHERE account_id = ? AND region = ? AND function_name = ? AND qualifier = ?
"""
_LIST = """
    SELECT qualifier, document FROM event_invoke_configs
    WHERE account_id = ? AND region = ? AND function_name = ? AND qualifier > ?
    ORDER BY qualifier LIMIT ?
"""
_REMOVE = """
    DELETE FROM event_invoke_configs
    WHERE account_id = ? AND region = ? AND function_name = ? AND qualifier = ?
"""
_REMOVE_ALL = """
    DELETE FROM event_invoke_configs WHERE account_id = ? AND region = ? AND function_name = ?
"""


def put_event_invoke_config(
    cx: sqlite3.Connection, function: FunctionName, qualifier: str, config: EventInvokeConfig
) -> None:
    """Sets the config of a qualifier, in place of what it had."""
    document = json.dumps(asdict(config), separators=(",", ":"))
    cx.execute(_PUT, (*_key(function), qualifier, document))


def get_event_invoke_config(
    cx: sqlite3.Connection, function: FunctionName, qualifier: str
) -> EventInvokeConfig | None:
    """The config of a qualifier; None when none was set."""
    row = cx.execute(_GET, (*_key(function), qualifier)).fetchone()
    return None if row is None else EventInvokeConfig(**json.loads(row[0]))


def list_event_invoke_configs(
    cx: sqlite3.Connection, function: FunctionName, *, after: str, limit: int
) -> list[tuple[str, EventInvokeConfig]]:
    """Qualifiers with their configs, by qualifier, of those behind ``after``."""
    rows = cx.execute(_LIST, (*_key(function), after, limit))
    return [(row[0], EventInvokeConfig(**json.loads(row[1]))) for row in rows]


def remove_event_invoke_config(
    cx: sqlite3.Connection, function: FunctionName, qualifier: str
) -> bool:
    """Removes the config of a qualifier; False when there was none."""
    return cx.execute(_REMOVE, (*_key(function), qualifier)).rowcount > 0


def remove_event_invoke_configs(cx: sqlite3.Connection, function: FunctionName) -> None:
    """Removes every config of a function."""
    cx.execute(_REMOVE_ALL, _key(function))


def _key(function: FunctionName) -> tuple[str, str, str]:
    return function.account_id, function.region, function.name
