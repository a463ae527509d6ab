"""JSON filter patterns: ``{ ($.level = "ERROR" || $.n > 3) && $.user.id NOT EXISTS }``. Pure.

A condition holds for a string or number at its selector; ``=`` and ``!=`` are both false for an
object, array, boolean, null or nothing, which ``IS TRUE|FALSE|NULL`` and ``NOT EXISTS`` ask for.
``*`` at the beginning or end of a value stands for any text; ``[*]`` in a selector for any element.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from lambent.model.errors import not_yet
from lambent.services.logs.pattern_error import InvalidPattern

MAX_NESTING: Final = 64
"""POLICY: parentheses inside parentheses; keeps the parser off Python's recursion limit."""

Step = str | int | None
"""A property, an index, or None for every element."""

_SPACE: Final = re.compile(r"\s*")
_STEP: Final = re.compile(
    r"""\.?\[\s*(?:(?P<any>\*)|(?P<index>\d{1,9})|'(?P<single>[^']*)'|"(?P<double>[^"]*)")\s*\]"""
    r"|\.(?P<name>[\w-]+)"
)
_WORD: Final = re.compile(r"""(IS|NOT)\s+(TRUE|FALSE|NULL|EXISTS)\b""")
_COMPARE: Final = re.compile(r"<=|>=|!=|=|<|>")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE: Final = re.compile(r"""[^\s(){}&|"'=<>!%,]+""")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_MISSING: Final = object()
_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_STATES: Final[dict[tuple[str, str], Any]] = {
    ("IS", "TRUE"): True,
    ("IS", "FALSE"): False,
    ("IS", "NULL"): None,
    ("NOT", "EXISTS"): _MISSING,
}


class _Condition(Protocol):
    def holds(self, document: Any) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Is:
    """``IS TRUE|FALSE|NULL`` and ``NOT EXISTS``."""

    path: tuple[Step, ...]
    wanted: Any

    def holds(self, document: Any) -> bool:
        found = list(_values(document, self.path))
        if self.wanted is _MISSING:
            return not found
        return any(value is self.wanted for value in found)


@dataclass(frozen=True, slots=True)
class _Number:
    """A comparison with a number; ``=`` and ``!=`` take the same digits in a string too."""

    path: tuple[Step, ...]
    sign: str
    wanted: float
    text: str

    def holds(self, document: Any) -> bool:
        return any(self._fits(value) for value in _values(document, self.path))

    def _fits(self, value: Any) -> bool:
        if isinstance(value, str) and self.sign in {"=", "!="}:
            return _OPERATORS[self.sign](value, self.text)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return _OPERATORS[self.sign](value, self.wanted)


@dataclass(frozen=True, slots=True)
class _Text:
    """``=`` or ``!=`` with a text that may begin or end with ``*``."""

    path: tuple[Step, ...]
    negative: bool
    wanted: str
    open_start: bool
    open_end: bool

    def holds(self, document: Any) -> bool:
        return any(self._fits(value) for value in _values(document, self.path))

    def _fits(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return False
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return self._same(text) != self.negative

    def _same(self, text: str) -> bool:
        if self.open_start and self.open_end:
            return self.wanted in text
        if self.open_start:
            return text.endswith(self.wanted)
        if self.open_end:
            return text.startswith(self.wanted)
        return text == self.wanted


@dataclass(frozen=True, slots=True)
class _Group:
    """All of the parts, or any of them."""

    parts: tuple[_Condition, ...]
    every: bool

    def holds(self, document: Any) -> bool:
        combine = all if self.every else any
        return combine(part.holds(document) for part in self.parts)


@dataclass(frozen=True, slots=True)
class JsonPattern:
    """Matches messages that are JSON objects for which the condition holds."""

    condition: _Condition

    def matches(self, message: str) -> bool:
        """A message that is not a JSON object never matches."""
        if not message.lstrip().startswith("{"):
            return False
        try:
            document = msgspec.json.decode(message)
        except (msgspec.DecodeError, RecursionError):
            return False
        return self.condition.holds(document)


def parse_json_pattern(text: str) -> JsonPattern:
    """``text`` begins with ``{``. Raises :class:`InvalidPattern`."""
    parser = _Parser(text)
    parser.take("{")
    condition = parser.any_of(0)
    parser.take("}")
    parser.end()
    return JsonPattern(condition)


class _Parser:
    """Recursive descent: ``||`` binds less than ``&&``, parentheses most."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._skip()

    def take(self, mark: str) -> None:
        if not self._accept(mark):
            raise self._error()

    def end(self) -> None:
        if self._at < len(self._text):
            raise self._error()

    def any_of(self, depth: int) -> _Condition:
        parts = [self._all_of(depth)]
        while self._accept("||"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else _Group(tuple(parts), every=False)

    def _all_of(self, depth: int) -> _Condition:
        parts = [self._one(depth)]
        while self._accept("&&"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else _Group(tuple(parts), every=True)

    def _one(self, depth: int) -> _Condition:
        if self._accept("("):
            if depth >= MAX_NESTING:
                raise InvalidPattern("Invalid filter pattern: too many nested parentheses")
            condition = self.any_of(depth + 1)
            self.take(")")
            return condition
        path = self._selector()
        word = self._match(_WORD)
        if word is not None:
            state = (word[1], word[2])
            if state not in _STATES:
                raise self._error()
            return _Is(path, _STATES[state])
        compare = self._match(_COMPARE)
        if compare is None:
            raise self._error()
        return self._comparison(path, compare[0])

    def _selector(self) -> tuple[Step, ...]:
        if not self._text.startswith("$", self._at):
            raise self._error()
        self._at += 1
        path: list[Step] = []
        while found := _STEP.match(self._text, self._at):
            self._at = found.end()
            path.append(_step(found))
        if not path:
            raise self._error()
        self._skip()
        return tuple(path)

    def _comparison(self, path: tuple[Step, ...], sign: str) -> _Condition:
        if self._text.startswith("%", self._at):
            raise not_yet("regular expressions in filter patterns")
        quoted = self._match(_QUOTED)
        bare = None if quoted else self._match(_BARE)
        if bare is not None and _NUMBER.fullmatch(bare[0]):
            return _Number(path, sign, float(bare[0]), bare[0])
        if sign not in {"=", "!="} or (quoted is None and bare is None):
            raise self._error()
        text = _ESCAPE.sub(r"\1", quoted[1]) if quoted else bare[0] if bare else ""
        open_start, open_end = text.startswith("*"), text.endswith("*")
        wanted = text[open_start : len(text) - open_end] if text != "*" else ""
        return _Text(path, sign == "!=", wanted, open_start, open_end)

    def _accept(self, mark: str) -> bool:
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        self._skip()
        return True

    def _match(self, wanted: re.Pattern[str]) -> re.Match[str] | None:
        found = wanted.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
            self._skip()
        return found

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at

    def _error(self) -> InvalidPattern:
        rest = self._text[self._at :].split()
        if not rest:
            return InvalidPattern("Invalid filter pattern: it ends too early")
        return InvalidPattern(f"Invalid character(s) in term '{rest[0]}'")


def _step(found: re.Match[str]) -> Step:
    if found["any"]:
        return None
    if found["index"]:
        return int(found["index"])
    for name in ("name", "single", "double"):
        if found[name] is not None:
            return found[name]
    raise AssertionError(found)  # pragma: no cover - the expression has no other branch


def _values(document: Any, path: tuple[Step, ...]) -> Iterator[Any]:
    """The values at ``path``: none, one, or with ``[*]`` several."""
    values = [document]
    for step in path:
        values = list(_advance(values, step))
    yield from values


def _advance(values: list[Any], step: Step) -> Iterator[Any]:
    for value in values:
        if isinstance(step, str):
            if isinstance(value, dict) and step in value:
                yield value[step]
        elif isinstance(value, list):
            if step is None:
                yield from value
            elif step < len(value):
                yield value[step]
