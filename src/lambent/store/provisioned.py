"""Provisioned concurrency: rows of ``provisioned_concurrency``, one for each qualifier that has any."""

import sqlite3
from dataclasses import dataclass

from lambent.model.function_name import FunctionName

_WHERE = "WHERE account_id = ? AND region = ? AND function_name = ?"
_PUT = "INSERT OR REPLACE INTO provisioned_concurrency VALUES (?, ?, ?, ?, ?, ?)"
_GET = f"SELECT * FROM provisioned_concurrency {_WHERE} AND qualifier = ?"  # noqa: S608
_LIST = (
    f"SELECT * FROM provisioned_concurrency {_WHERE} AND qualifier > ? ORDER BY qualifier LIMIT ?"  # noqa: S608
)
_REMOVE = f"DELETE FROM provisioned_concurrency {_WHERE} AND qualifier = ?"  # noqa: S608
_REMOVE_ALL = f"DELETE FROM provisioned_concurrency {_WHERE}"  # noqa: S608
_FUNCTIONS = "SELECT DISTINCT account_id, region, function_name FROM provisioned_concurrency"
_UNRESERVED = """
    SELECT SUM(p.executions) FROM provisioned_concurrency AS p
    LEFT JOIN reservations AS r USING (account_id, region, function_name)
    WHERE account_id = ? AND region = ? AND r.executions IS NULL
"""


@dataclass(frozen=True, slots=True)
class ProvisionedConcurrency:
    """What a version or alias has; ``last_modified`` as Lambda writes times."""

    qualifier: str
    executions: int
    last_modified: str


def put_provisioned(
    cx: sqlite3.Connection, function: FunctionName, config: ProvisionedConcurrency
) -> None:
    """Sets what a qualifier has, in place of what it had."""
    cx.execute(_PUT, (*_key(function), config.qualifier, config.executions, config.last_modified))


def get_provisioned(
    cx: sqlite3.Connection, function: FunctionName, qualifier: str
) -> ProvisionedConcurrency | None:
    """What a qualifier has, or None."""
    row = cx.execute(_GET, (*_key(function), qualifier)).fetchone()
    return None if row is None else ProvisionedConcurrency(*tuple(row)[3:])


def list_provisioned(
    cx: sqlite3.Connection, function: FunctionName, *, after: str = "", limit: int = -1
) -> list[ProvisionedConcurrency]:
    """A function's, by qualifier."""
    rows = cx.execute(_LIST, (*_key(function), after, limit))
    return [ProvisionedConcurrency(*tuple(row)[3:]) for row in rows]


def remove_provisioned(cx: sqlite3.Connection, function: FunctionName, qualifier: str) -> None:
    """Takes a qualifier's away; that there is none is no error."""
    cx.execute(_REMOVE, (*_key(function), qualifier))


def remove_all_provisioned(cx: sqlite3.Connection, function: FunctionName) -> None:
    """Takes all of a function's away."""
    cx.execute(_REMOVE_ALL, _key(function))


def functions_with_provisioned(cx: sqlite3.Connection) -> list[FunctionName]:
    """Every function of every account that has any."""
    return [FunctionName(*row) for row in map(tuple, cx.execute(_FUNCTIONS))]


def total_provisioned_unreserved(cx: sqlite3.Connection, account_id: str, region: str) -> int:
    """What is provisioned together for functions of a place that have no reservation."""
    (total,) = cx.execute(_UNRESERVED, (account_id, region)).fetchone()
    return total or 0


def _key(function: FunctionName) -> tuple[str, str, str]:
    return function.account_id, function.region, function.name
