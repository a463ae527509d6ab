"""A Kafka cluster for tests: librdkafka's mock of one broker, on loopback, with the real protocol.

It keeps topics (four partitions each, made when first named), consumer groups and their offsets in memory,
in the process that made it. It knows no offsets by time, and neither TLS nor SASL.
"""

import time
from collections.abc import Sequence
from typing import Any

PARTITIONS = 4
_DEADLINE_S = 10.0


class MockKafka:
    """Lives until it is closed, or collected. Needs confluent-kafka, of the group ``dev``."""

    def __init__(self) -> None:
        from confluent_kafka import Producer  # noqa: PLC0415 - for tests only

        mocked = {"bootstrap.servers": "mocked", "test.mock.num.brokers": 1, "log_level": 0}
        self._producer: Any = Producer(mocked)
        brokers = self._producer.list_topics(timeout=_DEADLINE_S).brokers.values()
        self.address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def make_topic(self, topic: str) -> None:
        """With partitions that are empty."""
        deadline_s = time.monotonic() + _DEADLINE_S
        while not self._producer.list_topics(topic, timeout=_DEADLINE_S).topics[topic].partitions:
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{topic} was not made")

    def put(
        self,
        topic: str,
        value: bytes | str | None,
        *,
        partition: int = 0,
        key: bytes | str | None = None,
        timestamp_ms: int = 0,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """One message, there when it returns. ``timestamp_ms`` 0 is now."""
        failures: list[Any] = []
        self._producer.produce(
            topic,
            value,
            key=key,
            partition=partition,
            timestamp=timestamp_ms,
            headers=list(headers),
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
        if self._producer.flush(_DEADLINE_S) or failures:
            raise RuntimeError(f"not produced: {failures}")

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition → the group's offset, of those that have one."""
        from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415

        consumer = Consumer({"bootstrap.servers": self.address, "group.id": group, "log_level": 0})
        try:
            asked = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            found = consumer.committed(asked, timeout=_DEADLINE_S)
            return {each.partition: each.offset for each in found if each.offset >= 0}
        finally:
            consumer.close()

    def close(self) -> None:
        """The cluster is no more; it goes with the last reference."""
        self._producer.flush(1)
        self._producer = None
