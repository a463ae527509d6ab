"""Kafka as kinds of sources: self-managed clusters, and Amazon MSK's, whose brokers its API names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from lambent.model.errors import AwsError, PlatformFault, not_yet
from lambent.model.event_source_mapping import SELF_MANAGED_KAFKA, EventSourceMapping
from lambent.patterns import records
from lambent.sources.contract import AwsApi, Kind, Parts, Poller
from lambent.sources.filter import filter_of
from lambent.sources.kafka.access import resolve_access
from lambent.sources.kafka.client import AiokafkaTopic, check_installed
from lambent.sources.kafka.contract import OpenTopic
from lambent.sources.kafka.form import KafkaForm
from lambent.sources.kafka.offsets import GroupOffsets
from lambent.sources.kafka.worker import Connection, KafkaPlan, KafkaWorker
from lambent.sources.stream_settings import StreamSettings, settings_of
from lambent.sources.stream_source import StreamSource
from lambent.sources.stream_work import StreamCounters, StreamWork
from lambent.sources.streams import StreamParts, work_of

_WINDOW_S: Final = 0.5
"""AWS: the default of Kafka and Amazon MQ."""
_RETRIES_WITH_DESTINATION: Final = 10
"""AWS: "When you configure both infinite retries and an on-failure destination, Lambda automatically applies a

maximum of 10 retry attempts". Source: "Configuring error handling controls for Kafka event sources".
"""
_MSK_BROKERS: Final = {
    "SASL_SCRAM_512_AUTH": "BootstrapBrokerStringSaslScram",
    "CLIENT_CERTIFICATE_TLS_AUTH": "BootstrapBrokerStringTls",
}


def kafka_kinds(streams: StreamParts, open_topic: OpenTopic = AiokafkaTopic) -> Mapping[str, Kind]:
    """By their words in a mapping's source."""

    def make_poller(mapping: EventSourceMapping, parts: Parts) -> Poller:
        return _worker(mapping, parts, streams, open_topic)

    return {
        SELF_MANAGED_KAFKA: Kind(make_poller, _describe_self_managed),
        "kafka": Kind(make_poller, _describe_cluster),
    }


def settings_of_kafka(mapping: EventSourceMapping) -> StreamSettings:
    """Of a document that was checked when it was recorded."""
    settings = settings_of(mapping)
    window_s = mapping.document.get("MaximumBatchingWindowInSeconds")
    retries = settings.max_retries
    if retries is None and settings.destination_arn:
        retries = _RETRIES_WITH_DESTINATION
    return replace(
        settings, window_s=_WINDOW_S if window_s is None else window_s, max_retries=retries
    )


def _worker(
    mapping: EventSourceMapping, parts: Parts, streams: StreamParts, open_topic: OpenTopic
) -> KafkaWorker:
    document = mapping.document
    name: str = document["Topics"][0]
    of_msk = mapping.event_source_arn is not None
    config = document[
        "AmazonManagedKafkaEventSourceConfig" if of_msk else "SelfManagedKafkaEventSourceConfig"
    ]

    async def connect() -> Connection:
        configurations = document.get("SourceAccessConfigurations") or ()
        servers, tls = await _brokers(mapping, parts.api)
        access = await resolve_access(
            parts.api, servers, configurations, mapping.account_id, mapping.region, tls=tls
        )
        return open_topic(access, name, config["ConsumerGroupId"]), servers

    settings, counters = settings_of_kafka(mapping), StreamCounters()

    def make_work(connection: Connection, source: StreamSource) -> StreamWork:
        topic, servers = connection
        return replace(
            work_of(mapping, parts, streams, source, settings),
            checkpoints=GroupOffsets(mapping.uuid, streams.store, streams.outlet, topic),
            form=KafkaForm(name, servers, mapping.event_source_arn or ""),
            source_waits=True,
            counters=counters,
        )

    return KafkaWorker(
        KafkaPlan(name, settings.position, filter_of(document, records.KAFKA)),
        connect,
        make_work,
        lambda result: parts.reports.processed(mapping, result),
        counters,
    )


async def _brokers(mapping: EventSourceMapping, api: AwsApi) -> tuple[Sequence[str], bool]:
    """(bootstrap servers, whether they want TLS without being told). Raises AwsError."""
    if mapping.event_source_arn is None:
        source: Mapping[str, Any] = mapping.document["SelfManagedEventSource"]
        servers: Sequence[str] = source["Endpoints"]["KAFKA_BOOTSTRAP_SERVERS"]
        return servers, False
    named = {each["Type"] for each in mapping.document.get("SourceAccessConfigurations") or ()}
    answer = await _bootstrap_brokers(
        api, mapping.event_source_arn, mapping.account_id, mapping.region
    )
    wanted = next((member for kind, member in _MSK_BROKERS.items() if kind in named), "")
    for member in [wanted] if wanted else ["BootstrapBrokerStringTls", "BootstrapBrokerString"]:
        if answer.get(member):
            return str(answer[member]).split(","), "Tls" in member
    text = "Connection error. The cluster has no brokers for the mapping's authentication."
    raise PlatformFault(text, "ConnectionError", 503)


async def _describe_self_managed(
    _api: AwsApi, _arn: str, _account_id: str, _region: str
) -> Mapping[str, Any]:
    """Raises 501 where the client library is not installed. AWS asks brokers only once the mapping is there."""
    check_installed()
    return {}


async def _describe_cluster(
    api: AwsApi, arn: str, account_id: str, region: str
) -> Mapping[str, Any]:
    """Raises AwsError as GetBootstrapBrokers does, 501 for what is not installed or not served."""
    check_installed()
    try:
        await _bootstrap_brokers(api, arn, account_id, region)
    except AwsError as error:
        if error.status in {500, 501}:  # as the embedded neighbour, which has not this operation
            text = "Amazon MSK without an endpoint that answers kafka:GetBootstrapBrokers"
            raise not_yet(f"{text} (lambent up --neighbour kafka=https://…)") from error
        raise
    return {}


async def _bootstrap_brokers(
    api: AwsApi, arn: str, account_id: str, region: str
) -> Mapping[str, Any]:
    return await api.call(
        "kafka", "GetBootstrapBrokers", {"ClusterArn": arn}, account_id=account_id, region=region
    )
