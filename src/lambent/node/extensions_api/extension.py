"""One extension: who it is, what it wants to hear of, and its request for the next event."""

import json
import uuid
from typing import Any

from lambent.http1.exchange import Exchange
from lambent.node.extensions_api.states import Event, State, move

_HEAD = "content-type: application/json\r\nLambda-Extension-Event-Identifier: {}\r\n"


class Extension:
    """``is_external``: a process of its own from ``/opt/extensions``, not a part of the runtime's."""

    def __init__(self, name: str, *, is_external: bool) -> None:
        self.name = name
        self.identifier = str(uuid.uuid4())
        self.is_external = is_external
        self.state = State.STARTED
        self.events: tuple[str, ...] = ()
        self.error_type: str | None = None
        self.is_alive = True
        """Whether its process runs; an internal one has none of its own."""
        self._waiting: Exchange | None = None
        self._undelivered: bytes | None = None

    def move(self, event: Event) -> None:
        """Raises InvalidExtensionStateError; nothing changed then."""
        self.state = move(self.state, event)

    def wait(self, exchange: Exchange) -> None:
        """It asks for the next event. Raises InvalidExtensionStateError where it may not."""
        self.move(Event.NEXT)
        self._waiting = exchange
        exchange.on_disconnect = self._hang_up
        undelivered, self._undelivered = self._undelivered, None
        if undelivered is not None:
            self._give(undelivered)

    def _hang_up(self) -> None:
        """Its connection broke while it waited: it may ask again."""
        self._waiting = None
        if self.state is State.READY:
            self.move(Event.DELIVER)

    def tell(self, event: dict[str, Any]) -> None:
        """Hands it an event now, or when it asks next."""
        body = json.dumps(event, separators=(",", ":")).encode()
        if self._waiting is not None:
            self._give(body)
        else:
            self._undelivered = body

    def _give(self, body: bytes) -> None:
        waiting, self._waiting = self._waiting, None
        self.move(Event.DELIVER)
        if waiting is not None:
            waiting.on_disconnect = None
            waiting.respond_raw(200, _HEAD.format(uuid.uuid4()).encode(), body)
