"""The window of events in flight: never more than there is room for, never stuck, never growing in leaps."""

from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke.event_window import (
    BATCH,
    FIRST_SIZE,
    LAST_PAUSE_MS,
    MAX_SIZE,
    PATIENCE_MS,
    Window,
)

STEPS = st.lists(st.sampled_from(["take", "begin", "done", "throttled"]), max_size=200)


@given(STEPS, st.integers(1, 60), st.booleans())
def test_it_never_takes_more_than_there_is(steps: list[str], limit: int, is_reserved: bool) -> None:
    """Whatever happens: at most what is reserved, else half of what others leave; one where nothing is free."""
    window, now_ms, running = Window(), 0, 0
    for step in steps:
        now_ms += 50
        if step == "take":
            free = limit - running
            room = window.room(now_ms, free, limit if is_reserved else None)
            assert 0 <= room <= BATCH
            window.claim(room)
            share = limit if is_reserved else (limit + 1) // 2
            assert room == 0 or window.in_flight <= max(share, 1)
        elif step == "begin" and window.claimed:
            window.begin()
            running += 1
        elif step != "begin" and running:
            running -= 1
            window.end()
            if step == "done":
                window.processed(now_ms, PATIENCE_MS)
            else:
                window.throttled(now_ms)
        assert 1 <= window.size <= MAX_SIZE
        assert window.in_flight == window.claimed + running
    if not window.in_flight:
        later_ms = now_ms + LAST_PAUSE_MS
        assert window.room(later_ms, 0, limit if is_reserved else None) == 1


def test_it_doubles_in_a_second_and_no_faster() -> None:
    """However many events are processed at once."""
    window = Window()
    sizes = []
    for second in range(4):
        for _ in range(1_000):
            window.processed(second * 1_000, PATIENCE_MS)
        sizes.append(window.size)
    assert sizes == [FIRST_SIZE * 2**n for n in range(1, 5)]


def test_it_does_not_grow_where_nothing_waits() -> None:
    """Events that start at once need no more environments than there are."""
    window = Window()
    for number in range(10_000):
        window.processed(number, PATIENCE_MS - 1)
    assert window.size == FIRST_SIZE


def test_what_was_not_there_is_given_back() -> None:
    """A receive that finds less than it asked for leaves the rest free."""
    window = Window()
    window.claim(5)
    window.claim(2 - 5)
    assert (window.in_flight, window.claimed) == (2, 2)


def test_a_stopped_functions_events_go_batch_by_batch() -> None:
    """With a reservation of 0 nothing runs, and what is there is given up."""
    window = Window()
    assert window.room(0, 0, 0) == BATCH
    window.claim(BATCH)
    assert window.room(0, 0, 0) == 0
