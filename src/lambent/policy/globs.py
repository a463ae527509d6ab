"""``*`` (any run of characters) and ``?`` (any one), with policy variables that stand for themselves.

A text is matched in one pass over the pieces between the ``*``, so no pattern takes exponential time.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_REMEMBERED_CHARS = 256
_LITERALS = {"*", "?", "$"}

Values = Mapping[str, tuple[str, ...]]
"""Context keys in lower case, each with its values."""


@dataclass(frozen=True, slots=True)
class Template:
    """A string of a policy: with wildcards if ``wild``, with variables unless the policy is old."""

    text: str
    wild: bool = True
    variables: bool = True

    def matches(self, candidate: str, values: Values) -> bool:
        """Whether the candidate matches; a variable without a value matches nothing.

        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
        """
        if not self.variables or "${" not in self.text:
            return glob(self.text)(candidate) if self.wild else self.text == candidate
        regex = self._expand(values)
        return regex is not None and _of_pieces(regex)(candidate)

    def _expand(self, values: Values) -> tuple[tuple[tuple[str, bool], ...], ...] | None:
        """Pieces between ``*``, each of (text, whether ``?`` is a wildcard in it)."""
        pieces: list[list[tuple[str, bool]]] = [[]]
        position = 0
        for variable in _VARIABLE.finditer(self.text):
            _add(pieces, self.text[position : variable.start()], wild=self.wild)
            value = _value_of(variable[1].strip(), values)
            if value is None:
                return None
            pieces[-1].append((value, False))
            position = variable.end()
        _add(pieces, self.text[position:], wild=self.wild)
        return tuple(map(tuple, pieces))


def _value_of(name: str, values: Values) -> str | None:
    """A variable's one value, its default, or the character it escapes."""
    if name in _LITERALS:
        return name
    key, _, quoted = (part.strip() for part in name.partition(","))
    has_default = len(quoted) > 1 and quoted[0] == quoted[-1] == "'"
    default = quoted[1:-1] if has_default else None
    found = values.get(key.lower(), ())
    return found[0] if len(found) == 1 else default


def _add(pieces: list[list[tuple[str, bool]]], text: str, *, wild: bool) -> None:
    first, *others = text.split("*") if wild else [text]
    pieces[-1].append((first, wild))
    pieces.extend([(other, wild)] for other in others)


def glob(pattern: str) -> Callable[[str], bool]:
    """A test of whole strings, case-sensitive. Those of usual length are compiled once."""
    return _remembered(pattern) if len(pattern) <= _REMEMBERED_CHARS else _compile(pattern)


def _compile(pattern: str) -> Callable[[str], bool]:
    return _of_pieces(tuple(((piece, True),) for piece in pattern.split("*")))


_remembered = lru_cache(maxsize=4096)(_compile)


def _of_pieces(pieces: tuple[tuple[tuple[str, bool], ...], ...]) -> Callable[[str], bool]:
    regexes = [re.compile("".join(map(_regex, piece)), re.DOTALL) for piece in pieces]
    lengths = [sum(len(text) for text, _ in piece) for piece in pieces]
    if len(regexes) == 1:
        return lambda text: regexes[0].fullmatch(text) is not None
    first, last, middle = regexes[0], regexes[-1], regexes[1:-1]

    def matches(text: str) -> bool:
        end = len(text) - lengths[-1]
        if end < lengths[0] or not first.match(text) or not last.fullmatch(text, end):
            return False
        position = lengths[0]
        for regex in middle:
            found = regex.search(text, position, end)
            if found is None:
                return False
            position = found.end()
        return True

    return matches


def _regex(part: tuple[str, bool]) -> str:
    text, wild = part
    return re.escape(text).replace(r"\?", ".") if wild else re.escape(text)
