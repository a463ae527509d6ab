"""Code signing: rows of ``code_signing_configs``, and of ``code_signing_of_functions`` for who has one."""

import json
import sqlite3
from dataclasses import asdict

from lambent.model.code_signing import CodeSigningConfig
from lambent.model.function_name import FunctionName

_PUT = """
    INSERT OR REPLACE INTO code_signing_configs (account_id, region, id, document)
    VALUES (?, ?, ?, ?)
"""
_ONE = "account_id = ? AND region = ? AND id = ?"
_GET = f"SELECT document FROM code_signing_configs WHERE {_ONE}"  # noqa: S608 - no value in the text
_REMOVE = f"DELETE FROM code_signing_configs WHERE {_ONE}"  # noqa: S608
_LIST = """
    SELECT document FROM code_signing_configs
    WHERE account_id = ? AND region = ? AND id > ? ORDER BY id LIMIT ?
"""
_ASSIGN = """
    INSERT OR REPLACE INTO code_signing_of_functions (account_id, region, function_name, config_id)
    VALUES (?, ?, ?, ?)
"""
_OF_FUNCTION = "account_id = ? AND region = ? AND function_name = ?"
_ASSIGNED = f"SELECT config_id FROM code_signing_of_functions WHERE {_OF_FUNCTION}"  # noqa: S608
_UNASSIGN = f"DELETE FROM code_signing_of_functions WHERE {_OF_FUNCTION}"  # noqa: S608
_FUNCTIONS = """
    SELECT function_name FROM code_signing_of_functions
    WHERE account_id = ? AND region = ? AND config_id = ? AND function_name > ?
    ORDER BY function_name LIMIT ?
"""


def put_config(cx: sqlite3.Connection, config: CodeSigningConfig) -> None:
    """Writes a configuration, new or changed."""
    document = json.dumps(asdict(config), separators=(",", ":"))
    cx.execute(_PUT, (config.account_id, config.region, config.id, document))


def get_config(
    cx: sqlite3.Connection, account_id: str, region: str, config_id: str
) -> CodeSigningConfig | None:
    """One configuration; None when there is none."""
    row = cx.execute(_GET, (account_id, region, config_id)).fetchone()
    return None if row is None else _from_row(row)


def list_configs(
    cx: sqlite3.Connection, account_id: str, region: str, *, after: str, limit: int
) -> list[CodeSigningConfig]:
    """Configurations by id, of those behind ``after``."""
    return [_from_row(row) for row in cx.execute(_LIST, (account_id, region, after, limit))]


def remove_config(cx: sqlite3.Connection, config: CodeSigningConfig) -> None:
    """Removes a configuration."""
    cx.execute(_REMOVE, (config.account_id, config.region, config.id))


def assign_config(cx: sqlite3.Connection, function: FunctionName, config_id: str) -> None:
    """Gives a function a configuration, in place of what it had."""
    cx.execute(_ASSIGN, (*_key(function), config_id))


def assigned_config(cx: sqlite3.Connection, function: FunctionName) -> str | None:
    """The id of the configuration a function has, or None."""
    row = cx.execute(_ASSIGNED, _key(function)).fetchone()
    return None if row is None else str(row[0])


def unassign_config(cx: sqlite3.Connection, function: FunctionName) -> None:
    """Takes a function's configuration away; that it has none is no error."""
    cx.execute(_UNASSIGN, _key(function))


def list_functions_with(
    cx: sqlite3.Connection, config: CodeSigningConfig, *, after: str, limit: int
) -> list[FunctionName]:
    """The functions that have a configuration, by name, of those behind ``after``."""
    place = (config.account_id, config.region)
    rows = cx.execute(_FUNCTIONS, (*place, config.id, after, limit))
    return [FunctionName(*place, row[0]) for row in rows]


def _key(function: FunctionName) -> tuple[str, str, str]:
    return function.account_id, function.region, function.name


def _from_row(row: sqlite3.Row) -> CodeSigningConfig:
    document = json.loads(row[0])
    return CodeSigningConfig(**document | {"publishers": tuple(document["publishers"])})
