"""What the service knows of a queue only while it runs."""

from collections.abc import Callable

from lambent.services.sqs.attempts import Attempts
from lambent.services.sqs.waiting import CallLater, Line


class Live:
    """One queue's waiting receivers, and bounds that save looking things up.

    ``expires_from_ms``: no message of the queue is older than its retention before then (0: unknown).
    ``in_flight_at_most``: what is in flight is at most that; counted anew when it nears the limit.
    """

    __slots__ = ("attempts", "expires_from_ms", "in_flight_at_most", "line")

    def __init__(self, clock: Callable[[], int], call_later: CallLater) -> None:
        self.line = Line(clock, call_later)
        self.attempts = Attempts()
        self.expires_from_ms = 0
        self.in_flight_at_most: int | None = None
