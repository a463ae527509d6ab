"""What the machine's memory has room for: never over-committed, and the least useful goes first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke.room import CRITICAL_SHARE, Candidate, Room, least_useful

MIB = 1024 * 1024
SIZES = st.integers(1, 512 * MIB)
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        key=st.integers(),
        idle_s=st.floats(0, 900),
        init_s=st.floats(0.001, 10),
        held_bytes=SIZES,
    ),
    max_size=12,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Candidate("a", 300, 0.01, MIB), Candidate("b", 1, 0.01, MIB)),
        (Candidate("a", 10, 0.01, MIB), Candidate("b", 10, 3.0, MIB)),
        (Candidate("a", 10, 0.01, 500 * MIB), Candidate("b", 10, 0.01, 4 * MIB)),
    ],
    ids=["idle for longer", "quick to make again", "holding more"],
)
def test_what_is_worth_less_goes_first(one: Candidate[str], other: Candidate[str]) -> None:
    """Of two that differ in one thing the one that is idle for longer, quicker to make or larger goes."""
    assert least_useful([other, one])[0] is one
    assert least_useful([one, other])[0] is one


@given(CANDIDATES, st.integers(0, 2048 * MIB))
def test_no_more_go_than_are_needed(candidates: list[Candidate[int]], lacking: int) -> None:
    """They free what lacks, or are all there are; without the last one it would not be enough."""
    chosen = least_useful(candidates, lacking)
    freed = sum(one.held_bytes for one in chosen)
    assert freed >= lacking or len(chosen) == len(candidates)
    if chosen:
        assert freed - chosen[-1].held_bytes < lacking
    worths = [one.worth for one in chosen]
    assert worths == sorted(worths)
    left = [one.worth for one in candidates if one not in chosen]
    assert not chosen or not left or max(worths) <= min(left)


@given(
    st.lists(st.tuples(st.integers(128, 10_240), st.booleans()), max_size=30),
    st.integers(128, 20_000),
)
def test_commitments_are_never_exceeded(asked: list[tuple[int, bool]], limit_mib: int) -> None:
    """Whatever is asked for, with idle ones given up for it or not, what is alive stays within the limit."""
    room = Room(max_committed_mib=limit_mib)
    alive: list[tuple[int, bool]] = []
    for wanted_mib, idle in asked:
        while True:
            committed_mib = sum(size for size, _ in alive) + wanted_mib
            has_idle = any(is_idle for _, is_idle in alive)
            verdict = room.for_one_more(committed_mib, 1 << 40, is_full=False, has_idle=has_idle)
            if verdict != "evict":
                break
            alive.remove(next(one for one in alive if one[1]))
        if verdict == "start":
            alive.append((wanted_mib, idle))
        assert sum(size for size, _ in alive) <= limit_mib


@given(st.integers(0, 4096 * MIB), st.booleans(), st.booleans())
def test_pressure(available: int, has_idle: bool, is_full: bool) -> None:
    """With memory and places free another starts; else an idle one goes; near the end of memory none starts."""
    room = Room(reserve_bytes=1024 * MIB)
    verdict = room.for_one_more(128, available, is_full=is_full, has_idle=has_idle)
    if available >= room.reserve_bytes and not is_full:
        assert verdict == "start"
    elif has_idle:
        assert verdict == "evict"
    else:
        assert verdict == ("refuse" if available < room.reserve_bytes * CRITICAL_SHARE else "start")
    assert room.lacking_bytes(available) == max(0, room.reserve_bytes - available)


@given(
    st.lists(
        st.tuples(st.integers(128, 4096), st.sampled_from(["busy", "idle", "template"])),
        max_size=30,
    ),
    st.lists(st.integers(0, 64), max_size=30),
    st.integers(128, 20_000),
)
def test_commitments_count_what_is_made_ahead(
    asked: list[tuple[int, str]], made_mib: list[int], limit_mib: int
) -> None:
    """It goes first where it is enough, and never comes, with what is alive, to more than is allowed."""
    room, alive, ahead_mib = Room(max_committed_mib=limit_mib), list[tuple[int, str]](), 0
    for (wanted_mib, kind), more_mib in zip(asked, made_mib, strict=False):
        while True:
            would_commit_mib = sum(size for size, _ in alive) + wanted_mib
            verdict = room.for_one_more(
                would_commit_mib,
                1 << 40,
                is_full=False,
                has_idle=any(kind == "idle" for _, kind in alive),
                ahead_bytes=ahead_mib * MIB,
                has_template=any(kind == "template" for _, kind in alive),
            )
            if verdict == "give back":
                freed = room.excess_bytes(would_commit_mib, ahead_mib * MIB)
                assert 0 < freed <= ahead_mib * MIB
                ahead_mib -= freed // MIB
            elif verdict == "evict":
                alive.remove(next(one for one in alive if one[1] == "idle"))
            elif verdict == "end template":
                assert all(kind != "idle" for _, kind in alive)
                alive.remove(next(one for one in alive if one[1] == "template"))
            else:
                break
        if verdict == "start":
            alive.append((wanted_mib, kind))
        else:
            assert not any(kind in ("idle", "template") for _, kind in alive)
        committed_mib = sum(size for size, _ in alive)
        assert committed_mib + ahead_mib <= limit_mib
        _, left_bytes = room.for_ahead(1 << 50, ahead_mib * MIB, committed_mib)
        ahead_mib += min(more_mib, left_bytes // MIB)
        assert committed_mib + ahead_mib <= limit_mib


@given(st.integers(0, 900 * MIB), st.booleans(), st.booleans())
def test_when_memory_is_short_what_was_made_ahead_goes_first_and_templates_last(
    available: int, has_idle: bool, has_template: bool
) -> None:
    """Idle environments in between; where nothing can go and little is left it is refused."""
    room = Room(reserve_bytes=1024 * MIB)

    def verdict(ahead_bytes: int) -> str:
        return room.for_one_more(
            128,
            available,
            is_full=False,
            has_idle=has_idle,
            ahead_bytes=ahead_bytes,
            has_template=has_template,
        )

    assert verdict(1) == "give back"
    if has_idle:
        assert verdict(0) == "evict"
    elif has_template:
        assert verdict(0) == "end template"
    else:
        is_critical = available < room.reserve_bytes * CRITICAL_SHARE
        assert verdict(0) == ("refuse" if is_critical else "start")


@given(st.integers(0, 4096 * MIB), st.integers(0, 2048 * MIB), st.integers(0, 2048 * MIB))
def test_what_is_made_ahead_does_not_take_what_has_it_given_back(
    available: int, ahead: int, reserve: int
) -> None:
    """After it took all it may the reserve is whole; of what is free beyond it it has a small share."""
    room = Room(reserve_bytes=reserve)
    spare, left = room.for_ahead(available, ahead, 0)
    assert left == 0 or room.lacking_bytes(available - left) == 0
    assert spare * 32 <= max(0, available + ahead - reserve)
