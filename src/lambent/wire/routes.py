"""The route table of one REST service: method and path → operation and labels.

Rules: a literal segment wins over a label, a label over a greedy one (``{Key+}``); labels are never
empty; of several operations on one path the one whose static query (``?list-type=2``) and
distinguishing required members (``uploadId``) are there wins, the most demanding first. A trailing
slash is forgiven.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

_LABEL = re.compile(r"^\{([^}+]+)(\+?)\}$")


@dataclass(frozen=True, slots=True)
class Route:
    """One operation at one path. ``query`` pairs have value None when only the name counts."""

    operation: str
    labels: tuple[str, ...]
    query: tuple[tuple[str, str | None], ...]
    required_query: frozenset[str]
    required_headers: frozenset[str]
    deprecated: bool

    def rank(self) -> tuple[int, int, bool, str]:
        """Sorts the most demanding first, deprecated ones last."""
        required = len(self.required_query) + len(self.required_headers)
        return (-len(self.query), -required, self.deprecated, self.operation)

    def asked_by(self, query: Mapping[str, str]) -> bool:
        """The static query is there."""
        return all(
            name in query and (value is None or query[name] == value) for name, value in self.query
        )

    def distinguished_by(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        """The required query and header members are there."""
        return self.required_query <= query.keys() and self.required_headers <= headers.keys()


@dataclass(slots=True)
class _Node:
    literals: "dict[str, _Node]" = field(default_factory=dict)
    label: "_Node | None" = None
    greedy: list[tuple[tuple[str, ...], list[Route]]] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)


class RouteTable:
    """All routes of a service, by method."""

    def __init__(self, service_model: Any) -> None:
        self._methods: dict[str, _Node] = {}
        for name in service_model.operation_names:
            self._add(service_model.operation_model(name))
        for root in self._methods.values():
            _sort(root)

    def _add(self, operation: Any) -> None:
        path, _, query = operation.http["requestUri"].partition("?")
        node = self._methods.setdefault(operation.http["method"], _Node())
        segments = _segments(path)
        labels = []
        for at, segment in enumerate(segments):
            label = _LABEL.match(segment)
            if label is None:
                node = node.literals.setdefault(segment, _Node())
                continue
            labels.append(label[1])
            if label[2]:
                route = _route(operation, tuple(labels), query)
                _add_greedy(node, tuple(segments[at + 1 :]), route)
                return
            node.label = node.label or _Node()
            node = node.label
        node.routes.append(_route(operation, tuple(labels), query))

    def match(
        self, method: str, path: str, query: str, headers: Mapping[str, str]
    ) -> tuple[str, dict[str, str]] | None:
        """The operation and its decoded labels, or None when no operation is at this method and
        path."""
        root = self._methods.get(method)
        if root is None:
            return None
        raw = path.split("/")[1:]
        # The query decides between routes of one path only; most services have one route a path.
        found = _walk(root, raw, 0, ())
        if found is None and raw and raw[-1] == "":
            found = _walk(root, raw[:-1], 0, ())
        if found is None:
            return None
        routes, values = found
        route = _choose(routes, query, headers)
        if route is None:
            return None
        return route.operation, dict(
            zip(route.labels, (unquote(value) for value in values), strict=True)
        )


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _route(operation: Any, labels: tuple[str, ...], query: str) -> Route:
    pairs = tuple(
        (name, value if "=" in query else None)
        for name, value in parse_qsl(query, keep_blank_values=True)
    )
    # "?select&select-type=2": a bare name asks for its presence only.
    bare = {part for part in query.split("&") if "=" not in part}
    needed: dict[str, set[str]] = {"querystring": set(), "header": set()}
    shape = operation.input_shape
    for name in shape.required_members if shape is not None else ():
        member = shape.members[name]
        location = member.serialization.get("location")
        if location in needed:
            needed[location].add(member.serialization.get("name", name))
    return Route(
        operation=operation.name,
        labels=labels,
        query=tuple((name, None if name in bare else value) for name, value in pairs),
        required_query=frozenset(needed["querystring"]),
        required_headers=frozenset(name.lower() for name in needed["header"]),
        deprecated=bool(operation.deprecated),
    )


def _add_greedy(node: _Node, suffix: tuple[str, ...], route: Route) -> None:
    for known, routes in node.greedy:
        if known == suffix:
            routes.append(route)
            return
    node.greedy.append((suffix, [route]))


def _sort(node: _Node) -> None:
    node.routes.sort(key=Route.rank)
    for _, routes in node.greedy:
        routes.sort(key=Route.rank)
    node.greedy.sort(key=lambda entry: -len(entry[0]))
    for child in node.literals.values():
        _sort(child)
    if node.label is not None:
        _sort(node.label)


def _walk(
    node: _Node, raw: list[str], at: int, values: tuple[str, ...]
) -> tuple[list[Route], tuple[str, ...]] | None:
    if at == len(raw):
        return (node.routes, values) if node.routes else None
    segment = raw[at]
    child = node.literals.get(segment)
    found = _walk(child, raw, at + 1, values) if child is not None else None
    if found is None and node.label is not None and segment:
        found = _walk(node.label, raw, at + 1, (*values, segment))
    return found or _walk_greedy(node, raw, at, values)


def _walk_greedy(
    node: _Node, raw: list[str], at: int, values: tuple[str, ...]
) -> tuple[list[Route], tuple[str, ...]] | None:
    for suffix, routes in node.greedy:
        end = len(raw) - len(suffix)
        if end > at and tuple(raw[end:]) == suffix:
            value = "/".join(raw[at:end])
            if value:
                return routes, (*values, value)
    return None


def _choose(routes: list[Route], query: str, headers: Mapping[str, str]) -> Route | None:
    if len(routes) == 1 and not routes[0].query:
        return routes[0]
    given = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    asked = [route for route in routes if route.asked_by(given)]
    if not asked:
        return None
    alike = [route for route in asked if route.query == asked[0].query]
    return _first(route for route in alike if route.distinguished_by(given, headers)) or alike[-1]


def _first(routes: Iterable[Route]) -> Route | None:
    return next(iter(routes), None)


@cache
def route_table(service_model: Any) -> RouteTable:
    """The route table of one service, built once."""
    return RouteTable(service_model)
