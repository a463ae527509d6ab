"""Why a pattern is refused, and how each service words it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambent.patterns.dialects import Dialect

NESTED_ATTRIBUTES = "Filter policy scope MessageAttributes does not support nested filter policy"


class PatternError(Exception):
    """A pattern that cannot be compiled; ``reason`` is AWS's own wording where it is known.

    AWS appends where in the text it stopped reading (``\\n at [Source: (String)"…"; line: 1, column:
    11]``); that is left out.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def error_message(error: PatternError, dialect: Dialect, *, subscribing: bool = False) -> str:
    """The message of the error AWS answers with; the code is the consumer's.

    EventBridge: ``InvalidEventPatternException``; Lambda: ``InvalidParameterValueException``; SNS:
    ``InvalidParameter``, which words it differently in ``Subscribe`` (``subscribing``) and in
    ``SetSubscriptionAttributes``. Source: recorded answers of the three services.
    """
    if dialect.is_sns:
        if error.reason == NESTED_ATTRIBUTES:
            return f"Invalid parameter: {error.reason}"
        where = "Attributes Reason: FilterPolicy" if subscribing else "FilterPolicy"
        return f"Invalid parameter: {where}: {error.reason}"
    if dialect.title.startswith("EventBridge"):
        return f"Event pattern is not valid. Reason: {error.reason}"
    return "Invalid filter pattern definition."
