"""The rows of purged and deleted queues, removed in slices between works."""

import sqlite3
from typing import Final

from lambent.store.queues import statements as sql
from lambent.store.queues.schema import NUMBER_BITS

SLICE_ROWS: Final = 200
"""POLICY: a few milliseconds, which the works that come meanwhile wait."""
IDLE_S: Final = 0.001
BUSY_INTERVAL_S: Final = 0.05
"""POLICY: a slice whenever nothing came for 1 ms, and among works one each 50 ms."""
_MAX_INTEGER: Final = 2**63 - 1


def sweep(connection: sqlite3.Connection) -> bool:
    """Removes a slice of an abandoned heap, if there is one; whether there was."""
    found = connection.execute(sql.ABANDONED).fetchone()
    if found is None:
        return False
    (heap_id,) = found
    first = heap_id << NUMBER_BITS
    end = min(first + (1 << NUMBER_BITS), _MAX_INTEGER)
    connection.execute("BEGIN IMMEDIATE")
    gone = 0
    for statement in (sql.SWEEP_MESSAGES, sql.SWEEP_BODIES):
        gone += connection.execute(statement, (first, end, SLICE_ROWS)).rowcount
    gone += connection.execute(sql.SWEEP_GROUPS, (heap_id, SLICE_ROWS)).rowcount
    if not gone:
        connection.execute(sql.SWEEP_HEAP, (heap_id,))
    connection.execute("COMMIT")
    return True
