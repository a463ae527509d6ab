"""RabbitMQ as a kind of source: which broker an ARN means, and how it is reached.

Where the operator has said so (``--neighbour mq=amqp://host:port``) every ARN is of that broker; else the
endpoint that serves Amazon MQ's API is asked.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from lambent.model.errors import AwsError, PlatformFault, not_yet
from lambent.model.event_source_mapping import EventSourceMapping
from lambent.patterns import records
from lambent.sources.contract import AwsApi, Kind, Parts, Poller
from lambent.sources.filter import filter_of
from lambent.sources.rabbitmq.client import AiormqQueue, check_installed
from lambent.sources.rabbitmq.contract import OpenQueue, RabbitAccess, RabbitQueue
from lambent.sources.rabbitmq.form import RabbitForm
from lambent.sources.rabbitmq.worker import RabbitPlan, RabbitWorker
from lambent.sources.secrets import read_secret

_WINDOW_S: Final = 0.5
"""AWS: the default of Kafka and Amazon MQ."""
_PORTS: Final = {"amqp": 5672, "amqps": 5671}
_HINT: Final = "lambent up --neighbour mq=amqp://host:port says where it is"


def rabbitmq_kind(broker_url: str = "", open_queue: OpenQueue = AiormqQueue) -> Kind:
    """``broker_url`` is what the operator said, "" for nothing."""

    def make_poller(mapping: EventSourceMapping, parts: Parts) -> Poller:
        return _worker(mapping, parts, broker_url, open_queue)

    async def describe(api: AwsApi, arn: str, account_id: str, region: str) -> Mapping[str, Any]:
        check_installed()
        if not broker_url:
            await find_broker(api, arn, account_id, region)
        return {}

    return Kind(make_poller, describe)


async def find_broker(api: AwsApi, arn: str, account_id: str, region: str) -> str:
    """The AMQP URL that DescribeBroker says. Raises AwsError as that does; 501 for ActiveMQ."""
    answer = await api.call(
        "mq",
        "DescribeBroker",
        {"BrokerId": arn.rsplit(":", 1)[-1]},
        account_id=account_id,
        region=region,
    )
    engine = str(answer.get("EngineType", "")).upper()
    if engine != "RABBITMQ":
        raise not_yet(f"Amazon MQ for {'ActiveMQ' if engine == 'ACTIVEMQ' else engine} ({arn})")
    for instance in answer.get("BrokerInstances") or ():
        for url in instance.get("Endpoints") or ():
            if re.match(r"amqps?://", str(url)):
                return str(url)
    raise PlatformFault(f"Connection error. {arn} has no AMQP endpoint; {_HINT}.", status=503)


def _worker(
    mapping: EventSourceMapping, parts: Parts, broker_url: str, open_queue: OpenQueue
) -> RabbitWorker:
    document, arn = mapping.document, mapping.event_source_arn or ""
    queue: str = document["Queues"][0]
    named = {each["Type"]: each["URI"] for each in document["SourceAccessConfigurations"]}
    virtual_host = named.get("VIRTUAL_HOST", "/")
    place = (mapping.account_id, mapping.region)
    window_s = document.get("MaximumBatchingWindowInSeconds")

    async def connect() -> RabbitQueue:
        url = broker_url or await _asked(parts.api, arn, *place)
        secret = await read_secret(parts.api, named["BASIC_AUTH"], *place, ("username", "password"))
        found = urlsplit(url)
        access = RabbitAccess(
            found.hostname or "",
            found.port or _PORTS[found.scheme],
            found.scheme == "amqps",
            virtual_host,
            secret["username"],
            secret["password"],
        )
        return open_queue(access, queue, document["BatchSize"])

    plan = RabbitPlan(
        mapping.function_arn,
        document["BatchSize"],
        _WINDOW_S if window_s is None else window_s,
        filter_of(document, records.MQ),
        RabbitForm(arn, queue, virtual_host),
    )
    return RabbitWorker(
        plan, connect, parts.functions, lambda result: parts.reports.processed(mapping, result)
    )


async def _asked(api: AwsApi, arn: str, account_id: str, region: str) -> str:
    try:
        return await find_broker(api, arn, account_id, region)
    except AwsError as error:
        text = f"The broker {arn} could not be found: {error.message} ({_HINT})"
        raise PlatformFault(text, error.code, 503) from error
