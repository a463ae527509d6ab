"""The lifecycle of an execution environment, as a table. Every move that is not written here is illegal.

``INIT`` → ``READY`` (frozen, waiting in ``/next``) → ``INVOKING`` → ``RESPONDED`` (answered, not yet back in
``/next``) → ``READY`` … → ``STOPPED``.
"""

from enum import Enum, auto


class State(Enum):
    """Where an environment is."""

    INIT = auto()
    READY = auto()
    INVOKING = auto()
    RESPONDED = auto()
    FAILED = auto()
    STOPPED = auto()


class Event(Enum):
    """What happens to it."""

    NEXT = auto()
    DISPATCH = auto()
    RESPONSE = auto()
    ERROR = auto()
    INIT_ERROR = auto()
    STOP = auto()


class InvalidStateTransitionError(Exception):
    """The move is not in the table; nothing changed."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event.name} is not possible in {state.name}")
        self.state = state
        self.event = event


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.INIT: {
        Event.NEXT: State.READY,
        Event.INIT_ERROR: State.FAILED,
        Event.STOP: State.STOPPED,
    },
    State.READY: {Event.DISPATCH: State.INVOKING, Event.STOP: State.STOPPED},
    State.INVOKING: {
        Event.RESPONSE: State.RESPONDED,
        Event.ERROR: State.RESPONDED,
        Event.STOP: State.STOPPED,
    },
    State.RESPONDED: {Event.NEXT: State.READY, Event.STOP: State.STOPPED},
    State.FAILED: {Event.STOP: State.STOPPED},
    State.STOPPED: {},
}


def move(state: State, event: Event) -> State:
    """The state after ``event``. Raises InvalidStateTransitionError for a move not in the table."""
    after = TRANSITIONS[state].get(event)
    if after is None:
        raise InvalidStateTransitionError(state, event)
    return after
