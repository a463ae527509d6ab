"""The lifecycle of an execution environment, as a table. Every move that is not written here is illegal.

``INIT`` → ``READY`` (frozen, waiting in ``/next``) → ``INVOKING`` → ``RESPONDED`` (answered, not yet back in
``/next``) → ``READY`` … → ``STOPPED``.

With extensions the runtime may be back before them (``EXTENSIONS_INIT``, ``EXTENSIONS_BUSY``), and ahead of
``STOPPED`` comes ``SHUTDOWN``, in which the runtime and they may clear up.
"""

from enum import Enum, auto


class State(Enum):
    """Where an environment is."""

    # Looked up with every event of every invocation: Enum's own hash is a Python function.
    __hash__ = object.__hash__

    INIT = auto()
    RESTORE = auto()
    EXTENSIONS_INIT = auto()
    READY = auto()
    INVOKING = auto()
    RESPONDED = auto()
    EXTENSIONS_BUSY = auto()
    FAILED = auto()
    SHUTDOWN = auto()
    STOPPED = auto()


class Event(Enum):
    """What happens to it. ``NEXT``: everybody waits for the next event; ``RUNTIME_NEXT``: only the runtime yet."""

    __hash__ = object.__hash__

    NEXT = auto()
    RUNTIME_NEXT = auto()
    DISPATCH = auto()
    RESPONSE = auto()
    ERROR = auto()
    INIT_ERROR = auto()
    RESTORE_ERROR = auto()
    SHUT_DOWN = auto()
    STOP = auto()


class InvalidStateTransitionError(Exception):
    """The move is not in the table; nothing changed."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event.name} is not possible in {state.name}")
        self.state = state
        self.event = event


_ENDS = {Event.SHUT_DOWN: State.SHUTDOWN, Event.STOP: State.STOPPED}

TRANSITIONS: dict[State, dict[Event, State]] = {
    State.INIT: {
        Event.NEXT: State.READY,
        Event.RUNTIME_NEXT: State.EXTENSIONS_INIT,
        Event.INIT_ERROR: State.FAILED,
        **_ENDS,
    },
    State.RESTORE: {Event.NEXT: State.READY, Event.RESTORE_ERROR: State.FAILED, **_ENDS},
    State.EXTENSIONS_INIT: {Event.NEXT: State.READY, **_ENDS},
    State.READY: {Event.DISPATCH: State.INVOKING, **_ENDS},
    State.INVOKING: {Event.RESPONSE: State.RESPONDED, Event.ERROR: State.RESPONDED, **_ENDS},
    State.RESPONDED: {
        Event.NEXT: State.READY,
        Event.RUNTIME_NEXT: State.EXTENSIONS_BUSY,
        **_ENDS,
    },
    State.EXTENSIONS_BUSY: {Event.NEXT: State.READY, **_ENDS},
    State.FAILED: {**_ENDS},
    State.SHUTDOWN: {Event.STOP: State.STOPPED},
    State.STOPPED: {},
}


def move(state: State, event: Event) -> State:
    """The state after ``event``. Raises InvalidStateTransitionError for a move not in the table."""
    after = TRANSITIONS[state].get(event)
    if after is None:
        raise InvalidStateTransitionError(state, event)
    return after
