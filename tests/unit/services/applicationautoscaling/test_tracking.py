"""Target tracking decides as its contract says, whatever was used."""

from hypothesis import given
from hypothesis import strategies as st

from lambent.services.applicationautoscaling.tracking import (
    IN_PERIODS,
    OUT_PERIODS,
    Tracking,
    Use,
    alarm_of,
    choose_capacity,
)

LONG = (float("inf"), float("inf"))
TARGETS = st.floats(0.1, 0.9)


@st.composite
def _uses(draw: st.DrawFn) -> list[Use]:
    capacity = draw(st.integers(1, 200))
    peaks = draw(st.lists(st.integers(0, capacity), max_size=20))
    return [Use(peak, capacity) for peak in peaks]


@given(_uses(), TARGETS, st.integers(0, 50), st.integers(0, 200), st.booleans())
def test_what_is_chosen(uses: list[Use], target: float, low: int, more: int, disable: bool) -> None:
    """Within the bounds, in the alarm's direction, and enough for what was used where the bound lets it be."""
    current = uses[-1].capacity if uses else 1
    chosen = choose_capacity(uses, current, Tracking(target, disable), (low, low + more), LONG)
    if chosen is None:
        return
    capacity, alarm = chosen
    assert low <= capacity <= low + more
    assert alarm == alarm_of(uses, target)
    assert (capacity > current) == (alarm == "AlarmHigh")
    assert capacity != current
    assert alarm == "AlarmHigh" or not disable
    peak = uses[-1].peak if alarm == "AlarmHigh" else max(u.peak for u in uses[-IN_PERIODS:])
    assert capacity == low + more or peak <= capacity * target + 1e-6 or capacity == low


@given(_uses(), TARGETS)
def test_alarms_need_all_their_periods(uses: list[Use], target: float) -> None:
    """Three above, or fifteen below 90%: one period that is not so is enough to be quiet."""
    alarm = alarm_of(uses, target)
    if alarm == "AlarmHigh":
        assert len(uses) >= OUT_PERIODS
        assert min(u.utilization for u in uses[-3:]) > target
    if alarm == "AlarmLow":
        assert len(uses) >= IN_PERIODS
        assert max(u.utilization for u in uses[-15:]) < 0.9 * target
    assert alarm_of([*uses, Use(95, 100)] * 1, 0.95) is None


def test_the_numbers() -> None:
    """Seven of ten at a target of 70% is enough; nine ask for thirteen; idle goes down to the least."""
    tracking, bounds = Tracking(0.7), (1, 100)
    assert choose_capacity([Use(7, 10)] * 3, 10, tracking, bounds, LONG) is None
    assert choose_capacity([Use(9, 10)] * 2, 10, tracking, bounds, LONG) is None
    assert choose_capacity([Use(9, 10)] * 3, 10, tracking, bounds, LONG) == (13, "AlarmHigh")
    assert choose_capacity([Use(9, 10)] * 3, 10, tracking, (1, 11), LONG) == (11, "AlarmHigh")
    assert choose_capacity([Use(9, 10)] * 3, 11, tracking, (1, 11), LONG) is None
    assert choose_capacity([Use(0, 10)] * 14, 10, tracking, bounds, LONG) is None
    assert choose_capacity([Use(0, 10)] * 15, 10, tracking, bounds, LONG) == (1, "AlarmLow")
    busy_once = [Use(0, 10)] * 14 + [Use(4, 10)]
    assert choose_capacity(busy_once, 10, tracking, bounds, LONG) == (6, "AlarmLow")


def test_cooldowns() -> None:
    """Within its own cooldown a direction waits; the other one does not."""
    tracking = Tracking(0.5, out_cooldown_s=60, in_cooldown_s=120)
    high, low = [Use(9, 10)] * 3, [Use(1, 10)] * 15
    assert choose_capacity(high, 10, tracking, (1, 100), (59, 999)) is None
    assert choose_capacity(high, 10, tracking, (1, 100), (60, 0)) == (18, "AlarmHigh")
    assert choose_capacity(low, 10, tracking, (1, 100), (999, 119)) is None
    assert choose_capacity(low, 10, tracking, (1, 100), (0, 120)) == (2, "AlarmLow")
