"""Streams as kinds of sources: how a mapping of a Kinesis or DynamoDB stream gets its poller."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lambent.model.errors import AwsError
from lambent.model.event_source_mapping import EventSourceMapping
from lambent.observe.metrics import Metrics
from lambent.sources import dynamodb, kinesis
from lambent.sources.checkpoints import Checkpoints
from lambent.sources.contract import Kind, Parts, Poller, Writes
from lambent.sources.replay import parse_request, replay
from lambent.sources.stream_polling import DYNAMODB_S, KINESIS_S
from lambent.sources.stream_settings import StreamSettings, settings_of
from lambent.sources.stream_source import StreamSource
from lambent.sources.stream_work import StreamWork
from lambent.sources.stream_worker import StreamWorker
from lambent.store.queues.contract import QueueStore
from lambent.store.queues.outlet import Outlet


@dataclass(frozen=True, slots=True)
class StreamParts:
    """What pollers of streams work with beside :class:`~lambent.sources.contract.Parts`.

    ``role_of`` gives a function's execution role by its ARN, or raises AwsError; ``now_s`` is Unix time.
    """

    store: QueueStore
    outlet: Outlet
    metrics: Metrics
    role_of: Callable[[str], str]
    now_s: Callable[[], float] = time.time


def stream_kinds(streams: StreamParts) -> Mapping[str, Kind]:
    """By the word in the source's ARN."""

    def of_kinesis(mapping: EventSourceMapping, parts: Parts) -> Poller:
        role = _role(streams, mapping)
        source = kinesis.KinesisStream(mapping, parts.api, role)
        writes = parts.writes("kinesis", kinesis.stream_name(mapping.event_source_arn or ""))
        return _worker(mapping, parts, streams, source, writes, KINESIS_S)

    def of_dynamodb(mapping: EventSourceMapping, parts: Parts) -> Poller:
        source = dynamodb.DynamoDbStream(mapping, parts.api)
        table = (mapping.event_source_arn or "").split("/")[1]
        writes = parts.writes("dynamodbstreams", table)
        return _worker(mapping, parts, streams, source, writes, DYNAMODB_S)

    async def replay_kinesis(
        mapping: EventSourceMapping, parts: Parts, request: object
    ) -> list[str]:
        source = kinesis.KinesisStream(mapping, parts.api, _role(streams, mapping))
        return await _replay(mapping, streams, source, request)

    async def replay_dynamodb(
        mapping: EventSourceMapping, parts: Parts, request: object
    ) -> list[str]:
        source = dynamodb.DynamoDbStream(mapping, parts.api)
        return await _replay(mapping, streams, source, request)

    return {
        "kinesis": Kind(of_kinesis, kinesis.describe_stream, replay_kinesis),
        "dynamodb": Kind(of_dynamodb, dynamodb.describe_stream, replay_dynamodb),
    }


async def _replay(
    mapping: EventSourceMapping, streams: StreamParts, source: StreamSource, request: object
) -> list[str]:
    checkpoints = Checkpoints(mapping.uuid, streams.store, streams.outlet)
    return await replay(parse_request(request), source, checkpoints, settings_of(mapping).factor)


def _worker(
    mapping: EventSourceMapping,
    parts: Parts,
    streams: StreamParts,
    source: StreamSource,
    writes: Writes | None,
    poll_s: float,
) -> StreamWorker:
    work = work_of(mapping, parts, streams, source, settings_of(mapping))
    work.poll_s, work.writes = poll_s, writes
    return StreamWorker(work)


def work_of(
    mapping: EventSourceMapping,
    parts: Parts,
    streams: StreamParts,
    source: StreamSource,
    settings: StreamSettings,
) -> StreamWork:
    """What the shards of a mapping share, with checkpoints in the queue store."""
    _, _, _, region, account_id, _, name, *_ = mapping.function_arn.split(":")
    return StreamWork(
        settings=settings,
        source=source,
        functions=parts.functions,
        checkpoints=Checkpoints(mapping.uuid, streams.store, streams.outlet),
        report=lambda result: parts.reports.processed(mapping, result),
        metrics=lambda: streams.metrics.of(account_id, region, name),
        role=_role(streams, mapping),
        now_s=streams.now_s,
        account_id=mapping.account_id,
        mapping_uuid=mapping.uuid,
        counts=parts.counts_of(mapping),
    )


def _role(streams: StreamParts, mapping: EventSourceMapping) -> Callable[[], str]:
    def role() -> str:
        try:
            return streams.role_of(mapping.function_arn)
        except AwsError:
            return ""

    return role
