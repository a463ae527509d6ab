"""What waits for a subscriber is bounded, in order, and what is dropped is told."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lambent.node.telemetry_api.batches import Batches


def dropped(records: int, size_bytes: int) -> bytes:
    """The platform's word for it."""
    return json.dumps({"dropped": [records, size_bytes]}).encode()


def test_events_go_in_order() -> None:
    """A batch is a JSON array of what was added since the one before."""
    batches = Batches(10, 1000, dropped)
    assert batches.is_empty
    batches.add(b"1")
    batches.add(b"2")
    assert json.loads(batches.take()) == [1, 2]
    batches.arrived()
    assert batches.is_empty


def test_what_was_lost_is_told() -> None:
    """The next batch begins with how much there was in the one that did not arrive."""
    batches = Batches(10, 1000, dropped)
    batches.add(b"1")
    batches.add(b"23")
    batches.take()
    batches.lost()
    assert not batches.is_empty
    batches.add(b"4")
    assert json.loads(batches.take()) == [{"dropped": [2, 3]}, 4]


@given(st.lists(st.integers(1, 40) | st.sampled_from(["take", "arrived", "lost"]), max_size=60))
def test_bounds_hold_and_every_event_is_accounted_for(steps: list[Any]) -> None:
    """However it goes: no batch beyond its bounds, and each event was delivered, dropped or waits, once."""
    batches = Batches(3, 50, dropped)
    added = delivered = told = on_its_way = told_on_its_way = 0
    for step in steps:
        if isinstance(step, int):
            batches.add(b"1" * step)
            added += 1
        elif step == "take" and not on_its_way and not told_on_its_way and not batches.is_empty:
            events = json.loads(batches.take())
            counts = [e["dropped"][0] for e in events if isinstance(e, dict)]
            told_on_its_way = sum(counts)
            on_its_way = len(events) - len(counts)
            sizes = [len(str(e)) for e in events if isinstance(e, int)]
            assert len(sizes) <= 3
            assert sum(sizes) <= 50
        elif step == "arrived":
            batches.arrived()
            delivered, told = delivered + on_its_way, told + told_on_its_way
            on_its_way = told_on_its_way = 0
        elif step == "lost" and not told_on_its_way:
            batches.lost()
            on_its_way = 0
    if not on_its_way and not told_on_its_way:
        rest = json.loads(batches.take()) if not batches.is_empty else []
        left = sum(e["dropped"][0] if isinstance(e, dict) else 1 for e in rest)
        assert delivered + told + left == added
