"""Tells that something may have been written to the embedded neighbour, which is reached through here only.

So that pollers of its streams need not ask in vain.
"""

from collections.abc import Callable

from lambent.model.http import HttpRequest

_READS = ("Get", "List", "Describe", "Query", "Scan", "BatchGet")


class WriteSignal:
    """Lives on the loop. Counts what may have been writes; wakes each waiter once."""

    def __init__(self) -> None:
        self.count = 0
        self._waiting: set[Callable[[], None]] = set()

    def touch(self) -> None:
        """Something was written."""
        self.count += 1
        if self._waiting:
            waiting, self._waiting = self._waiting, set()
            for callback in waiting:
                callback()

    def once(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back at the next write, unless the answer is called before."""
        self._waiting.add(callback)
        return lambda: self._waiting.discard(callback)


def may_write(request: HttpRequest) -> bool:
    """Whether a request may change anything: by its operation, where its protocol names one, else its method."""
    operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
    if operation:
        return not operation.startswith(_READS)
    return request.method not in {"GET", "HEAD", "OPTIONS"}
