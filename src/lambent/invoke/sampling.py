"""Which invocations of a function with active tracing are traced: one each second, and 5 % of the others.

Source: "The default sampling rule is 1 request per second and 5 percent of additional requests"; "you cannot
configure the sampling rate for your functions" (Visualize Lambda function invocations using AWS X-Ray).
"""

FIXED_RATE = 0.05
MAX_FUNCTIONS = 10_000
"""POLICY: beyond it the function seen first is forgotten; its next request is the first of its second."""
Function = tuple[str, str, str]
"""Account, region, name."""


class Sampler:
    """Pure: the time and the draw are given. Lives on the loop's thread."""

    def __init__(self) -> None:
        self._last_s: dict[Function, int] = {}

    def take(self, function: Function, now_s: float, draw: float) -> bool:
        """Whether this request is traced; ``draw`` is uniform in [0, 1)."""
        second = int(now_s)
        if self._last_s.get(function) == second:
            return draw < FIXED_RATE
        if function not in self._last_s and len(self._last_s) >= MAX_FUNCTIONS:
            del self._last_s[next(iter(self._last_s))]
        self._last_s[function] = second
        return True
