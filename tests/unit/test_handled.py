"""The account of handled messages finds what it is there to find: each broken promise, made on purpose."""

from benchmarks.handled import OK, Account, Attempt


def account(*attempts: tuple[str, int, str], ordered: bool = True, **more: list[int]) -> Account:
    """With attempts as (name, receive, outcome), a second apart; each name is acknowledged, and one message."""
    made = Account("q", 3, ordered, **more)  # type: ignore[arg-type]
    for second, (name, receive, outcome) in enumerate(attempts, 1):
        made.acknowledged.add(name)
        made.attempts.append(Attempt(second * 10**9, 0, name, f"id-{name}", receive, outcome))
    return made


def poisoned(*receives: int) -> Account:
    """A poisonous message that was tried so, and is a dead letter."""
    made = account(*(("a-0!", receive, "poison") for receive in receives))
    made.dead = ["a-0!"]
    return made


def test_nothing_is_found_where_all_is_well() -> None:
    """Messages in order, one that failed first, poison after all its attempts: no fault."""
    made = account(
        ("a-0", 1, "failed"), ("a-0", 2, OK), ("a-1!", 1, "x"), ("a-1!", 2, "x"), ("a-1!", 3, "x"),
        ("a-2", 1, OK), ("b-0", 1, OK),
    )  # fmt: skip
    made.dead = ["a-1!"]
    assert made.faults() == []
    assert made.bystanders() == set()


def test_what_was_not_handled_is_lost() -> None:
    """Never tried, or never with success: lost. A dead letter is not."""
    made = account(("a-0", 1, "failed"))
    made.acknowledged |= {"b-0"}
    assert made.faults() == ["q: lost a-0", "q: lost b-0"]


def test_a_receive_without_an_attempt_needs_a_kill() -> None:
    """A number left out is a fault, unless a kill fell between its neighbours."""
    assert len(account(("a-0", 2, OK)).faults()) == 1
    assert account(("a-0", 2, OK), kills_ns=[5]).faults() == []
    assert len(account(("a-0", 3, OK), kills_ns=[5]).faults()) == 1
    assert len(account(("a-0", 2, OK), kills_ns=[2 * 10**9]).faults()) == 1


def test_dead_letters_are_counted() -> None:
    """Too early, after too many attempts, twice, or not at all: a fault each."""
    assert poisoned(1, 2, 3).faults() == []
    assert len(poisoned(1, 2).faults()) == 1
    assert len(poisoned(1, 2, 3, 4).faults()) == 1
    twice, never, untried = poisoned(1, 2, 3), poisoned(1, 2, 3), account()
    twice.dead *= 2
    never.dead.clear()
    untried.dead = ["a-0"]
    assert twice.faults() == ["q: a-0! is a dead letter 2 times"]
    assert never.faults() == ["q: lost a-0!", "q: a-0! is poison and no dead letter"]
    assert untried.faults() == ["q: a-0 is a dead letter without an attempt"]


def test_what_was_handled_is_no_dead_letter() -> None:
    """A dead letter that was handled is a fault, but where a kill took its deletion."""
    for kills_ns, faults in (([], ["q: a-0 was handled, and is a dead letter"]), ([4 * 10**9], [])):
        made = account(("a-0", 1, "x"), ("a-0", 2, "x"), ("a-0", 3, OK), kills_ns=kills_ns)
        made.dead = ["a-0"]
        assert made.faults() == faults


def test_order_is_that_of_first_successes() -> None:
    """Overtaking is a fault, of what is still tried too; coming again after a success is none."""
    assert len(account(("a-1", 1, OK), ("a-0", 1, OK)).faults()) == 1
    assert account(("a-1", 1, OK), ("a-0", 1, OK), ordered=False).faults() == []
    assert account(("a-0", 1, OK), ("a-1", 1, OK), ("a-0", 2, OK)).faults() == []
    overtaken = account(("a-0!", 1, "x"), ("a-1", 1, OK), ("a-0!", 2, "x"), ("a-0!", 3, "x"))
    overtaken.dead = ["a-0!"]
    assert overtaken.faults() == ["q: a-1 was handled before a-0! was done with"]


def test_duplicates_are_a_figure() -> None:
    """Handled again after a kill, and without one; the same receive twice is a fault."""
    made = account(("a-0", 1, OK), ("a-0", 2, OK), ("a-0", 3, OK), kills_ns=[15 * 10**8])
    assert (made.duplicates(), made.faults()) == ((1, 1), [])
    assert len(account(("a-0", 1, OK), ("a-0", 1, OK)).faults()) == 1
