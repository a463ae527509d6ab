"""Tags: rows of ``tags``, by the ARN they hang on."""

import sqlite3
from collections.abc import Iterable, Mapping

_PUT = "INSERT OR REPLACE INTO tags (resource, key, value) VALUES (?, ?, ?)"
_LIST = "SELECT key, value FROM tags WHERE resource = ? ORDER BY key"
_LIST_TAGGED = """
    SELECT resource, key, value FROM tags WHERE resource >= ? AND resource < ? ORDER BY resource, key
"""
_REMOVE = "DELETE FROM tags WHERE resource = ? AND key = ?"
_REMOVE_ALL = "DELETE FROM tags WHERE resource = ?"


def put_tags(cx: sqlite3.Connection, resource: str, tags: Mapping[str, str]) -> None:
    """Adds tags; a key that is there takes the new value."""
    cx.executemany(_PUT, [(resource, key, value) for key, value in tags.items()])


def list_tags(cx: sqlite3.Connection, resource: str) -> dict[str, str]:
    """A resource's tags, by key."""
    return {row["key"]: row["value"] for row in cx.execute(_LIST, (resource,))}


def remove_tags(cx: sqlite3.Connection, resource: str, keys: Iterable[str]) -> None:
    """Removes tags by key; one that is not there is no error."""
    cx.executemany(_REMOVE, [(resource, key) for key in keys])


def remove_all_tags(cx: sqlite3.Connection, resource: str) -> None:
    """Removes every tag of a resource."""
    cx.execute(_REMOVE_ALL, (resource,))


def list_tagged(cx: sqlite3.Connection, arn_prefix: str) -> dict[str, dict[str, str]]:
    """The tags of every resource whose ARN starts so, by ARN."""
    found: dict[str, dict[str, str]] = {}
    for row in cx.execute(_LIST_TAGGED, (arn_prefix, arn_prefix + "\U0010ffff")):
        found.setdefault(row["resource"], {})[row["key"]] = row["value"]
    return found
