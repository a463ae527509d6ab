"""The account of a durability test: each kind of broken promise is found, and no kept one is blamed."""

from benchmarks.ledger import Ledger


def ledger(*messages: tuple[str, str], ordered: bool = False, may_repeat: bool = False) -> Ledger:
    """One that received these."""
    made = Ledger("s", ordered, may_repeat)
    made.acknowledge(["a-0", "a-1"])
    made.receive(list(messages))
    return made


def test_kept_promises_are_no_faults() -> None:
    """Received again before its deletion was acknowledged, and what nobody was told of: both may be."""
    made = ledger(("a-0", "m0"), ("a-1", "m1"), ("a-0", "m0"), ("a-2", "m2"), ordered=True)
    assert made.faults() == []
    assert (made.copies(), made.redeliveries()) == (0, 1)


def test_what_was_acknowledged_and_never_came_is_lost() -> None:
    """Whatever else came."""
    assert ledger(("a-1", "m1")).faults() == ["s: lost a-0"]


def test_what_was_stored_twice_is_found() -> None:
    """Two messages of one name; of what may repeat, it is a figure."""
    messages = (("a-0", "m0"), ("a-0", "m9"), ("a-1", "m1"))
    assert ledger(*messages).faults() == ["s: a-0 was stored 2 times"]
    repeated = ledger(*messages, may_repeat=True)
    assert (repeated.faults(), repeated.copies()) == ([], 1)


def test_what_overtakes_its_group_is_found() -> None:
    """Other groups may be further."""
    made = ledger(("a-0", "m0"), ("b-0", "n0"), ("a-2", "m2"), ("a-1", "m1"), ordered=True)
    assert made.faults() == ["s: a-2 came when a-0 was the last one"]


def test_a_deletion_that_did_not_hold_is_found() -> None:
    """An acknowledged deletion is for good."""
    made = ledger(("a-0", "m0"), ("a-1", "m1"))
    made.delete(["a-0"])
    made.receive([("a-0", "m0")])
    assert made.faults() == ["s: a-0 came again after its deletion was acknowledged"]
