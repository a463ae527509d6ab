"""Functions and their versions: rows of ``versions``, each a :class:`FunctionVersion` as JSON."""

import json
import sqlite3
from dataclasses import asdict
from typing import Any

from lambent.model.function import LATEST, CodeRef, FileSystemConfig, FunctionVersion, LayerRef
from lambent.model.function_name import FunctionName
from lambent.store.images import image_from, serving_from, serving_in_use

_PUT = """
    INSERT INTO versions
        (account_id, region, name, number, code_sha256, code_bytes, settled, document)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET
        code_sha256 = excluded.code_sha256, code_bytes = excluded.code_bytes,
        settled = excluded.settled, document = excluded.document
"""
_GET = """
    SELECT document FROM versions WHERE account_id = ? AND region = ? AND name = ? AND number = ?
"""
_LAST_PUBLISHED = """
    SELECT document FROM versions
    WHERE account_id = ? AND region = ? AND name = ? AND number =
        (SELECT last FROM version_numbers
         WHERE account_id = ?1 AND region = ?2 AND kind = 'function' AND name = ?3)
"""
_LIST_LATEST = """
    SELECT document FROM versions
    WHERE account_id = ? AND region = ? AND number = 0 AND name > ? ORDER BY name LIMIT ?
"""
_LIST_ALL = """
    SELECT document FROM versions
    WHERE account_id = ? AND region = ? AND (name, number) > (?, ?) ORDER BY name, number LIMIT ?
"""
_LIST_VERSIONS = """
    SELECT document FROM versions
    WHERE account_id = ? AND region = ? AND name = ? AND number > ? ORDER BY number LIMIT ?
"""
_DELETE_VERSION = """
    DELETE FROM versions WHERE account_id = ? AND region = ? AND name = ? AND number = ?
"""
_DELETE_FUNCTION = "DELETE FROM versions WHERE account_id = ? AND region = ? AND name = ?"
_UNSETTLED = "SELECT document FROM versions WHERE settled = 0"
_TAKE_NUMBER = """
    INSERT INTO version_numbers (account_id, region, kind, name, last) VALUES (?, ?, ?, ?, 1)
    ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last
"""
_CODE_IN_USE = """
    SELECT code_sha256 FROM versions
    UNION SELECT code_sha256 FROM layer_versions
"""
_IS_CODE_USED = """
    SELECT EXISTS (SELECT 1 FROM versions WHERE code_sha256 = ?)
        OR EXISTS (SELECT 1 FROM layer_versions WHERE code_sha256 = ?1)
"""
# As the index versions_by_layers has it, word by word: so versions without layers are not looked at.
_LAYER_SETS_IN_USE = """
    SELECT DISTINCT json_extract(document, '$.layers') FROM versions
    WHERE json_extract(document, '$.layers') <> '[]'
"""
NUMBER_MAX = 2**63 - 1
"""SQLite's integers have 64 bits."""
_NUMBER_DIGITS = 1_000
_USAGE = "SELECT functions, code_bytes FROM usage WHERE account_id = ? AND region = ?"


def put_version(cx: sqlite3.Connection, version: FunctionVersion) -> None:
    """Writes a version, new or changed."""
    settled = version.state != "Pending" and version.last_update_status != "InProgress"
    cx.execute(
        _PUT,
        (
            *(version.account_id, version.region, version.name, _number(version.version)),
            *(version.code.sha256, version.code.size_bytes, settled),
            json.dumps(asdict(version), separators=(",", ":")),
        ),
    )


def get_version(
    cx: sqlite3.Connection, function: FunctionName, version: str
) -> FunctionVersion | None:
    """One version, ``$LATEST`` or a number as text; None when there is none."""
    row = cx.execute(_GET, (*_key(function), _number(version))).fetchone()
    return None if row is None else _from_row(row)


def last_published(cx: sqlite3.Connection, function: FunctionName) -> FunctionVersion | None:
    """The version with the last number given out, unless it was deleted since."""
    row = cx.execute(_LAST_PUBLISHED, _key(function)).fetchone()
    return None if row is None else _from_row(row)


def list_latest(
    cx: sqlite3.Connection, account_id: str, region: str, *, after: str, limit: int
) -> list[FunctionVersion]:
    """``$LATEST`` of each function, by name, of those behind ``after``."""
    return [_from_row(row) for row in cx.execute(_LIST_LATEST, (account_id, region, after, limit))]


def list_all(
    cx: sqlite3.Connection, account_id: str, region: str, *, after: tuple[str, int], limit: int
) -> list[FunctionVersion]:
    """Every version of every function, ordered by name and number, of those behind ``after``."""
    rows = cx.execute(_LIST_ALL, (account_id, region, *after, limit))
    return [_from_row(row) for row in rows]


def list_versions(
    cx: sqlite3.Connection, function: FunctionName, *, after: int, limit: int
) -> list[FunctionVersion]:
    """``$LATEST`` (number 0) and the published versions, by number, of those behind ``after``."""
    return [_from_row(row) for row in cx.execute(_LIST_VERSIONS, (*_key(function), after, limit))]


def delete_version(cx: sqlite3.Connection, function: FunctionName, version: str) -> bool:
    """Removes one version; False when there was none."""
    return cx.execute(_DELETE_VERSION, (*_key(function), _number(version))).rowcount > 0


def delete_function(cx: sqlite3.Connection, function: FunctionName) -> None:
    """Removes every version. The last number stays, so that none is given twice."""
    cx.execute(_DELETE_FUNCTION, _key(function))


def unsettled(cx: sqlite3.Connection) -> list[FunctionVersion]:
    """Versions whose creation or update was not finished when the process ended."""
    return [_from_row(row) for row in cx.execute(_UNSETTLED)]


def take_number(cx: sqlite3.Connection, account_id: str, region: str, kind: str, name: str) -> int:
    """The next version number of a function or layer; ``kind`` is one of those two words."""
    row = cx.execute(_TAKE_NUMBER, (account_id, region, kind, name)).fetchone()
    return int(row[0])


def code_in_use(cx: sqlite3.Connection) -> set[str]:
    """The SHA-256 of every zip, and every image's, that a version or a layer version needs."""
    of_layers = {sha256 for layers in layer_sets_in_use(cx) for sha256 in layers}
    return {row[0] for row in cx.execute(_CODE_IN_USE)} | of_layers | serving_in_use(cx)


def is_code_used(cx: sqlite3.Connection, key: str | tuple[str, ...]) -> bool:
    """Whether some version or layer version needs a zip or an image (SHA-256), or mounts this set of layers."""
    if isinstance(key, tuple):
        return key in layer_sets_in_use(cx)
    if cx.execute(_IS_CODE_USED, (key,)).fetchone()[0]:
        return True
    if key in serving_in_use(cx):
        return True
    return any(key in layers for layers in layer_sets_in_use(cx))


def layer_sets_in_use(cx: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Each ordered set of layers, by the SHA-256 of their zips, that some version mounts."""
    return {
        tuple(sha256 for layer in json.loads(row[0]) if (sha256 := layer["code"]["sha256"]))
        for row in cx.execute(_LAYER_SETS_IN_USE)
    }


def usage(cx: sqlite3.Connection, account_id: str, region: str) -> tuple[int, int]:
    """How many functions there are, and the bytes of all their versions' and the layers' zips."""
    row = cx.execute(_USAGE, (account_id, region)).fetchone()
    return (0, 0) if row is None else (row["functions"], row["code_bytes"])


def number_of(version: FunctionVersion) -> int:
    """A version as a number to order by: 0 for ``$LATEST``."""
    return _number(version.version)


def number_in(text: str) -> int:
    """The number in a text of digits; of one that no record has room for, the last, which none has."""
    return NUMBER_MAX if len(text) > _NUMBER_DIGITS else min(int(text), NUMBER_MAX)


def _number(version: str) -> int:
    return 0 if version == LATEST else number_in(version)


def _key(function: FunctionName) -> tuple[str, str, str]:
    return function.account_id, function.region, function.name


def _from_row(row: sqlite3.Row) -> FunctionVersion:
    document: dict[str, Any] = json.loads(row[0])
    document["code"] = CodeRef(**document["code"])
    document["layers"] = tuple(
        LayerRef(layer["arn"], CodeRef(**layer["code"])) for layer in document["layers"]
    )
    if document.get("file_system"):
        document["file_system"] = FileSystemConfig(**document["file_system"])
    if document.get("image"):
        document["image"] = image_from(document["image"])
    if document.get("serving"):
        document["serving"] = serving_from(document["serving"])
    return FunctionVersion(**document)
