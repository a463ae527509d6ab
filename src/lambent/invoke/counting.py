"""Counting concurrent executions against the account's quota. Pure; used on the loop's thread."""

from lambent.model.errors import ClientFault


class Counting:
    """``in_use`` executions of ``limit``, per account and region."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_use: dict[tuple[str, str], int] = {}

    def acquire(self, account_id: str, region: str) -> None:
        """Takes one place. Raises AWS's 429 when there is none; nothing is counted then.

        Source: shape ``TooManyRequestsException`` (``Reason``: ``ThrottleReason``).
        """
        key = (account_id, region)
        used = self._in_use.get(key, 0)
        if used >= self._limit:
            raise ClientFault(
                "TooManyRequestsException",
                "Rate Exceeded.",
                429,
                fields={"Type": "User", "Reason": "ConcurrentInvocationLimitExceeded"},
            )
        self._in_use[key] = used + 1

    def release(self, account_id: str, region: str) -> None:
        """Gives one place back."""
        self._in_use[(account_id, region)] -= 1

    def in_use(self, account_id: str, region: str) -> int:
        """Executions running now."""
        return self._in_use.get((account_id, region), 0)
