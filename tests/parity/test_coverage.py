"""What the cases cover, counted from their tables: it may grow, and not shrink."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.control.registry import OPERATIONS
from lambent.testing.parity import Case

ERRORS_COVERED = 139
"""The least number of errors, by operation, that the model documents and cases lead to. Raise it with new ones."""


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Every case there is, whichever tests are run."""
    return [
        case for path in sorted(Path(__file__).parent.glob("test_*.py")) for case in _cases(path)
    ]


def _cases(path: Path) -> list[Case]:
    if path == Path(__file__) or "\nCASES = " not in path.read_text():
        return []
    spec = importlib.util.spec_from_file_location(f"parity_of_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: list[Case] = module.CASES
    return found


def test_every_operation_has_a_success(cases: list[Case]) -> None:
    """What is registered is shown to work, and Invoke as well."""
    shown = {case.operation for case in cases if case.error is None}
    assert sorted({*OPERATIONS, "Invoke"} - shown) == []


def test_the_errors_covered_do_not_shrink(
    cases: list[Case], documented: Callable[[str], frozenset[str]]
) -> None:
    """A documented error that a case led to keeps its case."""
    covered = {(case.operation, case.error[0]) for case in cases if case.error is not None}
    covered = {(operation, code) for operation, code in covered if code in documented(operation)}
    assert len(covered) >= ERRORS_COVERED


def test_cases_are_told_apart(cases: list[Case]) -> None:
    """No two have one name, and each names its source."""
    names = [str(case) for case in cases]
    assert len(names) == len(set(names))
    assert all(case.source for case in cases)
