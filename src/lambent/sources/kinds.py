"""Which source has which poller, by the service in the source's ARN: what is not here is refused."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lambent.sources.contract import Kind
from lambent.sources.kafka.kind import kafka_kinds
from lambent.sources.rabbitmq.kind import rabbitmq_kind
from lambent.sources.sqs import describe_queue, make_poller
from lambent.sources.streams import StreamParts, stream_kinds

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "sqs": Kind(make_poller, describe_queue),
    }
)


def kinds_with(streams: StreamParts, broker_url: str = "") -> Mapping[str, Kind]:
    """All there are. ``broker_url`` is of the RabbitMQ that the operator named, "" for none."""
    return MappingProxyType(
        {
            **KINDS,
            **stream_kinds(streams),
            **kafka_kinds(streams),
            "mq": rabbitmq_kind(broker_url),
        }
    )
