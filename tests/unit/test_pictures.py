"""The pictures of the lifecycles show what the tables say."""

import importlib.util
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import pytest

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SVG = "{http://www.w3.org/2000/svg}"


def drawing() -> ModuleType:
    """The program that draws them, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("lifecycles", PICTURES / "lifecycles.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawn(name: str) -> set[tuple[str, str, str]]:
    """State, event, state after, of every arrow in the picture."""
    root = ET.parse(PICTURES / f"{name}.svg").getroot()
    arrows = set()
    for group in root.iter(f"{SVG}g"):
        if group.get("class") == "edge":
            ends, label = group.find(f"{SVG}title"), group.find(f"{SVG}text")
            assert ends is not None
            assert label is not None
            before, _, after = (ends.text or "").partition("->")
            arrows.add((before, (label.text or "").strip(), after))
    return arrows


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("environment", drawing().environment_moves),
        ("event-source-mapping", drawing().mapping_moves),
    ],
)
def test_a_picture_has_the_moves_of_its_table(
    name: str, moves: Callable[[], Iterable[tuple[str, str, str]]]
) -> None:
    """Every move is an arrow and every arrow a move: ``scripts/pictures`` draws what changed."""
    assert drawn(name) == set(moves())
