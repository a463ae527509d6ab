"""An SNS service over a store in memory, with queues, functions and endpoints that only take notes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from lambent.model.call import Call, Caller
from lambent.model.errors import ClientFault
from lambent.model.outgoing import Outgoing
from lambent.services.sns.destinations import Destination
from lambent.services.sns.http_client import DeliveryFailure
from lambent.services.sns.registry import OPERATIONS
from lambent.services.sns.service import SnsService
from lambent.services.sns.signing import Signer
from lambent.store.queues.contract import Transaction
from lambent.testing.loop import until
from lambent.testing.queue_store import FakeQueueStore

MODEL = ServiceModel(Loader().load_service_model("sns", "service-2"))
ACCOUNT = "000000000000"
ENDPOINT = "http://127.0.0.1:4566"
NOW_MS = 1_760_000_000_000


class Clock:
    """Unix milliseconds; waiting on it is what makes time pass."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def __call__(self) -> int:
        return self.ms

    async def pause(self, woken: asyncio.Event, timeout_s: float | None) -> None:
        """See ``deliveries.Pause``."""
        if timeout_s is None:
            await woken.wait()
        else:
            self.ms += round(timeout_s * 1000)
            await asyncio.sleep(0)


@dataclass
class Targets:
    """Queues and functions: whatever is sent to one of ``there`` arrives, everything else is refused."""

    there: set[str] = field(default_factory=set)
    got: dict[str, list[Outgoing]] = field(default_factory=dict)

    def put(self, tx: Transaction, target_arn: str, outgoing: Outgoing, now_ms: int) -> None:
        """See ``Outlet``."""
        if target_arn not in self.there:
            raise ClientFault("QueueDoesNotExist", "The specified queue does not exist.")
        self.got.setdefault(target_arn, []).append(outgoing)

    def bodies(self, arn: str) -> list[bytes]:
        """What arrived there."""
        return [outgoing.body for outgoing in self.got.get(arn, [])]


@dataclass(frozen=True)
class Request:
    """What an endpoint was sent, and when."""

    destination: Destination
    headers: Mapping[str, str]
    body: bytes
    at_ms: int


@dataclass
class Endpoints:
    """Answers with the statuses of ``answers`` in turn, then with 200; None is no answer at all."""

    clock: Clock
    answers: list[int | None] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    async def __call__(
        self, destination: Destination, headers: Mapping[str, str], body: bytes
    ) -> int:
        """See ``Post``."""
        self.requests.append(Request(destination, headers, body, self.clock()))
        answer = self.answers.pop(0) if self.answers else 200
        if answer is None:
            raise DeliveryFailure("nobody there")
        return answer


@dataclass
class World:
    """The service and everything around it."""

    sns: SnsService
    store: FakeQueueStore
    targets: Targets
    endpoints: Endpoints
    clock: Clock

    async def ask(
        self,
        operation: str,
        *,
        account: str = ACCOUNT,
        signed: bool = True,
        trace_header: str | None = None,
        inside: bool = False,
        **parameters: Any,
    ) -> Any:
        """An operation's output, checked against botocore's model."""
        caller = Caller(
            account,
            "us-east-1",
            "request",
            access_key_id="AKIA" if signed else None,
            trace_header=trace_header,
            inside=inside,
        )
        result = await OPERATIONS[operation](self.sns, Call("sns", operation, parameters, caller))
        output = {key: value for key, value in result.output.items() if value is not None}
        shape = MODEL.operation_model(operation).output_shape
        report = ParamValidator().validate(_shown(output), shape) if shape else None
        assert not (report.generate_report() if report else output)
        return output

    async def topic(self, name: str = "t", **attributes: str) -> str:
        """A topic's ARN."""
        output = await self.ask("CreateTopic", Name=name, Attributes=attributes)
        return str(output["TopicArn"])

    async def queue(self, topic_arn: str, name: str = "q", **attributes: str) -> str:
        """A queue's ARN, subscribed to the topic."""
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        self.targets.there.add(arn)
        await self.ask(
            "Subscribe", TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, Attributes=attributes
        )
        return arn

    async def http(
        self, topic_arn: str, url: str = "http://127.0.0.1:9/in", **attributes: str
    ) -> str:
        """The ARN of a confirmed HTTP subscription."""
        output = await self.ask(
            "Subscribe", TopicArn=topic_arn, Protocol="http", Endpoint=url, Attributes=attributes,
            ReturnSubscriptionArn=True,
        )  # fmt: skip
        arn = str(output["SubscriptionArn"])
        await self.settled()
        token = self.sns.directory.subscriptions[arn].token
        await self.ask("ConfirmSubscription", TopicArn=topic_arn, Token=token)
        self.endpoints.requests.clear()
        return arn

    async def settled(self) -> None:
        """Waits until no delivery is under way or to come."""
        await until(lambda: not self.sns.deliveries.busy)


def _shown(value: Any) -> Any:
    """A copy with plain dictionaries, which is what the validator takes."""
    if isinstance(value, Mapping):
        return {key: _shown(one) for key, one in value.items() if one is not None}
    return [_shown(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """A key takes a while to make: one for all tests."""
    return Signer(tmp_path_factory.mktemp("sns"), ENDPOINT)


OpenWorld = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def open_world(signer: Signer, tmp_path: Path) -> OpenWorld:
    """``async with open_world() as world``; given a store, it is one that was started again."""

    @asynccontextmanager
    async def opened(store: FakeQueueStore | None = None) -> AsyncIterator[World]:
        clock, targets = Clock(), Targets()
        endpoints, kept = Endpoints(clock), store or FakeQueueStore()
        sns = SnsService(
            kept, targets, signer, endpoints, now_ms=clock, endpoint=ENDPOINT, pause=clock.pause
        )
        await sns.start()
        try:
            yield World(sns, kept, targets, endpoints, clock)
        finally:
            await sns.stop()

    return opened
