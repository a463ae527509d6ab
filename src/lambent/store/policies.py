"""Statements of resource policies: rows of ``statements``, by the ARN the policy hangs on."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

_ADD = "INSERT INTO statements (resource, statement_id, document) VALUES (?, ?, ?)"
_LIST = "SELECT document FROM statements WHERE resource = ? ORDER BY position"
_REMOVE = "DELETE FROM statements WHERE resource = ? AND statement_id = ?"
_REMOVE_ALL = """
    DELETE FROM statements WHERE resource = ?1 OR (resource >= ?1 || ':' AND resource < ?1 || ';')
"""  # ";" comes right behind ":", so this is everything that begins with the ARN and a colon


def add_statement(
    cx: sqlite3.Connection, resource: str, statement_id: str, statement: Mapping[str, Any]
) -> None:
    """Puts a statement behind the others. Its id must be new to the resource."""
    cx.execute(_ADD, (resource, statement_id, json.dumps(statement, separators=(",", ":"))))


def list_statements(cx: sqlite3.Connection, resource: str) -> list[dict[str, Any]]:
    """A resource's statements in the order they were added."""
    return [json.loads(row[0]) for row in cx.execute(_LIST, (resource,))]


def remove_statement(cx: sqlite3.Connection, resource: str, statement_id: str) -> bool:
    """Removes one statement; False when there was none."""
    return cx.execute(_REMOVE, (resource, statement_id)).rowcount > 0


def remove_policies(cx: sqlite3.Connection, resource: str) -> None:
    """Removes the policy of a resource, and those of its versions and aliases."""
    cx.execute(_REMOVE_ALL, (resource,))
