"""What an account has in a region: kept by the database while rows come, change and go."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.model.function import CodeRef
from lambent.store.database import Database
from lambent.store.functions import is_code_used, usage
from lambent.store.layers import LayerVersion, delete_layer_version, put_layer_version
from lambent.store.migrations import MIGRATIONS

PLACES = [("000000000000", "us-east-1"), ("000000000000", "eu-west-1"), ("1" * 12, "us-east-1")]
CHANGE = """
    INSERT INTO versions VALUES (?, ?, ?, ?, 'a', ?, 1, '{"layers":[]}')
    ON CONFLICT DO UPDATE SET code_bytes = excluded.code_bytes
"""
STEPS = st.tuples(
    st.sampled_from(["put", "delete", "put layer", "delete layer"]),
    st.sampled_from(PLACES),
    st.sampled_from("fg"),
    st.integers(0, 2),
    st.integers(0, 10**9),
)


def counted(cx: sqlite3.Connection, place: tuple[str, str]) -> tuple[int, int]:
    """The same, by looking at every row."""
    where = "WHERE account_id = ? AND region = ?"
    (functions,) = cx.execute(
        f"SELECT COUNT(*) FROM versions {where} AND number = 0", place
    ).fetchone()
    sizes = [
        cx.execute(f"SELECT TOTAL(code_bytes) FROM {table} {where}", place).fetchone()[0]
        for table in ("versions", "layer_versions")
    ]
    return functions, int(sum(sizes))


@settings(max_examples=50)
@given(steps=st.lists(STEPS, max_size=20))
def test_totals_follow_the_rows(
    steps: list[tuple[str, tuple[str, str], str, int, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """After any writes the totals of each place are what counting its rows gives."""
    database = Database(tmp_path_factory.mktemp("db"))
    cx = database.connection
    for kind, place, name, number, size in steps:
        if kind == "put":
            cx.execute(CHANGE, (*place, name, number, size))
        elif kind == "delete":
            cx.execute(
                "DELETE FROM versions WHERE (account_id, region, name, number) = (?, ?, ?, ?)",
                (*place, name, number),
            )
        elif kind == "put layer":
            code = CodeRef("b", size, size)
            put_layer_version(cx, LayerVersion(*place, name, number, code, "", ""))
        else:
            delete_layer_version(cx, *place, name, number)
    assert [usage(cx, *place) for place in PLACES] == [counted(cx, place) for place in PLACES]
    database.close()


def test_an_older_database_is_counted_once(tmp_path: Path) -> None:
    """Rows from before the totals were kept are in them after the migration."""
    old = sqlite3.connect(tmp_path / "lambent.db")
    old.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version=1;")
    for number in range(3):
        old.execute(CHANGE, (*PLACES[0], "f", number, 100))
    old.execute("INSERT INTO layer_versions VALUES (?, ?, 'l', 1, 'c', 7, '{}')", PLACES[0])
    old.commit()
    old.close()
    database = Database(tmp_path)
    assert usage(database.connection, *PLACES[0]) == (1, 307)
    assert usage(database.connection, *PLACES[1]) == (0, 0)
    database.close()


def test_code_is_used_by_versions_layers_and_layer_sets(tmp_path: Path) -> None:
    """A zip is in use as code, as a layer version, or as a layer of a version; a set when mounted."""
    database = Database(tmp_path)
    cx = database.connection
    layers = ",".join(f'{{"arn":"x","code":{{"sha256":"{sha256}"}}}}' for sha256 in ("l1", "l2"))
    cx.execute(CHANGE, (*PLACES[0], "f", 0, 1))
    cx.execute("UPDATE versions SET document = ?", (f'{{"layers":[{layers}]}}',))
    put_layer_version(cx, LayerVersion(*PLACES[0], "l", 1, CodeRef("b", 1, 1), "", ""))
    used = {key: is_code_used(cx, key) for key in ("a", "b", "l1", "l2", "other")}
    assert used == {"a": True, "b": True, "l1": True, "l2": True, "other": False}
    assert is_code_used(cx, ("l1", "l2"))
    assert not is_code_used(cx, ("l2", "l1"))
    database.close()
