"""The SQL for messages and groups. Each statement goes through an index to the rows it names."""

from typing import Final

_COLUMNS: Final = (
    "sequence, message_id, body, attributes, group_id,"
    " sent_at_ms, first_received_at_ms, visible_at_ms, receives, group_no"
)

NUMBERS: Final = (
    "UPDATE heaps SET messages = messages + ?1, last_number = last_number + ?1"
    " WHERE heap_id = ?2 RETURNING last_number"
)
SUBTRACT: Final = "UPDATE heaps SET messages = messages - ? WHERE heap_id = ?"
TOTAL: Final = "SELECT messages FROM heaps WHERE heap_id = ?"
INSERT: Final = (
    "INSERT INTO messages (sequence, heap_id, group_no, visible_at_ms, sent_at_ms,"
    " message_id, group_id, attributes, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
INSERT_BODY: Final = "INSERT INTO bodies VALUES (?, ?)"
BODY: Final = "SELECT body FROM bodies WHERE sequence = ?"
DELETE_BODY: Final = "DELETE FROM bodies WHERE sequence = ?"

SEEN: Final = (
    "SELECT message_id, sequence FROM deduplications"
    " WHERE queue_id = ? AND key = ? AND seen_at_ms > ?"
)
SEE: Final = "INSERT OR REPLACE INTO deduplications VALUES (?, ?, ?, ?, ?)"
FORGET_SEEN: Final = (
    "DELETE FROM deduplications WHERE (queue_id, key) IN"
    " (SELECT queue_id, key FROM deduplications WHERE seen_at_ms <= ? ORDER BY seen_at_ms LIMIT ?)"
)

READY: Final = (
    f"SELECT {_COLUMNS} FROM messages INDEXED BY messages_by_visibility"  # noqa: S608 - fixed words
    " WHERE heap_id = ? AND visible_at_ms <= ? ORDER BY visible_at_ms, sequence LIMIT ?"
)
OF_GROUP: Final = f"SELECT {_COLUMNS} FROM messages WHERE group_no = ? ORDER BY sequence LIMIT ?"  # noqa: S608
ONE: Final = f"SELECT {_COLUMNS} FROM messages WHERE sequence = ? AND heap_id = ?"  # noqa: S608
BROWSE: Final = (
    f"SELECT {_COLUMNS} FROM messages"  # noqa: S608
    " WHERE sequence > ? AND sequence < ? ORDER BY sequence LIMIT ?"
)
HOLD: Final = (
    "UPDATE messages SET visible_at_ms = ?, first_received_at_ms = ?, receives = ?"
    " WHERE sequence = ?"
)
_HELD_BY: Final = "WHERE sequence = ? AND heap_id = ? AND receives = ? AND receives > 0"
DELETE_HELD: Final = f"DELETE FROM messages {_HELD_BY} RETURNING group_no, body IS NULL"  # noqa: S608
SET_VISIBILITY: Final = (
    f"UPDATE messages SET visible_at_ms = ? {_HELD_BY} AND visible_at_ms > ? RETURNING group_no"  # noqa: S608
)
SET_ATTRIBUTES: Final = f"UPDATE messages SET attributes = ? {_HELD_BY}"  # noqa: S608
DELETE_ONE: Final = "DELETE FROM messages WHERE sequence = ?"
OLD: Final = (
    "SELECT sequence, group_no, body IS NULL FROM messages INDEXED BY messages_by_age"
    " WHERE heap_id = ? AND sent_at_ms < ? ORDER BY sent_at_ms LIMIT ?"
)
RELEASE: Final = (
    "UPDATE messages INDEXED BY messages_received SET visible_at_ms = sent_at_ms"
    " WHERE heap_id = ? AND receives > 0 AND visible_at_ms <> sent_at_ms RETURNING group_no"
)
HIDDEN: Final = (
    "SELECT count(*), total(receives > 0) FROM messages INDEXED BY messages_by_visibility"
    " WHERE heap_id = ? AND visible_at_ms > ?"
)
OLDEST: Final = "SELECT min(sent_at_ms) FROM messages INDEXED BY messages_by_age WHERE heap_id = ?"
NEXT_VISIBLE: Final = (
    "SELECT min(visible_at_ms) FROM messages INDEXED BY messages_by_visibility"
    " WHERE heap_id = ? AND visible_at_ms > ?"
)

GROUP: Final = "SELECT group_no FROM groups WHERE heap_id = ? AND group_id = ?"
ADD_GROUP: Final = "INSERT INTO groups (heap_id, group_id, available_at_ms) VALUES (?, ?, ?)"
READY_GROUPS: Final = (
    "SELECT group_no FROM groups WHERE heap_id = ? AND available_at_ms <= ?"
    " ORDER BY available_at_ms, group_no LIMIT ?"
)
HEAD: Final = "SELECT visible_at_ms FROM messages WHERE group_no = ? ORDER BY sequence LIMIT 1"
HELD_UNTIL: Final = (
    "SELECT max(visible_at_ms) FROM messages INDEXED BY messages_received"
    " WHERE heap_id = ? AND group_no = ? AND receives > 0"
)
AVAILABLE_AT: Final = "SELECT available_at_ms FROM groups WHERE group_no = ?"
SET_AVAILABLE: Final = "UPDATE groups SET available_at_ms = ? WHERE group_no = ?"
DROP_GROUP: Final = "DELETE FROM groups WHERE group_no = ?"

ABANDONED: Final = "SELECT heap_id FROM heaps WHERE abandoned LIMIT 1"
SWEEP_MESSAGES: Final = (
    "DELETE FROM messages WHERE sequence IN (SELECT sequence FROM messages"
    " WHERE sequence >= ? AND sequence < ? ORDER BY sequence LIMIT ?)"
)
SWEEP_BODIES: Final = (
    "DELETE FROM bodies WHERE sequence IN (SELECT sequence FROM bodies"
    " WHERE sequence >= ? AND sequence < ? ORDER BY sequence LIMIT ?)"
)
SWEEP_GROUPS: Final = (
    "DELETE FROM groups WHERE group_no IN (SELECT group_no FROM groups WHERE heap_id = ? LIMIT ?)"
)
SWEEP_HEAP: Final = "DELETE FROM heaps WHERE heap_id = ?"
