"""What Lambda counts of each function, in CloudWatch's names, and as Prometheus reads it.

Counted on the loop's thread. A count is an attribute of :class:`FunctionMetrics`, so that the way of an
invocation pays one look-up. Source: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from bisect import bisect_left
from collections.abc import Iterator

from lambent.observe.mapping_metrics import MappingMetrics
from lambent.observe.trace_metrics import TraceMetrics

MAX_FUNCTIONS = 10_000
"""POLICY: beyond it the function that was seen first is forgotten, and begins anew when it is seen again."""
AGE_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 900, 3600, 21600)
ITERATOR_AGE_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 21600, 86400, 604800)


class Histogram:
    """How many values fell where; ``bounds`` are upper limits, in seconds."""

    __slots__ = ("bounds", "counts", "total_s")

    def __init__(self, bounds: tuple[float, ...] = AGE_BUCKETS_S) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total_s = 0.0

    def observe(self, value_s: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value_s)] += 1
        self.total_s += value_s


class FunctionMetrics:
    """The counts of one function since the platform started."""

    __slots__ = (
        "async_event_age",
        "async_events_dropped",
        "async_events_received",
        "dead_letter_errors",
        "destination_delivery_failures",
        "errors",
        "invocations",
        "iterator_age",
        "recursive_invocations_dropped",
        "throttles",
    )

    def __init__(self) -> None:
        self.invocations = 0
        self.errors = 0
        self.throttles = 0
        self.async_events_received = 0
        self.async_events_dropped = 0
        self.dead_letter_errors = 0
        self.destination_delivery_failures = 0
        self.recursive_invocations_dropped = 0
        self.async_event_age = Histogram()
        self.iterator_age = Histogram(ITERATOR_AGE_BUCKETS_S)


COUNTERS = {
    "Invocations": "invocations",
    "Errors": "errors",
    "Throttles": "throttles",
    "AsyncEventsReceived": "async_events_received",
    "AsyncEventsDropped": "async_events_dropped",
    "DeadLetterErrors": "dead_letter_errors",
    "DestinationDeliveryFailures": "destination_delivery_failures",
    "RecursiveInvocationsDropped": "recursive_invocations_dropped",
}
"""CloudWatch's name → the attribute, and with ``aws_lambda_`` and ``_total`` Prometheus' name."""
HISTOGRAMS = {"AsyncEventAge": "async_event_age", "IteratorAge": "iterator_age"}
"""The same, in seconds."""
_Function = tuple[str, str, str]


class Metrics:
    """The counts of every function: account, region, name; and of event source mappings (``mappings``)."""

    def __init__(self) -> None:
        self.mappings = MappingMetrics()
        self._functions: dict[_Function, FunctionMetrics] = {}
        self.traces = TraceMetrics()

    def of(self, account_id: str, region: str, name: str) -> FunctionMetrics:
        """The counts of one function, to be added to."""
        found = self._functions.get((account_id, region, name))
        return self._make((account_id, region, name)) if found is None else found

    def _make(self, function: _Function) -> FunctionMetrics:
        if len(self._functions) >= MAX_FUNCTIONS:
            del self._functions[next(iter(self._functions))]
        made = self._functions[function] = FunctionMetrics()
        return made

    def prometheus(self) -> str:
        """The text of a scrape, version 0.0.4 of Prometheus' exposition format."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for name, attribute in COUNTERS.items():
            shown = f"aws_lambda_{attribute}_total"
            yield f"# HELP {shown} AWS/Lambda {name}"
            yield f"# TYPE {shown} counter"
            for function, counts in self._functions.items():
                yield f"{shown}{{{_labels(function)}}} {getattr(counts, attribute)}"
        for name, attribute in HISTOGRAMS.items():
            shown = f"aws_lambda_{attribute}_seconds"
            yield f"# HELP {shown} AWS/Lambda {name}"
            yield f"# TYPE {shown} histogram"
            for function, counts in self._functions.items():
                histogram: Histogram = getattr(counts, attribute)
                if attribute == "async_event_age" or any(histogram.counts):
                    yield from _buckets(shown, _labels(function), histogram)
        yield from self.traces.lines()
        yield from self.mappings.lines()


def _buckets(shown: str, labels: str, histogram: Histogram) -> Iterator[str]:
    running = 0
    for bound, count in zip((*histogram.bounds, "+Inf"), histogram.counts, strict=True):
        running += count
        yield f'{shown}_bucket{{{labels},le="{bound}"}} {running}'
    yield f"{shown}_sum{{{labels}}} {histogram.total_s:.6f}"
    yield f"{shown}_count{{{labels}}} {running}"


def _labels(function: _Function) -> str:
    """Nothing to escape: names, regions and accounts have neither quotes nor backslashes."""
    account_id, region, name = function
    return f'account_id="{account_id}",region="{region}",function_name="{name}"'
