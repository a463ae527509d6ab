"""How asynchronous events of a function, version or alias are handled."""

from dataclasses import dataclass

MAXIMUM_RETRY_ATTEMPTS = 2
MAXIMUM_EVENT_AGE_S = 6 * 60 * 60
"""AWS: what holds where nothing is set. Source: "How Lambda handles errors and retries with asynchronous

invocation"."""


@dataclass(frozen=True, slots=True)
class EventInvokeConfig:
    """What was set; None and ``""`` where nothing was. ``on_success`` and ``on_failure`` are ARNs.

    ``last_modified_s`` is in Unix seconds. Source: the shape ``FunctionEventInvokeConfig``.
    """

    maximum_retry_attempts: int | None = None
    maximum_event_age_s: int | None = None
    on_success: str = ""
    on_failure: str = ""
    last_modified_s: float = 0.0

    @property
    def retries(self) -> int:
        """How often an event is run again after a function error."""
        given = self.maximum_retry_attempts
        return MAXIMUM_RETRY_ATTEMPTS if given is None else given

    @property
    def age_s(self) -> int:
        """How old an event may become before it is given up."""
        return self.maximum_event_age_s or MAXIMUM_EVENT_AGE_S


DEFAULT_EVENT_INVOKE_CONFIG = EventInvokeConfig()
