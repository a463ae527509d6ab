"""Operation name → function: which part of the platform answers an AWS call."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from lambent.model.call import Call, Result
from lambent.model.errors import not_yet
from lambent.wire.faults import unknown_operation
from lambent.wire.models import operation_model

T = TypeVar("T")
Operation = Callable[[Call], Result]
AwaitedOperation = Callable[[Call], Awaitable[Result]]
Slices = Mapping[str, tuple[Mapping[str, Callable[[Any, Call], Any]], Any]]
"""Service → (operations by AWS name, their first argument)."""


class Operations:
    """What this platform answers: ``slices`` on threads, ``awaited`` as coroutines on the loop."""

    def __init__(self, slices: Slices, awaited: Slices = MappingProxyType({})) -> None:
        self._table: dict[tuple[str, str], Operation] = _bound(slices)
        self._awaited_table: dict[tuple[str, str], AwaitedOperation] = _bound(awaited)
        self.awaited_services = frozenset(awaited)

    def find(self, call: Call) -> Operation:
        """The operation that is to be run on a thread.

        Raises 501, naming it: ``NotImplementedException`` for what AWS has and Lambent has not yet,
        ``UnknownOperationException`` for what AWS has not either.
        """
        return self._find(self._table, call)

    def find_awaited(self, call: Call) -> AwaitedOperation:
        """The operation that is to be awaited on the loop. Raises what :meth:`find` raises."""
        return self._find(self._awaited_table, call)

    def _find(
        self, table: Mapping[tuple[str, str], Callable[[Call], T]], call: Call
    ) -> Callable[[Call], T]:
        operation = table.get((call.service, call.operation))
        if operation is not None:
            return operation
        if operation_model(call.service, call.operation) is None:
            raise unknown_operation(call.operation)
        raise not_yet(f"{call.service}:{call.operation}")


def _bound(slices: Slices) -> dict[tuple[str, str], Callable[[Call], Any]]:
    return {
        (service, name): partial(function, owner)
        for service, (functions, owner) in slices.items()
        for name, function in functions.items()
    }
