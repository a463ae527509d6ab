"""What a codec prepares of each shape (a reader, a writer, a check), built once per service
model."""

from collections.abc import Callable
from typing import Generic, TypeVar

from lambent.wire.models import Shape

T = TypeVar("T")

MAX_DEPTH = 96
"""POLICY: deeper input is refused; no AWS model's own nesting comes near it."""


class ShapeTable(Generic[T]):
    """One ``T`` per shape and traits, made by ``build(shape, table)`` when first asked for.

    ``build`` must not ask for the shape's own members before the thing it returned is first used:
    shapes may contain themselves.
    """

    __slots__ = ("_build", "_made")

    def __init__(self, build: "Callable[[Shape, ShapeTable[T]], T]") -> None:
        self._build = build
        self._made: dict[tuple[str, str], T] = {}

    def of(self, shape: Shape) -> T:
        """The entry for ``shape``; equal shapes of equal traits share it."""
        key = (shape.name, repr(sorted(shape.serialization.items())))
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._build(shape, self)
        return made
