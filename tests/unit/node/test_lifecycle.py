"""Every move of an environment's life, and every one that is none."""

from itertools import product

import pytest

from lambent.node.lifecycle import TRANSITIONS, Event, InvalidStateTransitionError, State, move

LEGAL: dict[tuple[State, Event], State] = {
    (State.INIT, Event.NEXT): State.READY,
    (State.INIT, Event.INIT_ERROR): State.FAILED,
    (State.RESTORE, Event.NEXT): State.READY,
    (State.RESTORE, Event.RESTORE_ERROR): State.FAILED,
    (State.READY, Event.DISPATCH): State.INVOKING,
    (State.INVOKING, Event.RESPONSE): State.RESPONDED,
    (State.INVOKING, Event.ERROR): State.RESPONDED,
    (State.RESPONDED, Event.NEXT): State.READY,
    (State.INIT, Event.RUNTIME_NEXT): State.EXTENSIONS_INIT,
    (State.EXTENSIONS_INIT, Event.NEXT): State.READY,
    (State.RESPONDED, Event.RUNTIME_NEXT): State.EXTENSIONS_BUSY,
    (State.EXTENSIONS_BUSY, Event.NEXT): State.READY,
    **{
        (state, Event.SHUT_DOWN): State.SHUTDOWN
        for state in State
        if state not in (State.SHUTDOWN, State.STOPPED)
    },
    **{(state, Event.STOP): State.STOPPED for state in State if state is not State.STOPPED},
}


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_a_move_is_written_down_or_refused(state: State, event: Event) -> None:
    """A legal move leads where it should; any other is a typed error that names state and event."""
    if (state, event) in LEGAL:
        assert move(state, event) is LEGAL[state, event]
        return
    with pytest.raises(InvalidStateTransitionError) as caught:
        move(state, event)
    assert (caught.value.state, caught.value.event) == (state, event)
    assert str(caught.value) == f"{event.name} is not possible in {state.name}"


def test_every_state_is_in_the_table_and_can_be_reached() -> None:
    """No state is forgotten, each is reached from INIT or RESTORE, and only STOPPED is an end."""
    assert set(TRANSITIONS) == set(State)
    reached = {State.INIT, State.RESTORE}
    while more := {after for s in reached for after in TRANSITIONS[s].values()} - reached:
        reached |= more
    assert reached == set(State)
    assert [s for s in State if not TRANSITIONS[s]] == [State.STOPPED]
