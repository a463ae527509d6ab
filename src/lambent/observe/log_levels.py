"""How detailed a log event is, and which events a level lets through. Pure.

Only functions that log in JSON are filtered. A frame of the runtime client tells its level; anything
else is read as AWS reads it: a JSON object by its ``level``, whatever has none is ``INFO``.

Source: "Log-level filtering" in the AWS Lambda guide; the frame types in awslambdaric's
``lambda_runtime_log_utils.py``.
"""

import json
from typing import Final

RANKS: Final = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}
"""The levels AWS knows, by growing weight: Python's numbers."""
_NAMES: Final = RANKS | {"WARNING": 30, "CRITICAL": 50}
_FRAMES: Final = {0x08: 10, 0x0C: 20, 0x10: 30, 0x14: 40, 0x18: 50}
_FRAME_LEVEL: Final = 0x1C
"""The bits of a frame type's last byte that are its level; the lower two tell JSON from text."""


class LevelFilter:
    """Lets through what is at least as grave as ``level``, one of :data:`RANKS`."""

    __slots__ = ("_least",)

    def __init__(self, level: str) -> None:
        self._least = RANKS[level]

    def keeps_frame(self, kind: int, message: bytes) -> bool:
        """``kind`` is the last byte of the frame's type; one without a level is read as a line."""
        rank = _FRAMES.get(kind & _FRAME_LEVEL)
        return self.keeps_line(message) if rank is None else rank >= self._least

    def keeps_line(self, line: bytes) -> bool:
        """A line of a pipe."""
        return line_rank(line) >= self._least


def line_rank(line: bytes) -> int:
    """The rank of a JSON object's ``level``; ``INFO`` for what is none or has none that AWS knows."""
    if not line.startswith(b"{"):
        return RANKS["INFO"]
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return RANKS["INFO"]
    level = document.get("level")
    return _NAMES.get(level.upper(), RANKS["INFO"]) if isinstance(level, str) else RANKS["INFO"]
