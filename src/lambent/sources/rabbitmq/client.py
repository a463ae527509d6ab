"""A RabbitMQ queue over aiormq, which is the optional group ``rabbitmq``.

What the library raises becomes AwsError here.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final, TypeVar

from lambent.model.errors import AwsError, PlatformFault, not_yet
from lambent.sources.rabbitmq.contract import RabbitAccess, RabbitMessage, RabbitProperties

_T = TypeVar("_T")
_DEADLINE_S: Final = 15.0
_CLOSE_DEADLINE_S: Final = 3.0
_HEARTBEAT_S: Final = 30
_UNREACHABLE: Final = "Connection error. Please check your event source connection configuration. "
"""Best known: AWS's words for Kafka; none are recorded for Amazon MQ."""


def check_installed() -> None:
    """Raises 501, saying what to install."""
    if find_spec("aiormq") is None:
        raise not_yet("RabbitMQ without the group rabbitmq (pip install 'lambent[rabbitmq]')")


class AiormqQueue:
    """Is a :class:`~lambent.sources.rabbitmq.contract.RabbitQueue`."""

    def __init__(self, access: RabbitAccess, queue: str, prefetch: int) -> None:
        logging.getLogger("aiormq").setLevel(logging.CRITICAL)
        self._access = access
        self._name = queue
        self._prefetch = prefetch
        self._connection: Any = None
        self._channel: Any = None
        self._consumer: str | None = None
        self._deliver: Callable[[RabbitMessage], None] = lambda _: None

    async def open(
        self, deliver: Callable[[RabbitMessage], None], broken: Callable[[], None]
    ) -> None:
        """See the protocol."""

        async def cancelled(_: object) -> None:
            broken()

        self._deliver = deliver
        with _translated():
            async with asyncio.timeout(_DEADLINE_S):
                await self._connect()
                self._channel = await self._connection.channel(publisher_confirms=False)
                await self._channel.queue_declare(self._name, passive=True)
                await self._channel.basic_qos(prefetch_count=self._prefetch)
        for each in (self._connection.closing, self._channel.closing):
            each.add_done_callback(lambda _: broken())
        # The queue was deleted, say: the channel stays, and nothing more would come.
        self._channel.on_consumer_cancel_callbacks.add(cancelled)
        await self.flow(on=True)

    async def _connect(self) -> None:
        from aiormq import Connection  # noqa: PLC0415 - not everywhere there is one
        from yarl import URL  # noqa: PLC0415

        access = self._access
        context = await asyncio.to_thread(ssl.create_default_context) if access.tls else None
        url = URL.build(
            scheme="amqps" if access.tls else "amqp",
            host=access.host,
            port=access.port,
            user=access.username,
            password=access.password,
            path=f"/{access.virtual_host}",
            query={"heartbeat": str(_HEARTBEAT_S), "name": "lambent"},
        )
        self._connection = Connection(url, context=context)
        await self._connection.connect()

    async def close(self) -> None:
        """See the protocol."""
        if self._connection is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_DEADLINE_S):
                await self._connection.close()
        except Exception as error:
            logging.getLogger("lambent.sources").warning("a RabbitMQ connection: %r", error)

    async def flow(self, *, on: bool) -> None:
        """See the protocol."""
        if on:
            answer = await self._within(
                self._channel.basic_consume(self._name, self._on_message, no_ack=False)
            )
            self._consumer = answer.consumer_tag
        elif self._consumer is not None:
            await self._within(self._channel.basic_cancel(self._consumer))
            self._consumer = None

    async def ack(self, tag: int, *, up_to: bool) -> None:
        """See the protocol."""
        await self._within(self._channel.basic_ack(tag, multiple=up_to))

    async def requeue(self, tag: int) -> None:
        """See the protocol."""
        await self._within(self._channel.basic_nack(tag, multiple=True, requeue=True))

    async def reject(self, tag: int) -> None:
        """See the protocol."""
        await self._within(self._channel.basic_reject(tag, requeue=False))

    async def waiting(self) -> int:
        """See the protocol."""
        answer = await self._within(self._channel.queue_declare(self._name, passive=True))
        return int(answer.message_count or 0)

    async def _on_message(self, message: Any) -> None:
        properties, delivery = message.header.properties, message.delivery
        self._deliver(
            RabbitMessage(
                delivery.delivery_tag,
                bytes(message.body),
                _properties(properties),
                bool(delivery.redelivered),
            )
        )

    async def _within(self, work: Awaitable[_T]) -> _T:
        with _translated():
            async with asyncio.timeout(_DEADLINE_S):
                return await work


def _properties(given: Any) -> RabbitProperties:
    return RabbitProperties(
        content_type=given.content_type,
        content_encoding=given.content_encoding,
        headers=given.headers or {},
        delivery_mode=given.delivery_mode,
        priority=given.priority,
        correlation_id=given.correlation_id,
        reply_to=given.reply_to,
        expiration=given.expiration,
        message_id=given.message_id,
        timestamp=given.timestamp,
        message_type=given.message_type,
        user_id=given.user_id,
        app_id=given.app_id,
        cluster_id=getattr(given, "cluster_id", None) or None,
    )


@contextmanager
def _translated() -> Iterator[None]:
    """What aiormq raises, as AwsError."""
    from aiormq import exceptions as failures  # noqa: PLC0415

    try:
        yield
    except TimeoutError as error:
        raise _unreachable("no answer in time") from error
    except (failures.AuthenticationError, failures.ProbableAuthenticationError) as error:
        text = f"Lambda failed to authenticate with the broker: {_words(error)}"
        raise PlatformFault(text, "EVENT_SOURCE_AUTHN_ERROR", 503) from error
    except (failures.ChannelAccessRefused, failures.ConnectionNotAllowed) as error:
        text = f"The broker failed to authorize Lambda: {_words(error)}"
        raise PlatformFault(text, "EVENT_SOURCE_AUTHZ_ERROR", 503) from error
    except failures.ChannelNotFoundEntity as error:
        raise PlatformFault(f"The queue is not there: {_words(error)}", "NotFound", 503) from error
    except (failures.AMQPError, failures.ChannelInvalidStateError) as error:
        raise _unreachable(_words(error)) from error
    except OSError as error:  # also what TLS has to say
        raise _unreachable(str(error)) from error


def _unreachable(detail: str) -> AwsError:
    return PlatformFault(_UNREACHABLE + detail, "ConnectionError", 503)


def _words(error: Exception) -> str:
    return " ".join(str(each) for each in error.args) or type(error).__name__
