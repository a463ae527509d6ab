"""What queues are called: names, URLs, ARNs, and the keys they are stored under."""

import re
from functools import lru_cache
from typing import NamedTuple

from lambent.model.errors import ClientFault
from lambent.services.sqs import faults

FIFO_SUFFIX = ".fifo"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo")
_ARN = re.compile(r"arn:aws:sqs:([a-z0-9-]{1,40}):([0-9]{12}):([A-Za-z0-9_.-]{1,80})")
_PATH = re.compile(r"(?:^|/)([0-9]{12})/([A-Za-z0-9_.-]{1,80})/?$")


class QueueName(NamedTuple):
    """A queue's whole name."""

    account_id: str
    region: str
    name: str

    @property
    def key(self) -> str:
        """Its key in the store."""
        return f"sqs/{self.account_id}/{self.region}/{self.name}"

    @property
    def arn(self) -> str:
        """``arn:aws:sqs:REGION:ACCOUNT:NAME``."""
        return f"arn:aws:sqs:{self.region}:{self.account_id}:{self.name}"


def check_name(name: str, *, fifo: bool) -> None:
    """Raises ``InvalidParameterValue`` for a name that no queue of that type can have."""
    if fifo and not _FIFO_NAME.fullmatch(name):
        raise faults.invalid(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
            "underscores, must end with .fifo suffix and be 1 to 80 in length."
        )
    if not fifo and not _NAME.fullmatch(name):
        raise faults.invalid(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


@lru_cache(maxsize=4096)
def parse_url(url: str) -> tuple[str, str]:
    """The account and name at the end of a queue's URL, on whatever host.

    A bare name, which AWS does not take, is not taken either. Raises 404 ``InvalidAddress``.
    """
    found = _PATH.search(url.partition("?")[0])
    if found is None:
        text = f"The address {url[:1000]} is not valid for this endpoint."
        raise ClientFault("InvalidAddress", text, 404)
    return found[1], found[2]


def parse_arn(arn: str) -> QueueName | None:
    """The queue an ARN names, or None when it names none."""
    found = _ARN.fullmatch(arn)
    return QueueName(found[2], found[1], found[3]) if found else None


def parse_key(key: str) -> QueueName:
    """The inverse of :attr:`QueueName.key`."""
    _, account_id, region, name = key.split("/")
    return QueueName(account_id, region, name)
