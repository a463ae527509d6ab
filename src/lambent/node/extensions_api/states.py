"""The states of an extension, as a table. Every move that is not written here is illegal.

``STARTED`` (external ones only: launched) → ``REGISTERED`` → ``READY`` (waiting in ``/event/next``) ⇄
``RUNNING`` … → ``EXITED``. The names are AWS's, as its log lines and refusals show them. Source: the ``core``
package of AWS's runtime interface emulator (``externalagent_states.go``, ``internalagent_states.go``).
"""

from enum import Enum


class State(Enum):
    """Where an extension is; the value is AWS's name."""

    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"
    LAUNCH_ERROR = "LaunchError"
    EXITED = "Exited"


class Event(Enum):
    """What happens to it; the value is the state AWS names as the one that was wanted."""

    REGISTER = "Registered"
    NEXT = "Ready"
    DELIVER = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"
    LAUNCH_ERROR = "LaunchError"
    EXIT = "Exited"


class InvalidExtensionStateError(Exception):
    """The move is not in the table; nothing changed."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__("State transition is not allowed")
        self.state = state
        self.event = event


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.STARTED: {
        Event.REGISTER: State.REGISTERED,
        Event.LAUNCH_ERROR: State.LAUNCH_ERROR,
        Event.EXIT: State.EXITED,
    },
    State.REGISTERED: {
        Event.NEXT: State.READY,
        Event.INIT_ERROR: State.INIT_ERROR,
        Event.EXIT_ERROR: State.EXIT_ERROR,
        Event.EXIT: State.EXITED,
    },
    State.READY: {
        Event.DELIVER: State.RUNNING,
        Event.EXIT_ERROR: State.EXIT_ERROR,
        Event.EXIT: State.EXITED,
    },
    State.RUNNING: {
        Event.NEXT: State.READY,
        Event.EXIT_ERROR: State.EXIT_ERROR,
        Event.EXIT: State.EXITED,
    },
    # AWS: telling the same error again is no error.
    State.INIT_ERROR: {Event.INIT_ERROR: State.INIT_ERROR, Event.EXIT: State.INIT_ERROR},
    State.EXIT_ERROR: {Event.EXIT_ERROR: State.EXIT_ERROR, Event.EXIT: State.EXIT_ERROR},
    State.LAUNCH_ERROR: {},
    State.EXITED: {},
}


def move(state: State, event: Event) -> State:
    """The state after ``event``. Raises InvalidExtensionStateError for a move not in the table."""
    after = TRANSITIONS[state].get(event)
    if after is None:
        raise InvalidExtensionStateError(state, event)
    return after
