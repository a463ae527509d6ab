"""Draws the lifecycles as SVG with Graphviz, from the tables that the platform itself moves along."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from lambent.model import event_source_mapping
from lambent.node import lifecycle
from lambent.node.lifecycle import Event, State

HERE = Path(__file__).parent
_STYLE = (
    'bgcolor=white; node [shape=box style="rounded,filled" fillcolor="#eef3fb" color="#4a6fa5" '
    'fontname="sans-serif" fontsize=11]; edge [color="#555555" fontname="sans-serif" fontsize=9]; '
)
_ANYWHERE = "any of these"


def environment_moves() -> Iterable[tuple[str, str, str]]:
    """State, event, state after; the two ends that every living state has are said once."""
    for state, moves in lifecycle.TRANSITIONS.items():
        for event, after in moves.items():
            if event not in {Event.SHUT_DOWN, Event.STOP} or state is State.SHUTDOWN:
                yield state.name, event.name, after.name
    yield _ANYWHERE, Event.SHUT_DOWN.name, State.SHUTDOWN.name
    yield _ANYWHERE, Event.STOP.name, State.STOPPED.name


def mapping_moves() -> Iterable[tuple[str, str, str]]:
    """State, event, state after, of an event source mapping."""
    for state, moves in event_source_mapping.TRANSITIONS.items():
        for event, after in moves.items():
            yield state.value, event.value, after.value


def graph(moves: Iterable[tuple[str, str, str]], direction: str) -> str:
    """The moves in Graphviz's language."""
    edges = [f'"{before}" -> "{after}" [label=" {event} "];' for before, event, after in moves]
    return f"digraph {{ rankdir={direction}; {_STYLE} {' '.join(edges)} }}"


def draw(name: str, source: str) -> None:
    """Writes ``name``.svg."""
    drawn = subprocess.run(
        ["dot", "-Tsvg"],
        input=source,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    (HERE / f"{name}.svg").write_text(drawn.stdout)


if __name__ == "__main__":
    draw("environment", graph(environment_moves(), "TB"))
    draw("event-source-mapping", graph(mapping_moves(), "LR"))
