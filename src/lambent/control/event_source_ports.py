"""What the control plane needs of those who poll: which kinds there are, what a source says, whom to tell."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from lambent.model.event_source_mapping import EventSourceMapping


class EventSources(Protocol):
    """Implemented by the composition root over :mod:`lambent.sources`; called on the control thread."""

    @property
    def kinds(self) -> Collection[str]:
        """The services there are pollers for, by their word in an ARN."""
        ...

    def describe(self, arn: str, account_id: str, region: str) -> Mapping[str, Any]:
        """Facts of a source as that account sees it: see ``lambent.sources.contract.Kind``.

        Raises AwsError when it is not there, may not be read, or does not answer in time.
        """
        ...

    def changed(self, mapping: EventSourceMapping) -> None:
        """After the commit: a mapping is to be polled, or no more, as its state says."""
        ...


class NoEventSources:
    """Nothing is polled."""

    kinds: Collection[str] = ()

    def describe(self, arn: str, account_id: str, region: str) -> Mapping[str, Any]:
        """Nothing is there to be asked."""
        raise LookupError(arn, account_id, region)

    def changed(self, mapping: EventSourceMapping) -> None:
        """Nobody is told."""
