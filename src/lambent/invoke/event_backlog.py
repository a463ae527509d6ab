"""One function's events as the pump sees them: how many at once, whether some wait, when the next is due."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lambent.invoke.event_clock import Clock, Handle
from lambent.invoke.event_window import Window
from lambent.invoke.events import Function


@dataclass(eq=False, slots=True)
class Backlog:
    """``may_wait``: some may be there to be received."""

    function: Function
    window: Window = field(default_factory=Window)
    may_wait: bool = False
    is_receiving: bool = False
    timer: Handle | None = None
    due_at_ms: int = 0

    def set_timer(self, clock: Clock, when_ms: int, wake: Callable[["Backlog"], None]) -> None:
        """Wakes the function then, unless it is woken earlier anyway."""
        if self.timer is not None and self.due_at_ms <= when_ms:
            return
        self.forget_timer()
        self.due_at_ms = when_ms

        def ring() -> None:
            self.timer = None
            wake(self)

        self.timer = clock.call_at(when_ms, ring)

    def forget_timer(self) -> None:
        """Nothing wakes it by time any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
