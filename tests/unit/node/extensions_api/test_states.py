"""Every move of an extension's life, and every one that is none."""

from itertools import product

import pytest

from lambent.node.extensions_api.states import (
    TRANSITIONS,
    Event,
    InvalidExtensionStateError,
    State,
    move,
)

LEGAL: dict[tuple[State, Event], State] = {
    (State.STARTED, Event.REGISTER): State.REGISTERED,
    (State.STARTED, Event.LAUNCH_ERROR): State.LAUNCH_ERROR,
    (State.REGISTERED, Event.NEXT): State.READY,
    (State.REGISTERED, Event.INIT_ERROR): State.INIT_ERROR,
    (State.READY, Event.DELIVER): State.RUNNING,
    (State.RUNNING, Event.NEXT): State.READY,
    (State.INIT_ERROR, Event.INIT_ERROR): State.INIT_ERROR,
    (State.EXIT_ERROR, Event.EXIT_ERROR): State.EXIT_ERROR,
    (State.INIT_ERROR, Event.EXIT): State.INIT_ERROR,
    (State.EXIT_ERROR, Event.EXIT): State.EXIT_ERROR,
    **{
        (state, Event.EXIT): State.EXITED
        for state in (State.STARTED, State.REGISTERED, State.READY, State.RUNNING)
    },
    **{
        (state, Event.EXIT_ERROR): State.EXIT_ERROR
        for state in (State.REGISTERED, State.READY, State.RUNNING)
    },
}


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_a_move_is_written_down_or_refused(state: State, event: Event) -> None:
    """A legal move leads where it should; any other is a typed error that names state and event."""
    if (state, event) in LEGAL:
        assert move(state, event) is LEGAL[state, event]
        return
    with pytest.raises(InvalidExtensionStateError) as caught:
        move(state, event)
    assert (caught.value.state, caught.value.event) == (state, event)


def test_every_state_is_in_the_table_and_can_be_reached() -> None:
    """No state is forgotten and each is reached from STARTED."""
    assert set(TRANSITIONS) == set(State)
    reached = {State.STARTED}
    while more := {after for s in reached for after in TRANSITIONS[s].values()} - reached:
        reached |= more
    assert reached == set(State)
