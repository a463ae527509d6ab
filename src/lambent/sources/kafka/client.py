"""A Kafka topic over aiokafka, which is the optional group ``kafka``.

What the library raises becomes AwsError here. Its group membership lives in tasks of its own; it reads ahead, at
most a mebibyte of each partition (or one message, if that is larger).
"""

import asyncio
import logging
from collections.abc import Awaitable, Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final, TypeVar

from lambent.model.errors import AwsError, PlatformFault, not_yet
from lambent.sources.kafka.contract import Assignee, KafkaAccess, KafkaMessage

_T = TypeVar("_T")
_SESSION_MS: Final = 10_000
"""POLICY: after which a member that is gone is missed; aiokafka's own default."""
_REBALANCE_MS: Final = 60_000
_FETCH_WAIT_MS: Final = 2_000
"""POLICY: how long a broker holds a read that finds nothing; an idle mapping asks this often."""
_IDLE_WAIT_S: Final = 30.0
_NEVER_MS: Final = 2**31 - 1
"""A partition may be blocked by a failing function for as long as its messages are kept."""
_DEADLINE_S: Final = 30.0
_START_DEADLINE_S: Final = 60.0
_STOP_DEADLINE_S: Final = 10.0
_AWAY_S: Final = 0.5
_NO_PARTITION: Final = 2**31 - 1


def check_installed() -> None:
    """Raises 501, saying what to install."""
    if find_spec("aiokafka") is None:
        raise not_yet("Apache Kafka without the group kafka (pip install 'lambent[kafka]')")


class AiokafkaTopic:
    """Is a :class:`~lambent.sources.kafka.contract.KafkaTopic`."""

    def __init__(self, access: KafkaAccess, topic: str, group: str) -> None:
        from aiokafka import AIOKafkaConsumer  # noqa: PLC0415 - not everywhere there is one
        from aiokafka.coordinator.assignors.range import RangePartitionAssignor  # noqa: PLC0415

        quieten()
        self._name = topic
        self._next: dict[int, int] = {}
        plain = {True: "SASL_PLAINTEXT", False: "PLAINTEXT"}
        over_tls = {True: "SASL_SSL", False: "SSL"}
        names = plain if access.tls is None else over_tls
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=list(access.bootstrap_servers),
            group_id=group,
            client_id="lambent",
            enable_auto_commit=False,
            # What is no longer kept is passed over; a topic made again is read from its start.
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            request_timeout_ms=int(_DEADLINE_S * 1000),
            session_timeout_ms=_SESSION_MS,
            rebalance_timeout_ms=_REBALANCE_MS,
            max_poll_interval_ms=_NEVER_MS,
            # Java's default, so that Java consumers of the same group agree on it.
            partition_assignment_strategy=[RangePartitionAssignor],
            # POLICY: AWS does not say; what a producer took back reaches no function.
            isolation_level="read_committed",
            security_protocol=names[bool(access.mechanism)],
            ssl_context=access.tls,
            sasl_mechanism=access.mechanism or "PLAIN",
            sasl_plain_username=access.username or None,
            sasl_plain_password=access.password or None,
        )

    async def start(self, assignee: Assignee) -> None:
        """See the protocol."""
        from aiokafka import ConsumerRebalanceListener  # noqa: PLC0415

        class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
            async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
                await assignee.revoked([each.partition for each in revoked])

            async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
                await assignee.assigned([each.partition for each in assigned])

        self._consumer.subscribe([self._name], listener=Listener())
        await _within(self._consumer.start(), _START_DEADLINE_S)
        if self._consumer.partitions_for_topic(self._name) is None:
            raise PlatformFault(f"Kafka has no topic {self._name}.", "ConnectionError", 503)

    async def stop(self) -> None:
        """See the protocol."""
        try:
            async with asyncio.timeout(_STOP_DEADLINE_S):
                await self._consumer.stop()
        except Exception as error:
            logging.getLogger("lambent.sources").warning("a Kafka consumer stopped: %r", error)

    async def check(self) -> None:
        """See the protocol. What ended the library's tasks is told by each read, also one of no partition."""
        with translated():
            await self._consumer.getmany(self._at(_NO_PARTITION), timeout_ms=0)

    async def committed(self) -> Mapping[int, int | None]:
        """See the protocol."""
        partitions = sorted(self._consumer.partitions_for_topic(self._name) or ())
        asked = (self._consumer.committed(self._at(each)) for each in partitions)
        return dict(zip(partitions, await _within(asyncio.gather(*asked)), strict=True))

    async def first_offsets(self, partitions: Collection[int]) -> Mapping[int, int]:
        """See the protocol."""
        asked = [self._at(each) for each in partitions]
        return _by_partition(await _within(self._consumer.beginning_offsets(asked)))

    async def end_offsets(self, partitions: Collection[int]) -> Mapping[int, int]:
        """See the protocol."""
        asked = [self._at(each) for each in partitions]
        return _by_partition(await _within(self._consumer.end_offsets(asked)))

    async def offsets_at(self, unix_ms: int, partitions: Collection[int]) -> Mapping[int, int]:
        """See the protocol."""
        asked = {self._at(each): unix_ms for each in partitions}
        found = await _within(self._consumer.offsets_for_times(asked))
        later = {at.partition: entry.offset for at, entry in found.items() if entry is not None}
        missing = [each for each in partitions if each not in later]
        return {**later, **(await self.end_offsets(missing) if missing else {})}

    async def fetch(self, partition: int, offset: int, limit: int) -> list[KafkaMessage]:
        """See the protocol."""
        at = self._at(partition)
        if at not in self._consumer.assignment():
            self._next.pop(partition, None)
            await asyncio.sleep(_AWAY_S)
            return []
        with translated():
            if self._next.get(partition) != offset:
                self._consumer.seek(at, offset)
            found = await self._consumer.getmany(
                at, timeout_ms=int(_IDLE_WAIT_S * 1000), max_records=limit
            )
        messages = [_message(each) for each in found.get(at, ())]
        self._next[partition] = messages[-1].offset + 1 if messages else offset
        return messages

    async def commit(self, partition: int, offset: int) -> None:
        """See the protocol."""
        await _within(self._consumer.commit({self._at(partition): offset}))

    def end_of(self, partition: int) -> int | None:
        """See the protocol."""
        at = self._at(partition)
        if at not in self._consumer.assignment():
            return None
        end: int | None = self._consumer.highwater(at)
        return end

    def _at(self, partition: int) -> Any:
        from aiokafka import TopicPartition  # noqa: PLC0415

        return TopicPartition(self._name, partition)


def quieten() -> None:
    """The library logs each reconnection as an error; what matters of it is in LastProcessingResult."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@contextmanager
def translated() -> Iterator[None]:
    """What aiokafka raises, as AwsError. Best known: the words are those of AWS's page on troubleshooting."""
    from aiokafka import errors  # noqa: PLC0415

    try:
        yield
    except TimeoutError as error:
        raise _unreachable("no answer in time") from error
    except (errors.ConsumerStoppedError, errors.IllegalOperation) as error:
        raise PlatformFault(f"Kafka: {error!r}", "ConnectionError", 503) from error
    except errors.KafkaError as error:
        raise _problem(error) from error
    except OSError as error:  # also what TLS has to say
        raise _unreachable(str(error)) from error


async def _within(work: Awaitable[_T], deadline_s: float = _DEADLINE_S) -> _T:
    with translated():
        async with asyncio.timeout(deadline_s):
            return await work


def _problem(error: Exception) -> AwsError:
    from aiokafka import errors  # noqa: PLC0415

    denied = (
        errors.TopicAuthorizationFailedError,
        errors.GroupAuthorizationFailedError,
        errors.ClusterAuthorizationFailedError,
    )
    if isinstance(error, denied):
        text = f"Cluster failed to authorize Lambda. {error}"
        return PlatformFault(text, "EVENT_SOURCE_AUTHZ_ERROR", 503)
    refused = (
        errors.AuthenticationFailedError,
        errors.SaslAuthenticationFailed,
        errors.UnsupportedSaslMechanismError,
    )
    if isinstance(error, refused):
        text = f"SASL authentication failed. {error}"
        return PlatformFault(text, "EVENT_SOURCE_AUTHN_ERROR", 503)
    gone = (
        errors.CommitFailedError,
        errors.IllegalGenerationError,
        errors.IllegalStateError,
        errors.RebalanceInProgressError,
        errors.UnknownMemberIdError,
    )
    if isinstance(error, gone):
        text = "The consumer group has given the partition to another member."
        return PlatformFault(text, "RebalanceInProgress", 503)
    if isinstance(error, errors.UnsupportedCodecError):
        return PlatformFault(f"Kafka: {error}", "ConnectionError", 503)
    return _unreachable(str(error) or type(error).__name__)


def _unreachable(detail: str) -> AwsError:
    text = f"Connection error. Please check your event source connection configuration. {detail}"
    return PlatformFault(text, "ConnectionError", 503)


def _message(record: Any) -> KafkaMessage:
    return KafkaMessage(
        record.partition,
        record.offset,
        -1 if record.timestamp is None else record.timestamp,
        record.timestamp_type,
        None if record.key is None else bytes(record.key),
        None if record.value is None else bytes(record.value),
        tuple((name, bytes(value or b"")) for name, value in record.headers),
    )


def _by_partition(offsets: Mapping[Any, int]) -> dict[int, int]:
    return {at.partition: offset for at, offset in offsets.items()}
