"""What the cases cover, counted from their tables: it may grow, and not shrink."""

from collections import defaultdict
from collections.abc import Callable

from lambent.control.registry import OPERATIONS
from lambent.server.invoke_route import OPERATIONS as INVOCATIONS
from lambent.testing.parity import Case
from lambent.testing.parity_exemptions import EVERYWHERE, FOR_OPERATIONS, why_never
from lambent.testing.parity_table import all_members, given_members
from lambent.wire.models import operation_model

ERRORS_COVERED = 168
"""The least number of errors, by operation, that the model documents and cases lead to. Raise it with new ones."""
MEMBERS_GIVEN = 478
"""The least number of members, of all operations' inputs, that cases give. Raise it with new ones."""


def test_every_operation_has_a_success(all_cases: list[Case]) -> None:
    """What is registered is shown to work, and invocations as well."""
    shown = {case.operation for case in all_cases if case.error is None}
    assert sorted({*OPERATIONS, *INVOCATIONS} - shown) == []


def test_the_errors_covered_do_not_shrink(
    all_cases: list[Case], documented: Callable[[str], frozenset[str]]
) -> None:
    """A documented error that a case led to keeps its case."""
    covered = {(case.operation, case.error[0]) for case in all_cases if case.error is not None}
    covered = {(operation, code) for operation, code in covered if code in documented(operation)}
    assert len(covered) >= ERRORS_COVERED


def test_every_documented_error_is_tested_or_cannot_arise(
    all_cases: list[Case], documented: Callable[[str], frozenset[str]]
) -> None:
    """Of each error that the model documents there is a case, or the reason why no request leads to it here."""
    covered = {(case.operation, case.error[0]) for case in all_cases if case.error is not None}
    missing = {
        (operation, code)
        for operation in (*OPERATIONS, *INVOCATIONS)
        for code in documented(operation)
        if (operation, code) not in covered and why_never(operation, code) is None
    }
    assert missing == set()


def test_an_exemption_is_of_a_documented_error(
    documented: Callable[[str], frozenset[str]],
) -> None:
    """None outlives the operation or the error it was for."""
    there = {(name, code) for name in (*OPERATIONS, *INVOCATIONS) for code in documented(name)}
    assert set(FOR_OPERATIONS) <= there
    assert set(EVERYWHERE) <= {code for _, code in there}


def test_the_members_given_do_not_shrink(all_cases: list[Case]) -> None:
    """A member of an input that a case gives keeps its case."""
    given: dict[str, set[str]] = defaultdict(set)
    for case in all_cases:
        given[case.operation] |= set(given_members(case.parameters))
    found = 0
    for operation in (*OPERATIONS, *INVOCATIONS):
        shape = operation_model("lambda", operation).input_shape
        found += len(set(all_members(shape)) & given[operation])
    assert found >= MEMBERS_GIVEN


def test_cases_are_told_apart(all_cases: list[Case]) -> None:
    """No two have one name, and each names its source."""
    names = [str(case) for case in all_cases]
    assert len(names) == len(set(names))
    assert all(case.source for case in all_cases)
