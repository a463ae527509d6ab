"""The table of what the parity cases covered, printed at the end of a run: operation, success, errors, members.

An error is tested, or cannot arise here (``n/a``, with its reason in ``parity_exemptions``), or is missing.

It is made of the reports of the cases that passed, so it is the same when they ran in several processes.
The hooks are pytest's: ``tests/conftest.py`` has them, since the process that prints collects nothing itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lambent.control.registry import OPERATIONS
from lambent.server.invoke_route import OPERATIONS as INVOCATIONS
from lambent.testing.parity import Case
from lambent.testing.parity_exemptions import why_never
from lambent.wire.catalogue import operation_names
from lambent.wire.models import operation_model

Row = tuple[str, str, list[str]]
"""Operation, error code ("" for a success), the members of the input that were given."""

NOT_OF_THE_REQUEST = frozenset({"ServiceException", "TooManyRequestsException"})
"""Documented for nearly every operation, and of the platform's health: no request alone leads there."""


_NAMED = 6
"""POLICY: so many errors are named in a line of the table."""


def pytest_runtest_setup(item: Any) -> None:
    """Notes in the report what a case is about."""
    spec = getattr(item, "callspec", None)
    case = spec.params.get("case") if spec is not None else None
    if isinstance(case, Case):
        code = case.error[0] if case.error else ""
        item.user_properties.append(
            ("parity", (case.operation, code, sorted(given_members(case.parameters))))
        )


def given_members(parameters: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The paths of all members in parameters."""
    for name, value in parameters.items():
        yield f"{prefix}{name}"
        inner = value[0] if isinstance(value, list) and value else value
        if isinstance(inner, Mapping):
            yield from given_members(inner, f"{prefix}{name}.")


def all_members(shape: Any, prefix: str = "", inside: tuple[str, ...] = ()) -> Iterator[str]:
    """The paths of all members of an input shape; a map's keys are nobody's members."""
    if shape is None or shape.name in inside:
        return
    for name, member in shape.members.items():
        yield f"{prefix}{name}"
        inner = member.member if member.type_name == "list" else member
        if inner.type_name == "structure":
            yield from all_members(inner, f"{prefix}{name}.", (*inside, shape.name))


def documented_errors(operation: str) -> frozenset[str]:
    """The errors of an operation in the model that a request alone can lead to."""
    shapes = operation_model("lambda", operation).error_shapes
    return frozenset(shape.name for shape in shapes) - NOT_OF_THE_REQUEST


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints the table: operation, success, errors, members; then what is refused."""
    rows = [
        value
        for report in terminalreporter.stats.get("passed", ())
        for name, value in report.user_properties
        if name == "parity"
    ]
    if not rows:
        return
    terminalreporter.write_sep("=", "parity with AWS Lambda")
    for line in table(rows):
        terminalreporter.write_line(line)


def table(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of the table."""
    codes: dict[str, set[str]] = defaultdict(set)
    members: dict[str, set[str]] = defaultdict(set)
    for operation, code, given in rows:
        codes[operation].add(code)
        members[operation].update(given)
    yield f"{'operation':<40} success  errors  n/a  members  missing"
    totals = [0, 0, 0, 0, 0]
    for operation in sorted(codes):
        documented = documented_errors(operation)
        every = set(all_members(operation_model("lambda", operation).input_shape))
        untested = documented - codes[operation]
        missing = {code for code in untested if why_never(operation, code) is None}
        counts = (
            len(documented) - len(untested),
            len(documented),
            len(untested) - len(missing),
            len(every & members[operation]),
            len(every),
        )
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        yield _line(operation, "yes" if "" in codes[operation] else "no", counts, missing)
    yield _line(f"{len(codes)} operations", "", totals, ())
    registered = set(OPERATIONS) | INVOCATIONS
    refused = [name for name in operation_names("lambda") if name not in registered]
    yield f"refused ({len(refused)}): {', '.join(refused)}"


def _line(title: str, success: str, counts: Any, missing: Iterable[str]) -> str:
    errors, documented, never, given, every = counts
    found = sorted(name.removesuffix("Exception") for name in missing)
    names = ", ".join(found[:_NAMED]) + (
        f" and {len(found) - _NAMED} more" if found[_NAMED:] else ""
    )
    counted = f"{errors:>2}/{documented:<3}  {never:>3}  {given:>3}/{every:<4}"
    return f"{title:<40} {success:<7}  {counted}  {names}".rstrip()
