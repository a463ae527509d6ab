"""Every topic and subscription, parsed: what the store's records say, in memory.

Only the loop's thread changes it, after a commit. Values are frozen and replaced whole, so the store's thread may
read it while a transaction runs.
"""

from collections.abc import Iterator

from lambent.services.sns.subscription import State, Subscription
from lambent.services.sns.topic import Topic


class Directory:
    """Topics by ARN, subscriptions by ARN, by topic and by token."""

    def __init__(self) -> None:
        self.topics: dict[str, Topic] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self._by_topic: dict[str, tuple[str, ...]] = {}
        self._by_token: dict[str, str] = {}

    def put_topic(self, topic: Topic) -> None:
        """Adds or replaces one."""
        self.topics[topic.arn] = topic

    def remove_topic(self, arn: str) -> None:
        """Forgets one and its subscriptions."""
        self.topics.pop(arn, None)
        for subscription in tuple(self.of_topic(arn)):
            self.remove_subscription(subscription.arn)

    def put_subscription(self, subscription: Subscription) -> None:
        """Adds or replaces one."""
        before = self.subscriptions.get(subscription.arn)
        if before is None:
            siblings = self._by_topic.get(subscription.topic_arn, ())
            self._by_topic[subscription.topic_arn] = (*siblings, subscription.arn)
        elif before.token != subscription.token:
            self._by_token.pop(before.token, None)
        self.subscriptions[subscription.arn] = subscription
        if subscription.token:
            self._by_token[subscription.token] = subscription.arn

    def remove_subscription(self, arn: str) -> None:
        """Forgets one."""
        gone = self.subscriptions.pop(arn, None)
        if gone is None:
            return
        self._by_token.pop(gone.token, None)
        left = tuple(name for name in self._by_topic.get(gone.topic_arn, ()) if name != arn)
        if left:
            self._by_topic[gone.topic_arn] = left
        else:
            self._by_topic.pop(gone.topic_arn, None)

    def of_topic(self, topic_arn: str) -> Iterator[Subscription]:
        """A topic's subscriptions in whatever state, oldest first."""
        for arn in self._by_topic.get(topic_arn, ()):
            found = self.subscriptions.get(arn)
            if found is not None:
                yield found

    def visible(self, arn: str) -> Subscription | None:
        """The subscription, unless it was deactivated."""
        found = self.subscriptions.get(arn)
        return None if found is None or found.state is State.DEACTIVATED else found

    def by_token(self, token: str) -> Subscription | None:
        """The subscription a token confirms."""
        arn = self._by_token.get(token)
        return self.subscriptions.get(arn) if arn else None

    def clear(self) -> None:
        """Forgets everything."""
        self.topics.clear()
        self.subscriptions.clear()
        self._by_topic.clear()
        self._by_token.clear()
