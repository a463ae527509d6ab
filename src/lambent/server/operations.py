"""Operation name → function: which part of the platform answers an AWS call."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from lambent.model.call import Call, Result
from lambent.model.errors import not_yet
from lambent.wire.faults import unknown_operation
from lambent.wire.models import operation_model

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
        """The operation.

        Raises 501, naming it: ``NotImplementedException`` for what AWS has and Lambent has not yet,
        ``UnknownOperationException`` for what AWS has not either.
        """
        operation = self._table.get((call.service, call.operation))
        if operation is not None:
            return operation
        if operation_model(call.service, call.operation) is None:
            raise unknown_operation(call.operation)
        raise not_yet(f"{call.service}:{call.operation}")
