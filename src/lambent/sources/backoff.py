"""Waiting longer each time: for what will not go better at once."""

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Seconds to wait: ``first_s``, then twice as long each time, never above ``longest_s``."""

    first_s: float
    longest_s: float
    _times: int = 0

    def next_s(self) -> float:
        """How long to wait now."""
        wait_s = min(self.longest_s, self.first_s * 2.0**self._times)
        self._times = min(self._times + 1, 64)
        return wait_s

    def reset(self) -> None:
        """It went well."""
        self._times = 0
