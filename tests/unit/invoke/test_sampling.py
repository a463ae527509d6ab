"""invoke.sampling: one request each second and 5 % of the others, for each function."""

from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke.sampling import FIXED_RATE, MAX_FUNCTIONS, Sampler

F = ("000000000000", "us-east-1", "f")


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1, exclude_max=True)), max_size=40))
def test_the_first_of_each_second_is_traced_and_others_by_the_draw(
    requests: list[tuple[float, float]],
) -> None:
    """Whatever the order within a second, its first is traced, and the draw decides for the rest."""
    sampler, seen = Sampler(), set()
    for at_s, draw in sorted(requests):
        expected = int(at_s) not in seen or draw < FIXED_RATE
        assert sampler.take(F, at_s, draw) is expected
        seen.add(int(at_s))


def test_functions_do_not_share_it() -> None:
    """Each function has a first request of its own, in each account and region."""
    sampler = Sampler()
    for function in (F, ("000000000000", "us-east-1", "g"), ("1" * 12, "us-east-1", "f")):
        assert sampler.take(function, 10.0, 0.9)
        assert not sampler.take(function, 10.9, 0.9)


def test_what_it_remembers_is_bounded() -> None:
    """Beyond the bound the function that was seen first begins anew."""
    sampler = Sampler()
    for n in range(MAX_FUNCTIONS + 1):
        sampler.take(("0", "r", str(n)), 1.0, 0.9)
    assert len(sampler._last_s) == MAX_FUNCTIONS
    assert sampler.take(("0", "r", "0"), 1.0, 0.9)
