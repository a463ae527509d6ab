"""What the connections of one listener may hold together: a client must not fill the platform's memory.

Counted is what arrived and is not answered yet (a request in parts, waiting, or in work) and what was
answered and is not read. Each connection is bounded by the protocol; this bounds their sum.
"""

MAX_HEAD_BYTES = 64 * 1024
"""POLICY: request line and headers together; Lambda's client context (3,583 bytes) fits many times."""


REQUEST_DEADLINE_S = 60.0
"""POLICY: from a request's first byte to its last."""


class Bounds:
    """Shared by the connections of one listener; lives on the loop's thread. None: unbounded."""

    __slots__ = (
        "connections",
        "held_bytes",
        "max_connections",
        "max_head_bytes",
        "max_held_bytes",
        "request_deadline_s",
    )

    def __init__(
        self,
        *,
        max_head_bytes: int = MAX_HEAD_BYTES,
        max_held_bytes: int | None = None,
        max_connections: int | None = None,
        request_deadline_s: float = REQUEST_DEADLINE_S,
    ) -> None:
        self.max_head_bytes = max_head_bytes
        self.max_held_bytes = max_held_bytes
        self.max_connections = max_connections
        self.request_deadline_s = request_deadline_s
        self.held_bytes = 0
        self.connections = 0

    def hold(self, count_bytes: int) -> bool:
        """Counts them in, whatever the answer; False when that is more than there may be."""
        self.held_bytes += count_bytes
        return self.max_held_bytes is None or self.held_bytes <= self.max_held_bytes

    def give_back(self, count_bytes: int) -> None:
        """Counts them out."""
        self.held_bytes -= count_bytes

    def connect(self) -> bool:
        """Counts a connection in, whatever the answer; False when it is one too many."""
        self.connections += 1
        return self.max_connections is None or self.connections <= self.max_connections

    def disconnect(self) -> None:
        """Counts it out."""
        self.connections -= 1
