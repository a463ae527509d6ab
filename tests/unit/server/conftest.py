"""An edge whose parts are small fakes."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambent.invoke.counting import Counting
from lambent.invoke.frontend import Frontend
from lambent.invoke.placement import Placement
from lambent.model.call import Call, Result
from lambent.model.errors import not_found
from lambent.model.invocation import Target
from lambent.server.edge import Edge
from lambent.server.internal import Internal
from lambent.server.invoke_route import InvokeRoute
from lambent.server.operations import Operations
from lambent.server.stream_route import StreamRoute
from lambent.testing.ask import Answer, ask
from lambent.testing.node import FakeNode, make_spec


class Minted:
    """Credentials of some function's role."""

    account_id = "111122223333"
    principal_arn = "arn:aws:sts::111122223333:assumed-role/r/f"


class Place:
    """A platform's edge over one function ``f``, a fake node and operations given by tests."""

    def __init__(self) -> None:
        self.node = FakeNode()
        self.asked: list[tuple[str, str, str, str | None]] = []
        self.operations: dict[str, Callable[[Any, Call], Result]] = {}
        self.services: dict[str, Callable[[Any, Call], Result]] = {}
        self.awaited: dict[str, Callable[[Any, Call], Awaitable[Result]]] = {}
        self.after: Callable[[], None] = lambda: None
        self.control_thread = ThreadPoolExecutor(1, "control")
        self.resets = 0
        self.accepted: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self._edge: Edge | None = None

    def resolve(self, account_id: str, region: str, name: str, qualifier: str | None) -> Target:
        """Is its own directory: every ``f`` exists, nothing else does."""
        self.asked.append((account_id, region, name, qualifier))
        if not name.endswith("f"):
            raise not_found(f"Function not found: {name}")
        return Target("arn:f", make_spec(version="7"))

    async def accept(self, *event: Any, **more: Any) -> str:
        """Is its own event queue: every event of an ``f`` is taken."""
        self.resolve(*event[:4])
        self.accepted.append((event, more))
        return str(more["trace"])

    def look_up(self, key: str) -> Minted | None:
        return Minted() if key == "ASIAMINTED" else None

    @property
    def edge(self) -> Edge:
        """Made at first use, of what the test has set by then."""
        if self._edge is None:
            self.placement = Placement(self.node, 10, 300)
            frontend = Frontend(self, Counting(10), self.placement)
            slices: Mapping[str, Any] = {
                "lambda": (self.operations, self),
                "sts": (self.services, self),
            }
            self._edge = Edge(
                InvokeRoute(frontend, self.look_up, self),
                Operations(slices, {"sqs": (self.awaited, self)}),
                Internal(lambda: {"status": "ok"}, self.reset, {"a" * 64: b"zip"}.get),
                self.look_up,
                self.control_thread,
                self.after,
                stream_route=StreamRoute(frontend, self.look_up),
            )
        return self._edge

    async def reset(self) -> None:
        self.resets += 1

    async def ask(self, *request: Any, **more: Any) -> Answer:
        """One request on the platform's port."""
        return await ask(self.edge.handle, *request, **more)

    def close(self) -> None:
        self.control_thread.shutdown()
        if self._edge is not None:
            self._edge.close()


@pytest.fixture
def place() -> Iterator[Place]:
    """An edge over fakes; its threads end with the test."""
    made = Place()
    yield made
    made.close()
