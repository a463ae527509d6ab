"""Recursive loops: chains are followed through the trace header, loops are stopped, and nothing else is."""

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.invoke import lineage

PLACE = ("000000000000", "us-east-1")


def run(chain: list[str], trace: str = "Root=1-a-b;Sampled=0") -> int | None:
    """At which invocation of the chain it is stopped, from 1; None when it is not."""
    for number, name in enumerate(chain, start=1):
        trace, passes = lineage.extend(trace, *PLACE, name)
        if passes >= lineage.MAX_PASSES:
            return number
    return None


def test_a_function_that_invokes_itself_runs_sixteen_times() -> None:
    """The seventeenth invocation is stopped."""
    assert run(["f"] * 40) == 17


@given(st.integers(1, 8), st.integers(0, 12))
def test_every_loop_is_stopped_wherever_the_chain_began(period: int, before: int) -> None:
    """Not before its functions ran sixteen times each, and within 255 invocations."""
    chain = [f"before{n}" for n in range(before)] + [f"f{n % period}" for n in range(600)]
    stopped = run(chain)
    assert stopped is not None
    assert before + 16 * period < stopped <= before + 16 * period + 80


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 40))
def test_a_loop_that_leads_to_another_is_stopped_too(first: int, second: int, turns: int) -> None:
    """That a chain met its anchor a few times, long ago, does not hide the loop it is in now."""
    chain = [f"a{n % first}" for n in range(turns)] + [f"b{n % second}" for n in range(1200)]
    assert run(chain) is not None


def test_a_chain_without_a_loop_is_never_stopped() -> None:
    """A thousand functions one after the other are a long chain, and no loop."""
    assert run([f"f{n}" for n in range(1000)]) is None


def test_the_header_has_awss_form() -> None:
    """``Lineage=1:hash:0`` at first, behind what was there; the rest of the header stays."""
    first, passes = lineage.extend("Root=1-a-b;Parent=c;Sampled=1", *PLACE, "f")
    assert passes == 0
    root, _, mark = first.rpartition(";")
    assert root == "Root=1-a-b;Parent=c;Sampled=1"
    assert mark == f"Lineage=1:{lineage._hash(*PLACE, 'f')}:0"
    second, passes = lineage.extend(first, *PLACE, "f")
    assert (second, passes) == (f"{root};Lineage=2:{lineage._hash(*PLACE, 'f')}:1", 1)


@pytest.mark.parametrize(
    "mark",
    ["Lineage=", "Lineage=x", "Lineage=1:zz:0", "Lineage=1:01bc76f7:0:9", "Lineage=1:01bc76f7"],
)
def test_a_broken_lineage_begins_anew(mark: str) -> None:
    """What is no lineage of ours is taken out, wherever it stands."""
    for trace in (f"Root=1;{mark}", f"Root=1;{mark};Self=2"):
        extended, passes = lineage.extend(trace, *PLACE, "f")
        assert passes == 0
        assert extended.endswith(f";Lineage=1:{lineage._hash(*PLACE, 'f')}:0")
        assert extended.count("Lineage=") == 1


@given(st.text())
def test_any_header_is_extended(trace: str) -> None:
    """Whatever a client sends, the function gets one lineage."""
    extended, passes = lineage.extend(trace, *PLACE, "f")
    assert passes >= 0
    assert extended.count("Lineage=") == 1


def test_a_request_without_lineage_pays_next_to_nothing() -> None:
    """Two microseconds at most, the best of five runs."""
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"
    best_s = min(timeit.repeat(lambda: lineage.extend(trace, *PLACE, "f"), number=10_000, repeat=5))
    assert best_s / 10_000 < 2e-6
