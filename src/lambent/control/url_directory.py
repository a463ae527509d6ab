"""Which function URL an id stands for and what its policy says, for the gateway.

Contract: 1. Used on one thread, with a connection of its own. 2. What is known is kept until anything
is committed: SQLite's ``data_version`` tells, in a few microseconds, so nobody has to say so.
"""

import sqlite3

from lambent.control.resource_policies import policy_of
from lambent.model.function_url import FunctionUrl
from lambent.policy import Policy
from lambent.store.database import Database
from lambent.store.function_urls import find_url

_MAX_KNOWN = 10_000
"""POLICY: ids that are none are not kept, so this is the URLs in use."""


class UrlDirectory:
    """Looks function URLs up."""

    def __init__(self, database: Database) -> None:
        self._cx: sqlite3.Connection = database.reader()
        self._known: dict[str, tuple[FunctionUrl, Policy]] = {}
        self._data_version = -1

    def find(self, url_id: str) -> tuple[FunctionUrl, Policy] | None:
        """The URL and the resource policy of its function or alias; None for an unknown id."""
        (data_version,) = self._cx.execute("PRAGMA data_version").fetchone()
        if data_version != self._data_version or len(self._known) >= _MAX_KNOWN:
            self._known.clear()
            self._data_version = data_version
        known = self._known.get(url_id)
        if known is None:
            url = find_url(self._cx, url_id)
            if url is None:
                return None
            known = self._known[url_id] = url, policy_of(self._cx, url.function_arn)
        return known
