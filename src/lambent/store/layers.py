"""Layer versions: rows of ``layer_versions``, each a :class:`LayerVersion` as JSON."""

import json
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from lambent.model.function import CodeRef


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """One version of a layer. Source: the shape ``PublishLayerVersionResponse`` of botocore's
    model.

    None stands for a member that was not given, and is left out of answers.
    """

    account_id: str
    region: str
    name: str
    number: int
    code: CodeRef
    created_date: str
    revision_id: str
    description: str = ""
    compatible_runtimes: tuple[str, ...] | None = None
    compatible_architectures: tuple[str, ...] | None = None
    license_info: str | None = None

    @property
    def layer_arn(self) -> str:
        """``arn:aws:lambda:REGION:ACCOUNT:layer:NAME``."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:layer:{self.name}"

    @property
    def arn(self) -> str:
        """The layer's ARN with the version behind it."""
        return f"{self.layer_arn}:{self.number}"


_PUT = """
    INSERT INTO layer_versions
        (account_id, region, name, number, code_sha256, code_bytes, document)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET
        code_sha256 = excluded.code_sha256, code_bytes = excluded.code_bytes,
        document = excluded.document
"""
_GET = """
    SELECT document FROM layer_versions
    WHERE account_id = ? AND region = ? AND name = ? AND number = ?
"""
_LIST = """
    SELECT document FROM layer_versions
    WHERE account_id = ? AND region = ? AND name = ? AND number < ?
        AND (?5 IS NULL OR EXISTS (
            SELECT 1 FROM json_each(document, '$.compatible_runtimes') WHERE value = ?5))
        AND (?6 IS NULL OR EXISTS (
            SELECT 1 FROM json_each(document, '$.compatible_architectures') WHERE value = ?6))
    ORDER BY number DESC LIMIT ?7
"""
_NAMES = """
    SELECT DISTINCT name FROM layer_versions
    WHERE account_id = ? AND region = ? AND name > ? ORDER BY name
"""
_DELETE = """
    DELETE FROM layer_versions WHERE account_id = ? AND region = ? AND name = ? AND number = ?
"""
NEWEST = 2**62
"""An ``after`` in front of every version."""


def put_layer_version(cx: sqlite3.Connection, version: LayerVersion) -> None:
    """Writes a layer version, new or with a new revision."""
    document = json.dumps(asdict(version), separators=(",", ":"))
    key = (version.account_id, version.region, version.name, version.number)
    cx.execute(_PUT, (*key, version.code.sha256, version.code.size_bytes, document))


def get_layer_version(
    cx: sqlite3.Connection, account_id: str, region: str, name: str, number: int
) -> LayerVersion | None:
    """One version of a layer; None when there is none."""
    row = cx.execute(_GET, (account_id, region, name, number)).fetchone()
    return None if row is None else _from_row(row)


def list_layer_versions(
    cx: sqlite3.Connection,
    layer: tuple[str, str, str],
    *,
    runtime: str | None,
    architecture: str | None,
    after: int,
    limit: int,
) -> list[LayerVersion]:
    """Versions of ``layer`` (account, region, name), newest first, older than ``after``.

    With a runtime or an architecture, only those that say they are compatible with it.
    """
    rows = cx.execute(_LIST, (*layer, after, runtime, architecture, limit))
    return [_from_row(row) for row in rows]


def layer_names(cx: sqlite3.Connection, account_id: str, region: str, *, after: str) -> list[str]:
    """The names of layers with a version, of those behind ``after``."""
    return [row[0] for row in cx.execute(_NAMES, (account_id, region, after))]


def delete_layer_version(
    cx: sqlite3.Connection, account_id: str, region: str, name: str, number: int
) -> bool:
    """Removes a layer version; False when there was none. Its number is not given again."""
    return cx.execute(_DELETE, (account_id, region, name, number)).rowcount > 0


def _from_row(row: sqlite3.Row) -> LayerVersion:
    document: dict[str, Any] = json.loads(row[0])
    document["code"] = CodeRef(**document["code"])
    for member in ("compatible_runtimes", "compatible_architectures"):
        if document[member] is not None:
            document[member] = tuple(document[member])
    return LayerVersion(**document)
