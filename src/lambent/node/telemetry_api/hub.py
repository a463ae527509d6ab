"""The telemetry of one environment: every event once, to whoever subscribed to its kind.

While subscribing is possible the events so far are kept, so that a subscriber gets those from before it
subscribed as well. Source: the ``relay`` of AWS's runtime interface emulator (managed instances).
"""

from lambent.node.telemetry_api.delivery import Connect
from lambent.node.telemetry_api.records import line_event
from lambent.node.telemetry_api.subscriber import Subscriber
from lambent.node.telemetry_api.subscription import Subscription

MAX_EARLY_EVENTS = 1_000
MAX_EARLY_BYTES = 256 * 1024
"""POLICY: what is kept for subscribers to come; later events of Init are not kept for them."""


class Hub:
    """See the module. ``embeds_json``: whether the function's log format is JSON."""

    def __init__(self, connect: Connect, *, embeds_json: bool = False) -> None:
        self._connect = connect
        self._embeds_json = embeds_json
        self._subscribers: dict[str, Subscriber] = {}
        self._early: list[tuple[str, int, bytes]] | None = []
        self._early_bytes = 0
        self._is_paused = False

    def subscribe(self, name: str, subscription: Subscription) -> None:
        """From now on, and what came so far. AWS: a second subscription takes the first one's place."""
        former = self._subscribers.pop(name, None)
        if former is not None:
            former.close()
        subscriber = self._subscribers[name] = Subscriber(subscription, self._connect)
        for kind, at_ms, data in self._early or ():
            self._give(subscriber, kind, at_ms, data)

    def close_subscribing(self) -> None:
        """Nobody else will come."""
        self._early = None

    def platform(self, event: bytes) -> None:
        """A record of the platform, a whole document."""
        self._publish("platform", 0, event)

    def line(self, kind: str, at_ms: int, line: bytes) -> None:
        """A line of the ``function`` or of an ``extension``."""
        self._publish(kind, at_ms, line)

    def _publish(self, kind: str, at_ms: int, data: bytes) -> None:
        early = self._early
        if early is not None and len(early) < MAX_EARLY_EVENTS:
            self._early_bytes += len(data)
            if self._early_bytes <= MAX_EARLY_BYTES:
                early.append((kind, at_ms, data))
        for subscriber in self._subscribers.values():
            self._give(subscriber, kind, at_ms, data)

    def _give(self, subscriber: Subscriber, kind: str, at_ms: int, data: bytes) -> None:
        subscription = subscriber.subscription
        if kind not in subscription.types:
            return
        if kind != "platform":
            embeds = self._embeds_json and subscription.embeds_json
            data = line_event(at_ms, kind, data, embeds_json=embeds)
        subscriber.add(data)

    def pause(self) -> None:
        """The environment is being frozen."""
        self._is_paused = True
        for subscriber in self._subscribers.values():
            subscriber.pause()

    def resume(self) -> None:
        """It goes on."""
        if self._is_paused:
            self._is_paused = False
            for subscriber in self._subscribers.values():
                subscriber.resume()

    def flush(self) -> None:
        """The environment is ending: what waits goes out now."""
        for subscriber in self._subscribers.values():
            subscriber.flush()

    def close(self) -> None:
        """The environment is gone."""
        for subscriber in self._subscribers.values():
            subscriber.close()
