"""Who may register, who is waited for, who is told what."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.http1.exchange import Exchange
from lambent.node.extensions_api.answers import Refusal
from lambent.node.extensions_api.registry import MAX_EXTENSIONS, Registry
from lambent.node.extensions_api.states import State
from lambent.testing.node import make_invocation


class Connection:
    """Remembers what was answered."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.closed = False
        self.peer = ""

    def finish(self, exchange: Exchange, status: int, head: bytes, body: bytes) -> None:
        self.answers.append(json.loads(body))

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not expected")


def ask() -> tuple[Exchange, Connection]:
    """A request for the next event."""
    connection = Connection()
    return Exchange(connection, b"GET", b"/", {}), connection


def refused(registry: Registry, name: str, *events: str) -> str:
    """The type with which a registration is refused."""
    with pytest.raises(Refusal) as caught:
        registry.register(name, events)
    return caught.value.error_type


def test_external_extensions_are_waited_for() -> None:
    """The runtime is held back until each has registered, and Init is not over before each has asked."""
    registry = Registry(["a", "b"])
    assert registry.awaits_registration
    a = registry.register("a", ["INVOKE", "SHUTDOWN", "INVOKE"])
    assert a.events == ("INVOKE", "SHUTDOWN")
    assert registry.awaits_registration
    b = registry.register("b", [])
    assert not registry.awaits_registration
    for extension in (a, b):
        assert not registry.is_settled
        registry.wait(extension, ask()[0])
    assert registry.is_settled


def test_refusals() -> None:
    """Unknown events, SHUTDOWN for internal ones, second, late and too many registrations; nothing changes."""
    registry = Registry(["a"])
    assert refused(registry, "a", "START") == "Extension.InvalidEventType"
    assert refused(registry, "in", "SHUTDOWN") == "Extension.InvalidEventType"
    registry.register("a", ["SHUTDOWN"])
    registry.register("in", ["INVOKE"])
    assert refused(registry, "a") == "Extension.InvalidExtensionState"
    assert refused(registry, "in") == "Extension.InvalidExtensionState"
    assert refused(registry, "n" * 129) == "Extension.InvalidExtensionName"
    for number in range(MAX_EXTENSIONS - 2):
        registry.register(f"in{number}", [])
    assert refused(registry, "eleventh") == "Extension.TooManyExtensions"
    assert len(registry) == MAX_EXTENSIONS
    registry.close_registration()
    assert refused(registry, "late") == "Extension.RegistrationClosed"
    with pytest.raises(Refusal) as caught:
        registry.find("nobody")
    assert caught.value.error_type == "Extension.UnknownExtensionIdentifier"


def test_asking_twice_at_once_is_refused() -> None:
    """One request for the next event at a time, with AWS's words."""
    registry = Registry()
    extension = registry.register("in", ["INVOKE"])
    registry.wait(extension, ask()[0])
    with pytest.raises(Refusal, match="State transition from Ready to Ready failed for extension"):
        registry.wait(extension, ask()[0])


def test_each_is_told_what_it_wants_to_hear() -> None:
    """INVOKE with its deadline, SHUTDOWN with its reason; who is not waiting gets it when it asks."""
    registry = Registry(["both", "end"])
    both = registry.register("both", ["INVOKE", "SHUTDOWN"])
    end = registry.register("end", ["SHUTDOWN"])
    exchanges = {e: ask() for e in (both, end)}
    for extension, (exchange, _) in exchanges.items():
        registry.wait(extension, exchange)
    registry.initialised()
    invocation = make_invocation(trace_id="Root=1")
    registry.invoke(invocation, 7)
    assert exchanges[both][1].answers == [
        {
            "eventType": "INVOKE",
            "deadlineMs": 7,
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.invoked_arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1"},
        }
    ]
    assert not registry.is_settled
    assert registry.shut_down("timeout", 9) == [both, end]
    told = {"eventType": "SHUTDOWN", "shutdownReason": "timeout", "deadlineMs": 9}
    assert exchanges[end][1].answers == [told]
    exchange, connection = ask()
    registry.wait(both, exchange)
    assert connection.answers == [told]
    assert both.state is State.RUNNING


def test_who_hung_up_may_ask_again() -> None:
    """A connection that breaks while it waits loses nothing."""
    registry = Registry()
    extension = registry.register("in", ["INVOKE"])
    exchange, _ = ask()
    registry.wait(extension, exchange)
    assert exchange.on_disconnect is not None
    exchange.on_disconnect()
    assert not registry.is_settled
    registry.wait(extension, ask()[0])
    assert registry.is_settled


@given(
    st.lists(st.tuples(st.text(max_size=3), st.lists(st.sampled_from(["INVOKE", "SHUTDOWN", "x"]))))
)
def test_whatever_registers(requests: list[tuple[str, list[str]]]) -> None:
    """There are never more than ten, and each is found by the identifier it was given."""
    registry = Registry(["a"])
    for name, events in requests:
        try:
            extension = registry.register(name, events)
        except Refusal:
            continue
        assert registry.find(extension.identifier) is extension
    assert len(registry) <= MAX_EXTENSIONS
