"""How many are made ahead: from what was started, and within what memory there is to spare."""

from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from lambent.node.sandbox.demand import (
    AT_ONCE_S,
    KEEP_S,
    MOST,
    PAUSE_S,
    SLACK,
    WHOLE_S,
    Demand,
    Wish,
    share_out,
)

TICK_S = 1 / 64
"""Times are whole ticks, which floats add without rounding."""
STEPS = st.lists(
    st.one_of(st.integers(0, 6), st.integers(7, 128), st.integers(640, 32_000)), max_size=60
)
WISHES = st.lists(
    st.builds(
        Wish,
        base=st.integers(0, 4),
        most=st.integers(0, 40),
        wanted=st.integers(0, 60),
        bytes_each=st.integers(1, 1000),
    ),
    max_size=8,
)


def after(count: int, *, at_s: float = 1000.0) -> Demand:
    """What is known when so many were started at once."""
    demand = Demand()
    for _ in range(count):
        demand.started(at_s)
    return demand


def counted_again(starts_s: list[float]) -> list[tuple[float, int]]:
    """When each burst was over, and its size: counted the long way."""
    bursts: list[list[float]] = []
    for at_s in starts_s:
        current = bursts[-1] if bursts else None
        if current and at_s - current[-1] < PAUSE_S and at_s - current[0] < AT_ONCE_S:
            current.append(at_s)
        else:
            bursts.append([at_s])
    return [(burst[-1], min(MOST, len(burst))) for burst in bursts]


@given(STEPS, st.integers(0, 64_000))
def test_as_many_as_the_greatest_burst_with_the_weight_of_its_age(
    steps: list[int], later: int
) -> None:
    """Whatever was started when, it is what counting all of it again says."""
    demand, now_s, starts_s = Demand(), 0.0, list[float]()
    for step in steps:
        now_s += step * TICK_S
        starts_s.append(now_s)
        demand.started(now_s)
    now_s += later * TICK_S
    expected = 0
    for at_s, size in counted_again(starts_s):
        left = (KEEP_S - (now_s - at_s)) / (KEEP_S - WHOLE_S)
        expected = max(expected, ceil(size * min(1.0, max(0.0, left))))
    assert demand.wanted(now_s) == expected


@given(st.integers(1, 300), st.lists(st.floats(0, 100), min_size=1, max_size=40))
def test_it_fades(count: int, steps_s: list[float]) -> None:
    """Whole for five minutes, then never more than before and never by a cliff; after ten nothing."""
    demand, size = after(count), min(count, MOST)
    now_s, before, before_s = 1000.0, size, 1000.0
    assert demand.wanted(now_s) == size
    for step_s in steps_s:
        now_s += step_s
        wanted = demand.wanted(now_s)
        assert wanted <= before
        assert before - wanted <= size * (now_s - before_s) / (KEEP_S - WHOLE_S) + 1
        if now_s - 1000 <= WHOLE_S:
            assert wanted == size
        before, before_s = wanted, now_s
    assert demand.wanted(1000 + KEEP_S) == 0


def test_starts_one_after_the_other_want_no_more_than_one() -> None:
    """Between any two of them another is made."""
    demand = Demand()
    for number in range(50):
        demand.started(number * PAUSE_S * 1.01)
    assert demand.wanted(50 * PAUSE_S) == 1


@given(WISHES, st.integers(0, 5000), st.integers(0, 50))
def test_shares(wishes: list[Wish], spare_bytes: int, spare_places: int) -> None:
    """Each has its base, none more than it wants or may; beyond bases all stay within what is to spare."""
    numbers = share_out(wishes, spare_bytes, spare_places)
    beyond = 0
    for wish, number in zip(wishes, numbers, strict=True):
        base = min(wish.base, wish.most)
        assert base <= number.make <= number.keep <= max(base, wish.number)
        beyond += (number.make - base) * wish.bytes_each
    assert beyond <= spare_bytes
    assert (
        sum(number.make - min(w.base, w.most) for w, number in zip(wishes, numbers, strict=True))
        <= spare_places
    )


@given(WISHES, st.integers(0, 5000), st.floats(0, 1))
def test_what_was_made_is_kept_while_memory_is_a_little_less(
    wishes: list[Wish], spare_bytes: int, less: float
) -> None:
    """Where the kind used last had all it wanted, a fifth less to spare costs none of it."""
    if not wishes:
        return
    made = share_out(wishes[:1], spare_bytes, MOST)[0].make
    fewer_bytes = ceil(spare_bytes / (1 + less * (SLACK - 1)))
    assert share_out(wishes[:1], fewer_bytes, MOST)[0].keep >= made


def test_the_kind_used_last_comes_first() -> None:
    """It has what it wants as long as there is any; the others what is left."""
    wishes = [Wish(2, 128, 50, 10), Wish(2, 128, 50, 10)]
    assert [number.make for number in share_out(wishes, 600, 100)] == [50, 14]
