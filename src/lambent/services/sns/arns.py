"""ARNs of topics and subscriptions, and what stands in those of their endpoints. Pure."""

import re
from typing import NamedTuple

from lambent.services.sns import faults

TOPIC_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
"""Source: CreateTopic in botocore's ``sns`` model; a FIFO topic's name ends with ``.fifo``, counted in."""
FIFO_SUFFIX = ".fifo"
_ELEMENTS = 6


class Arn(NamedTuple):
    """The parts that matter of ``arn:aws:service:region:account:resource``."""

    service: str
    region: str
    account_id: str
    resource: str


def split_arn(text: str) -> Arn | None:
    """None where there are fewer than six elements, or it does not begin as ARNs do."""
    parts = text.split(":", _ELEMENTS - 1)
    if len(parts) < _ELEMENTS or parts[0] != "arn" or not parts[5]:
        return None
    return Arn(parts[2], parts[3], parts[4], parts[5])


def topic_arn(region: str, account_id: str, name: str) -> str:
    """The ARN of a topic."""
    return f"arn:aws:sns:{region}:{account_id}:{name}"


def is_fifo(arn: str) -> bool:
    """Whether a topic or queue of this ARN is FIFO: its name says so."""
    return arn.endswith(FIFO_SUFFIX)


def parse_topic_arn(text: str | None, member: str = "TopicArn") -> Arn:
    """A topic's ARN. Raises ``InvalidParameter``, naming ``member``."""
    found = split_arn(text or "")
    if found is None:
        count = len((text or "").split(":"))
        raise faults.invalid(
            f"{member} Reason: An ARN must have at least {_ELEMENTS} elements, not {count}"
        )
    if found.service != "sns" or ":" in found.resource:
        raise faults.invalid(member)
    return found


def check_topic_name(name: str, *, fifo: bool) -> None:
    """Raises ``InvalidParameter`` for what AWS takes for no name, or for one of the other type."""
    base = name.removesuffix(FIFO_SUFFIX) if fifo else name
    if len(name) > 256 or not TOPIC_NAME.fullmatch(base) or (fifo and not is_fifo(name)):
        if fifo:
            raise faults.invalid(
                "Name Reason: Fifo Topic names must end with .fifo and must be made up of only"
                " uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must"
                " be between 1 and 256 characters long."
            )
        raise faults.invalid("Topic Name")
