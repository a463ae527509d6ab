"""Aliases: rows of ``aliases``, by function."""

import sqlite3

from lambent.model.function import Alias
from lambent.model.function_name import FunctionName

_COLUMNS = """
    name, function_version, description, revision_id, additional_version, additional_weight
"""
_PUT = f"""
    INSERT OR REPLACE INTO aliases (account_id, region, function_name, {_COLUMNS})
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608 - no value is put into the text
_OF_FUNCTION = "account_id = ? AND region = ? AND function_name = ?"
_GET = f"SELECT {_COLUMNS} FROM aliases WHERE {_OF_FUNCTION} AND name = ?"  # noqa: S608
_LIST = f"""
    SELECT {_COLUMNS} FROM aliases
    WHERE {_OF_FUNCTION} AND name > ? AND (? IS NULL OR ? IN (function_version, additional_version))
    ORDER BY name LIMIT ?
"""  # noqa: S608
_POINTING_AT = f"""
    SELECT name FROM aliases
    WHERE {_OF_FUNCTION} AND ? IN (function_version, additional_version) ORDER BY name
"""  # noqa: S608
_DELETE = f"DELETE FROM aliases WHERE {_OF_FUNCTION} AND name = ?"  # noqa: S608
_DELETE_ALL = f"DELETE FROM aliases WHERE {_OF_FUNCTION}"  # noqa: S608


def put_alias(cx: sqlite3.Connection, function: FunctionName, alias: Alias) -> None:
    """Writes an alias, new or changed."""
    cx.execute(
        _PUT,
        (
            *_key(function),
            *(alias.name, alias.function_version, alias.description, alias.revision_id),
            *(alias.additional_version, alias.additional_weight),
        ),
    )


def get_alias(cx: sqlite3.Connection, function: FunctionName, name: str) -> Alias | None:
    """One alias; None when there is none."""
    row = cx.execute(_GET, (*_key(function), name)).fetchone()
    return None if row is None else Alias(**row)


def list_aliases(
    cx: sqlite3.Connection, function: FunctionName, *, version: str | None, after: str, limit: int
) -> list[Alias]:
    """Aliases by name, of those behind ``after``; with a ``version``, those that lead to it."""
    rows = cx.execute(_LIST, (*_key(function), after, version, version, limit))
    return [Alias(**row) for row in rows]


def aliases_pointing_at(cx: sqlite3.Connection, function: FunctionName, version: str) -> list[str]:
    """The names of the aliases that send any traffic to a version."""
    return [row[0] for row in cx.execute(_POINTING_AT, (*_key(function), version))]


def delete_alias(cx: sqlite3.Connection, function: FunctionName, name: str) -> bool:
    """Removes an alias; False when there was none."""
    return cx.execute(_DELETE, (*_key(function), name)).rowcount > 0


def delete_aliases(cx: sqlite3.Connection, function: FunctionName) -> None:
    """Removes every alias of a function."""
    cx.execute(_DELETE_ALL, _key(function))


def _key(function: FunctionName) -> tuple[str, str, str]:
    return function.account_id, function.region, function.name
