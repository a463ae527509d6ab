"""``wildcard``: ``*`` is any run of characters, none included; ``\\*`` and ``\\\\`` are themselves.

A string is matched in one pass: each piece between wildcards is sought where the last one ended,
so the time is linear in the string whatever the pattern. AWS refuses patterns its automaton would
grow too large for ("Rule is too complex"); there is no such growth here, so they are accepted.
"""

from collections.abc import Callable

from lambent.patterns.errors import PatternError


def wildcard_test(pattern: str) -> Callable[[str], bool]:
    """A test of strings.

    Raises:
        PatternError: two wildcards in a row, or a backslash before anything else.
    """
    pieces = _pieces(pattern)
    if len(pieces) == 1:
        whole = pieces[0]
        return lambda text: text == whole
    first, last, middle = pieces[0], pieces[-1], tuple(pieces[1:-1])
    at_least = len(first) + len(last)

    def matches(text: str) -> bool:
        if len(text) < at_least or not (text.startswith(first) and text.endswith(last)):
            return False
        position, end = len(first), len(text) - len(last)
        for piece in middle:
            position = text.find(piece, position, end)
            if position < 0:
                return False
            position += len(piece)
        return True

    return matches


def _pieces(pattern: str) -> list[str]:
    """The text between wildcards, escapes resolved: one piece more than there are wildcards."""
    pieces: list[list[str]] = [[]]
    index = 0
    while index < len(pattern):
        character = pattern[index]
        following = pattern[index + 1 : index + 2]
        if character == "*":
            if following == "*":
                raise PatternError(f"Consecutive wildcard characters at pos {_at(pattern, index)}")
            pieces.append([])
        elif character == "\\":
            if following not in {"*", "\\"}:
                raise PatternError(f"Invalid escape character at pos {_at(pattern, index)}")
            pieces[-1].append(following)
            index += 1
        else:
            pieces[-1].append(character)
        index += 1
    return ["".join(piece) for piece in pieces]


def _at(pattern: str, index: int) -> int:
    """AWS's position: in UTF-8 bytes, with the opening quote counted."""
    return len(pattern[:index].encode("utf-8", "surrogatepass")) + 1
