"""Filter patterns: text → a :class:`Pattern` that says whether a message matches. Pure.

``""`` matches everything; ``ERROR "out of memory" -debug ?warn`` is terms; ``{ $.n > 3 }`` is JSON
(:mod:`lambent.services.logs.json_pattern`). Space-delimited (``[w1, w2]``) and regular expression
(``%a.c%``) patterns are refused as not supported yet. Matching is linear in the message.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import re
from dataclasses import dataclass
from typing import Final, Protocol

from lambent.model.errors import not_yet
from lambent.services.logs.json_pattern import parse_json_pattern
from lambent.services.logs.pattern_error import InvalidPattern

__all__ = ["InvalidPattern", "Pattern", "TermsPattern", "parse"]

_TERM: Final = re.compile(r'\s*(?P<sign>[-?]?)\s*(?:"(?P<phrase>(?:[^"\\]|\\.)*)"|(?P<word>\w+))')
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


class Pattern(Protocol):
    """What a message is tested against."""

    def matches(self, message: str) -> bool:
        """Whether the message is one of those asked for."""


@dataclass(frozen=True, slots=True)
class TermsPattern:
    """Case-sensitive parts of the message: all of some, none of others, one of the optional.

    AWS: optional terms (``?a``) count only where no other terms are given.
    """

    required: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def matches(self, message: str) -> bool:
        """Terms match anywhere: ``ERROR`` matches ``ERRORCODE``."""
        if not self.required and not self.excluded:
            return not self.optional or any(term in message for term in self.optional)
        return all(term in message for term in self.required) and not any(
            term in message for term in self.excluded
        )


def parse(text: str) -> Pattern:
    """Raises :class:`InvalidPattern`, or 501 for the kinds that are not supported yet."""
    text = text.strip()
    if text.startswith("{"):
        return parse_json_pattern(text)
    if text.startswith("["):
        raise not_yet("space-delimited filter patterns")
    if text.startswith("%"):
        raise not_yet("regular expressions in filter patterns")
    return _parse_terms(text)


def _parse_terms(text: str) -> TermsPattern:
    terms: dict[str, list[str]] = {"": [], "-": [], "?": []}
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None:
            raise InvalidPattern(f"Invalid character(s) in term '{text[at:].split(maxsplit=1)[0]}'")
        at = found.end()
        phrase = found["phrase"]
        term = found["word"] if phrase is None else _ESCAPE.sub(r"\1", phrase)
        terms[found["sign"]].append(term)
        rest = text[at:].lstrip()
        if rest and rest == text[at:] and rest[0] not in '-?"':
            raise InvalidPattern(f"Invalid character(s) in term '{rest[0]}'")
        at = len(text) - len(rest)
    return TermsPattern(tuple(terms[""]), tuple(terms["-"]), tuple(terms["?"]))
