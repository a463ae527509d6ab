"""Operation name → function: which part of the platform answers an AWS call."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from lambent.model.call import Call, Result
from lambent.wire.faults import unknown_operation

Operation = Callable[[Call], Result]


class Operations:
    """What this platform answers. ``slices``: service → (operations by AWS name, their first argument)."""

    def __init__(
        self, slices: Mapping[str, tuple[Mapping[str, Callable[[Any, Call], Result]], Any]]
    ) -> None:
        self._table: dict[tuple[str, str], Operation] = {
            (service, name): partial(function, owner)
            for service, (functions, owner) in slices.items()
            for name, function in functions.items()
        }

    def find(self, call: Call) -> Operation:
        """The operation. Raises 501 ``UnknownOperationException`` naming it."""
        operation = self._table.get((call.service, call.operation))
        if operation is None:
            raise unknown_operation(call.operation)
        return operation
