"""What a node has made ahead, for those who answer for the machine's memory."""

from collections.abc import Mapping

from lambent.invoke.ports import Template
from lambent.node.sandbox.contract import Backend
from lambent.node.sandbox.made_ahead import MadeAhead
from lambent.node.sandbox.namespaces import NamespaceBackend
from lambent.node.snapshots import Snapshots


class Ahead:
    """See :class:`lambent.invoke.ports.Ahead`."""

    def __init__(self, prepared: MadeAhead, snapshots: Snapshots | None) -> None:
        self.held_bytes = prepared.held_bytes
        self.give_back = prepared.give_back
        self.allow = prepared.allow
        self._snapshots = snapshots

    def templates(self) -> Mapping[str, Template]:
        """By the key of their version."""
        return self._snapshots.states() if self._snapshots else {}

    def end_template(self, key: str) -> None:
        """Gives one up that is not used."""
        if self._snapshots is not None:
            self._snapshots.give_up(key)


def ahead_of(backend: Backend, snapshots: Snapshots | None) -> Ahead | None:
    """None where nothing is made ahead: functions are plain processes."""
    return Ahead(backend.ahead, snapshots) if isinstance(backend, NamespaceBackend) else None
