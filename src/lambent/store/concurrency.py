"""Reserved concurrency: rows of ``reservations``, one for each function that has any."""

import sqlite3

from lambent.model.function_name import FunctionName

_PUT = """
    INSERT OR REPLACE INTO reservations (account_id, region, function_name, executions)
    VALUES (?, ?, ?, ?)
"""
_GET = """
    SELECT executions FROM reservations
    WHERE account_id = ? AND region = ? AND function_name = ?
"""
_REMOVE = "DELETE FROM reservations WHERE account_id = ? AND region = ? AND function_name = ?"
_TOTAL = "SELECT SUM(executions) FROM reservations WHERE account_id = ? AND region = ?"
_LIST = "SELECT account_id, region, function_name, executions FROM reservations"


def put_reservation(cx: sqlite3.Connection, function: FunctionName, executions: int) -> None:
    """Reserves executions for a function, in place of what it had."""
    cx.execute(_PUT, (*_key(function), executions))


def get_reservation(cx: sqlite3.Connection, function: FunctionName) -> int | None:
    """The executions reserved for a function: 0 stops it, None is no reservation."""
    row = cx.execute(_GET, _key(function)).fetchone()
    return None if row is None else int(row[0])


def remove_reservation(cx: sqlite3.Connection, function: FunctionName) -> None:
    """Gives a function's reservation up; that there is none is no error."""
    cx.execute(_REMOVE, _key(function))


def total_reserved(cx: sqlite3.Connection, account_id: str, region: str) -> int:
    """What all functions of a place have reserved together."""
    (total,) = cx.execute(_TOTAL, (account_id, region)).fetchone()
    return total or 0


def list_reservations(cx: sqlite3.Connection) -> list[tuple[FunctionName, int]]:
    """Every reservation of every account."""
    return [(FunctionName(*row[:3]), row[3]) for row in map(tuple, cx.execute(_LIST))]


def _key(function: FunctionName) -> tuple[str, str, str]:
    return function.account_id, function.region, function.name
