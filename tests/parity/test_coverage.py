"""What the cases cover, counted from their tables: it may grow, and not shrink."""

from collections.abc import Callable

from lambent.control.registry import OPERATIONS
from lambent.testing.parity import Case

ERRORS_COVERED = 141
"""The least number of errors, by operation, that the model documents and cases lead to. Raise it with new ones."""


def test_every_operation_has_a_success(all_cases: list[Case]) -> None:
    """What is registered is shown to work, and Invoke as well."""
    shown = {case.operation for case in all_cases if case.error is None}
    assert sorted({*OPERATIONS, "Invoke"} - shown) == []


def test_the_errors_covered_do_not_shrink(
    all_cases: list[Case], documented: Callable[[str], frozenset[str]]
) -> None:
    """A documented error that a case led to keeps its case."""
    covered = {(case.operation, case.error[0]) for case in all_cases if case.error is not None}
    covered = {(operation, code) for operation, code in covered if code in documented(operation)}
    assert len(covered) >= ERRORS_COVERED


def test_cases_are_told_apart(all_cases: list[Case]) -> None:
    """No two have one name, and each names its source."""
    names = [str(case) for case in all_cases]
    assert len(names) == len(set(names))
    assert all(case.source for case in all_cases)
