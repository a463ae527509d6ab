"""Compiled patterns: the one thing consumers keep and match events with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambent.patterns.dialects import Dialect
from lambent.patterns.grammar import parse_pattern
from lambent.patterns.matcher import Check, compile_branch


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that compiled. Immutable, safe to share between threads."""

    dialect: Dialect
    fields: frozenset[str]
    """Every field the pattern names, steps joined by dots."""
    checks: tuple[Check, ...] = field(repr=False)

    def matches(self, document: Any) -> bool:
        """Whether a parsed JSON document matches; what is no object matches nothing.

        Never raises, whatever the document. Takes microseconds: linear in the fields named, the
        values found there, and the keys of the objects on the way.

        AWS: a message without attributes matches no attribute policy, not even ``exists: false``.
        """
        if type(document) is not dict:
            return False
        if not document and self.dialect is Dialect.SNS_ATTRIBUTES and self.fields:
            return False
        return any(check(document) for check in self.checks)


def compile_pattern(source: str | Mapping[str, Any], dialect: Dialect) -> Pattern:
    """Compiles the text of a pattern, or the object already parsed from it.

    Raises:
        PatternError: the only error; its ``reason`` is AWS's wording where known. Bounded time:
            text, depth and the combinations of ``$or`` are limited (see ``dialects``).
    """
    branches = parse_pattern(source, dialect)
    fields = frozenset(name for branch in branches for name in branch)
    return Pattern(dialect, fields, tuple(map(compile_branch, branches)))
