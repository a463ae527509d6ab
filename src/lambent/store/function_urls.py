"""Function URLs: rows of ``function_urls``, by function and qualifier."""

import json
import sqlite3
from dataclasses import asdict
from typing import Any

from lambent.model.function_name import FunctionName
from lambent.model.function_url import Cors, FunctionUrl

_PUT = """
    INSERT OR REPLACE INTO function_urls
        (account_id, region, function_name, qualifier, url_id, document)
    VALUES (?, ?, ?, ?, ?, ?)
"""
_OF_FUNCTION = "account_id = ? AND region = ? AND function_name = ?"
_GET = f"SELECT document FROM function_urls WHERE {_OF_FUNCTION} AND qualifier = ?"  # noqa: S608 - no values
_FIND = "SELECT document FROM function_urls WHERE url_id = ?"
_LIST = f"""
    SELECT document FROM function_urls
    WHERE {_OF_FUNCTION} AND qualifier > ? ORDER BY qualifier LIMIT ?
"""  # noqa: S608
_REMOVE = f"DELETE FROM function_urls WHERE {_OF_FUNCTION} AND qualifier = ?"  # noqa: S608
_REMOVE_ALL = f"DELETE FROM function_urls WHERE {_OF_FUNCTION}"  # noqa: S608


def put_url(cx: sqlite3.Connection, url: FunctionUrl) -> None:
    """Writes a URL, new or changed."""
    key = (url.account_id, url.region, url.function_name, url.qualifier, url.url_id)
    cx.execute(_PUT, (*key, json.dumps(asdict(url), separators=(",", ":"))))


def get_url(cx: sqlite3.Connection, function: FunctionName, qualifier: str) -> FunctionUrl | None:
    """The URL of an alias or ``$LATEST``; None when there is none."""
    row = cx.execute(_GET, (*_key(function), qualifier)).fetchone()
    return None if row is None else _from_row(row)


def find_url(cx: sqlite3.Connection, url_id: str) -> FunctionUrl | None:
    """The URL with an id; None when there is none."""
    row = cx.execute(_FIND, (url_id,)).fetchone()
    return None if row is None else _from_row(row)


def list_urls(
    cx: sqlite3.Connection, function: FunctionName, *, after: str, limit: int
) -> list[FunctionUrl]:
    """The URLs of a function by qualifier, of those behind ``after``."""
    return [_from_row(row) for row in cx.execute(_LIST, (*_key(function), after, limit))]


def remove_url(cx: sqlite3.Connection, function: FunctionName, qualifier: str) -> bool:
    """Removes one URL; False when there was none."""
    return cx.execute(_REMOVE, (*_key(function), qualifier)).rowcount > 0


def remove_urls(cx: sqlite3.Connection, function: FunctionName) -> None:
    """Removes every URL of a function."""
    cx.execute(_REMOVE_ALL, _key(function))


def _key(function: FunctionName) -> tuple[str, str, str]:
    return function.account_id, function.region, function.name


def _from_row(row: sqlite3.Row) -> FunctionUrl:
    document = json.loads(row[0])
    given = document.pop("cors")
    cors = None
    if given is not None:
        members: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in given.items()
        }
        cors = Cors(**members)
    return FunctionUrl(**document, cors=cors)
