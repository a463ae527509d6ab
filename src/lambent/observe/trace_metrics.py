"""What became of X-Ray segments, as Prometheus reads it."""

from collections.abc import Iterator


class TraceMetrics:
    """Segments taken by who serves X-Ray, and dropped ones, since the platform started."""

    __slots__ = ("dropped", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.dropped = 0

    def lines(self) -> Iterator[str]:
        """The lines of a scrape."""
        for name, count in (("sent", self.sent), ("dropped", self.dropped)):
            shown = f"lambent_trace_segments_{name}_total"
            yield f"# HELP {shown} X-Ray segments {name}"
            yield f"# TYPE {shown} counter"
            yield f"{shown} {count}"
