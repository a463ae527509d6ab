"""CloudWatch Logs: the store, its writer, and what the operations share.

Operations are plain functions ``(logs, call) -> Result``; they run on worker threads and see every
event appended before they were called.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lambent.model.call import Call
from lambent.model.errors import PlatformFault
from lambent.services.logs import faults
from lambent.services.logs.ingest import LogWriter
from lambent.store.log_blocks import LogStore

_DAY_MS = 24 * 3600 * 1000


class Group(NamedTuple):
    """A log group's row."""

    group_id: int
    name: str
    created_ms: int
    retention_days: int | None
    tags: str
    """JSON object."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class LogsService:
    """Log groups of all accounts and regions, in ``<data_dir>/logs.db``.

    ``writer`` is for the invocation path. ``start``/``stop`` run the writer's thread and close the
    file; without ``start`` events are written when they are read.
    """

    def __init__(self, data_dir: Path, now_ms: Callable[[], int] = _now_ms) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.now_ms = now_ms
        self.store = LogStore(data_dir / "logs.db")
        self.writer = LogWriter(self.store, now_ms)

    def start(self) -> None:
        """Start writing in the background."""
        self.writer.start()

    def stop(self) -> None:
        """Write what is left and close the file."""
        try:
            self.writer.stop()
        finally:
            self.store.close()

    def settle(self) -> None:
        """Write everything appended so far, so that the store can be read.

        Raises ``ServiceUnavailableException`` when the disk refuses.
        """
        try:
            self.writer.flush()
        except sqlite3.Error as error:
            raise PlatformFault(
                f"The log store cannot be written: {error}", "ServiceUnavailableException", 503
            ) from error

    def find_group(self, call: Call, name: str) -> Group:
        """The caller's group of that name; raises ``ResourceNotFoundException``."""
        rows = self.store.query(
            "SELECT id, name, created_ms, retention_days, tags FROM groups"
            " WHERE account_id = ? AND region = ? AND name = ?",
            (call.caller.account_id, call.caller.region, name),
        )
        if not rows:
            raise faults.not_found(faults.NO_GROUP)
        return Group(*rows[0])

    def find_stream_id(self, group: Group, name: str) -> int:
        """The id of a stream of the group; raises ``ResourceNotFoundException``."""
        rows = self.store.query(
            "SELECT id FROM streams WHERE group_id = ? AND name = ?", (group.group_id, name)
        )
        if not rows:
            raise faults.not_found(faults.NO_STREAM)
        return int(rows[0][0])

    def oldest_kept_ms(self, group: Group) -> int:
        """Events before this time have passed the group's retention."""
        if group.retention_days is None:
            return 0
        return self.now_ms() - group.retention_days * _DAY_MS


def group_arn(call: Call, name: str) -> str:
    """The ARN without the ``:*`` that ``arn`` members have."""
    return f"arn:aws:logs:{call.caller.region}:{call.caller.account_id}:log-group:{name}"


def asked_group(logs: LogsService, call: Call) -> Group:
    """The group named by ``logGroupName`` or, by name or ARN, ``logGroupIdentifier``."""
    parameters: Mapping[str, Any] = call.parameters
    name, identifier = parameters.get("logGroupName"), parameters.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise faults.invalid(
            "Exactly one of logGroupName and logGroupIdentifier must be specified."
        )
    return logs.find_group(call, name if name is not None else identified_name(call, identifier))


def identified_name(call: Call, identifier: Any) -> str:
    """The group name in an identifier: a name, or an ARN of the caller's account and region."""
    text = str(identifier)
    if not text.startswith("arn:"):
        return text
    prefix = group_arn(call, "")
    if not text.startswith(prefix):
        raise faults.not_found(faults.NO_GROUP)
    return text.removeprefix(prefix).removesuffix(":*")


def reset(logs: LogsService) -> None:
    """Empty everything: buffers, groups, streams, events."""
    logs.writer.discard()
    logs.store.clear()
