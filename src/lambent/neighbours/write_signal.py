"""Tells that something may have been written to the embedded neighbour, which is reached through here only.

So that pollers of its streams need not ask in vain, nor all of them at once: a watch is told of the writes that
name what it watches.
"""

from collections.abc import Callable
from weakref import WeakSet

from lambent.model.http import HttpRequest

_READS = ("Get", "List", "Describe", "Query", "Scan", "BatchGet")
_WRITTEN_BY = {"dynamodbstreams": "dynamodb"}
_MAX_SEARCHED_BYTES = 64 * 1024
"""POLICY: a larger body is not searched, and taken to name everything."""


class Watch:
    """Of one name: counts what may have been writes to it; wakes who waits once."""

    def __init__(self, service: str, name: str) -> None:
        self.service = service
        self.name = name.encode()
        self.count = 0
        self._waiting: set[Callable[[], None]] = set()

    def touch(self) -> None:
        """Something was written."""
        self.count += 1
        waiting, self._waiting = self._waiting, set()
        for callback in waiting:
            callback()

    def once(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back at the next write, unless the answer is called before."""
        self._waiting.add(callback)
        return lambda: self._waiting.discard(callback)


class WriteSignal:
    """Lives on the loop. A watch ends with those who hold it."""

    def __init__(self) -> None:
        self._watches: WeakSet[Watch] = WeakSet()

    def watch(self, service: str, name: str) -> Watch:
        """Of a stream by its own name, or of a table's stream by the table's."""
        made = Watch(_WRITTEN_BY.get(service, service), name)
        self._watches.add(made)
        return made

    def sent(self, service: str, request: HttpRequest) -> None:
        """A request was answered: who watches what it may have written is told."""
        if not self._watches or not may_write(request):
            return
        body = request.body
        for watch in tuple(self._watches):
            if watch.service == service and (len(body) > _MAX_SEARCHED_BYTES or watch.name in body):
                watch.touch()


def may_write(request: HttpRequest) -> bool:
    """Whether a request may change anything: by its operation, where its protocol names one, else its method."""
    operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
    if operation:
        return not operation.startswith(_READS)
    return request.method not in {"GET", "HEAD", "OPTIONS"}
