"""Counting concurrent executions: each function against its reservation, the others against the rest.

Pure; used on the loop's thread. Contract (property-tested), per account and region:
1. A function with a reservation never gets more than that, whatever others do, and takes from nobody.
2. Functions without one get together at most the limit less all reservations.
3. A refusal counts nothing. A change of reservations moves running executions, and ends none.
4. What is provisioned for a function without a reservation is taken from the shared part whether it runs or
   not; executions on provisioned environments then take nothing more. With one it is part of the reservation.
"""

from lambent.model.errors import ClientFault

_Place = tuple[str, str]
_Function = tuple[str, str, str]
"""Account, region, name: all versions and aliases together."""


class Counting:
    """Executions running now, of ``limit`` per account and region."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: dict[_Function, int] = {}
        self._provisioned_running: dict[_Function, int] = {}
        self._reserved: dict[_Function, int] = {}
        self._provisioned: dict[_Function, int] = {}
        self._unreserved: dict[_Place, int] = {}
        self._unreserved_limit: dict[_Place, int] = {}

    def acquire(
        self, account_id: str, region: str, function_name: str, *, provisioned: bool = False
    ) -> None:
        """Takes one place, or one that is ``provisioned`` and there to be taken.

        Raises AWS's 429 when there is none; nothing is counted then.
        """
        function = (account_id, region, function_name)
        running = self._running.get(function, 0)
        reserved = self._reserved.get(function)
        if provisioned and reserved is None:
            self._provisioned_running[function] = self._provisioned_running.get(function, 0) + 1
        elif reserved is None:
            place = (account_id, region)
            used = self._unreserved.get(place, 0)
            if used >= self._unreserved_limit.get(place, self._limit):
                raise _throttled("ConcurrentInvocationLimitExceeded")
            self._unreserved[place] = used + 1
        elif running >= reserved:
            raise _throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        elif provisioned:
            self._provisioned_running[function] = self._provisioned_running.get(function, 0) + 1
        self._running[function] = running + 1

    def release(
        self, account_id: str, region: str, function_name: str, *, provisioned: bool = False
    ) -> None:
        """Gives one place back, as it was taken."""
        function = (account_id, region, function_name)
        running = self._running.pop(function) - 1
        if running:
            self._running[function] = running
        if provisioned:
            left = self._provisioned_running.pop(function) - 1
            if left:
                self._provisioned_running[function] = left
        elif function not in self._reserved:
            self._unreserved[(account_id, region)] -= 1

    def reserve(
        self, account_id: str, region: str, function_name: str, executions: int | None
    ) -> None:
        """Sets a function's reservation; None takes it back. What runs is counted the new way."""
        function, place = (account_id, region, function_name), (account_id, region)
        taken = self._taken(function)
        before = self._reserved.pop(function, None)
        if executions is not None:
            self._reserved[function] = executions
        self._take(place, self._taken(function) - taken)
        shared = self._running.get(function, 0) - self._provisioned_running.get(function, 0)
        moved = shared * ((before is not None) - (executions is not None))
        self._unreserved[place] = self._unreserved.get(place, 0) + moved

    def provision(self, account_id: str, region: str, function_name: str, executions: int) -> None:
        """Sets what is provisioned for all of a function's versions and aliases together."""
        function = (account_id, region, function_name)
        taken = self._taken(function)
        self._provisioned.pop(function, None)
        if executions:
            self._provisioned[function] = executions
        self._take((account_id, region), self._taken(function) - taken)

    def _taken(self, function: _Function) -> int:
        """What a function has of its own, and the others have not."""
        reserved = self._reserved.get(function)
        return self._provisioned.get(function, 0) if reserved is None else reserved

    def _take(self, place: _Place, more: int) -> None:
        self._unreserved_limit[place] = self._unreserved_limit.get(place, self._limit) - more

    def in_use(self, account_id: str, region: str, function_name: str) -> int:
        """Executions of a function running now."""
        return self._running.get((account_id, region, function_name), 0)

    def unreserved_in_use(self, account_id: str, region: str) -> int:
        """Executions running now of functions without a reservation."""
        return self._unreserved.get((account_id, region), 0)

    def room(self, account_id: str, region: str, function_name: str) -> tuple[int, int | None]:
        """Executions of a function that could start now beside provisioned ones, and its reservation."""
        reserved = self._reserved.get((account_id, region, function_name))
        if reserved is not None:
            return max(0, reserved - self.in_use(account_id, region, function_name)), reserved
        limit = self._unreserved_limit.get((account_id, region), self._limit)
        return max(0, limit - self.unreserved_in_use(account_id, region)), None


def _throttled(reason: str) -> ClientFault:
    """Source: shapes ``TooManyRequestsException`` and ``ThrottleReason``.

    AWS: no ``Retry-After`` is known to come with these two; callers back off by themselves.
    """
    return ClientFault(
        "TooManyRequestsException", "Rate Exceeded.", 429, fields={"Type": "User", "Reason": reason}
    )
