"""SQS on a store in memory, called as a client would, in a time the test moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambent.model.call import Call, Caller
from lambent.model.errors import AwsError
from lambent.services.sqs.registry import OPERATIONS
from lambent.services.sqs.service import SqsService
from lambent.testing.clock import FakeClock
from lambent.testing.queue_store import FakeQueueStore

ACCOUNT = "000000000000"
CALLER = Caller(ACCOUNT, "us-east-1", "id", endpoint="http://host:1")


@dataclass
class FakeSqs:
    """The service; ``await sqs("SendMessage", QueueUrl=…, …)`` is a call of it."""

    store: FakeQueueStore = field(default_factory=FakeQueueStore)
    clock: FakeClock = field(default_factory=FakeClock)
    service: SqsService = field(init=False)
    _started: bool = False

    def __post_init__(self) -> None:
        self.service = SqsService(self.store, self.clock, self.clock.call_later)

    async def call(
        self, operation: str, parameters: Mapping[str, Any], caller: Caller = CALLER
    ) -> dict[str, Any]:
        """The operation's output, without what is absent. The first call starts the service."""
        if not self._started:
            self._started = True
            await self.service.start()
        call = Call("sqs", operation, parameters, caller)
        result = await OPERATIONS[operation](self.service, call)
        return {name: value for name, value in result.output.items() if value is not None}

    async def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return await self.call(operation, parameters)

    async def refused(
        self, operation: str, parameters: Mapping[str, Any], caller: Caller = CALLER
    ) -> AwsError:
        """The error it is refused with. Raises AssertionError when it is not refused."""
        try:
            await self.call(operation, parameters, caller)
        except AwsError as error:
            return error
        raise AssertionError(f"{operation} was not refused")

    async def queue(self, name: str = "q", **attributes: str) -> str:
        """A new queue's URL; one whose name ends in ``.fifo`` is a FIFO queue."""
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        answer = await self("CreateQueue", QueueName=name, Attributes=attributes)
        return str(answer["QueueUrl"])

    async def send(self, url: str, body: str = "hello", **more: Any) -> dict[str, Any]:
        """Sends one message."""
        return await self("SendMessage", QueueUrl=url, MessageBody=body, **more)

    async def receive(self, url: str, **more: Any) -> list[dict[str, Any]]:
        """The messages received."""
        answer = await self("ReceiveMessage", QueueUrl=url, **more)
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    async def bodies(self, url: str, **more: Any) -> list[str]:
        """The bodies of the messages received, ten at most."""
        more = {"MaxNumberOfMessages": 10} | more
        return [message["Body"] for message in await self.receive(url, **more)]

    async def attributes(self, url: str, *names: str) -> dict[str, str]:
        """The queue's attributes, all unless named."""
        wanted = list(names) or ["All"]
        answer = await self("GetQueueAttributes", QueueUrl=url, AttributeNames=wanted)
        attributes: dict[str, str] = answer.get("Attributes", {})
        return attributes

    async def restart(self) -> None:
        """The service anew, on the same store."""
        self.service.stop()
        self.service = SqsService(self.store, self.clock, self.clock.call_later)
        await self.service.start()


def queue_arn(name: str) -> str:
    """The ARN of a queue by its name."""
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
