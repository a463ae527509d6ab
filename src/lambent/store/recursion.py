"""Recursion configs: rows of ``recursion_configs``, one for each function that has set one."""

import sqlite3

from lambent.model.function_name import FunctionName

_PUT = """
    INSERT OR REPLACE INTO recursion_configs (account_id, region, function_name, recursive_loop)
    VALUES (?, ?, ?, ?)
"""
_GET = """
    SELECT recursive_loop FROM recursion_configs
    WHERE account_id = ? AND region = ? AND function_name = ?
"""
_REMOVE = "DELETE FROM recursion_configs WHERE account_id = ? AND region = ? AND function_name = ?"


def put_recursive_loop(cx: sqlite3.Connection, function: FunctionName, mode: str) -> None:
    """Sets ``Allow`` or ``Terminate``, in place of what the function had."""
    cx.execute(_PUT, (*_key(function), mode))


def get_recursive_loop(cx: sqlite3.Connection, function: FunctionName) -> str | None:
    """What was set, or None."""
    row = cx.execute(_GET, _key(function)).fetchone()
    return None if row is None else str(row[0])


def remove_recursive_loop(cx: sqlite3.Connection, function: FunctionName) -> None:
    """Forgets what was set; that nothing was is no error."""
    cx.execute(_REMOVE, _key(function))


def _key(function: FunctionName) -> tuple[str, str, str]:
    return function.account_id, function.region, function.name
