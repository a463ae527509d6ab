"""Tags of queues. Source: "Quotas related to queues" of the developer guide."""

import re
from collections.abc import Mapping
from typing import Final

from lambent.model.call import Call, Result
from lambent.services.sqs import faults
from lambent.services.sqs.service import SqsService

MAX_TAGS: Final = 50
_KEY = re.compile(r"[\w\s.:/=+@-]{1,128}")
_VALUE = re.compile(r"[\w\s.:/=+@-]{0,256}")


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags. Raises ``InvalidParameterValue``, in the best known words."""
    for key, value in tags.items():
        if not _KEY.fullmatch(key) or key.lower().startswith("aws:"):
            raise faults.invalid(
                f"Tag keys must be between 1 and 128 characters long, of letters, digits, "
                f"whitespace and _ . : / = + - @, and must not begin with aws: ({key[:128]!r})."
            )
        if not _VALUE.fullmatch(value):
            raise faults.invalid(
                f"Tag values must be up to 256 characters long, of letters, digits, "
                f"whitespace and _ . : / = + - @ (tag {key!r})."
            )
    _check_count(tags)
    return dict(tags)


def _check_count(tags: Mapping[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise faults.invalid(f"Too many tags: a queue can have no more than {MAX_TAGS}.")


async def tag_queue(sqs: SqsService, call: Call) -> Result:
    """Adds tags or replaces their values."""
    tags = check_tags(call.parameters["Tags"])
    async with sqs.changes:
        queue = sqs.find(call)
        merged = {**queue.tags, **tags}
        _check_count(merged)
        await sqs.save(queue.tagged(merged))
    return Result()


async def untag_queue(sqs: SqsService, call: Call) -> Result:
    """Removes tags; those that are not there are no error."""
    gone = frozenset(call.parameters["TagKeys"])
    async with sqs.changes:
        queue = sqs.find(call)
        kept = {key: value for key, value in queue.tags.items() if key not in gone}
        await sqs.save(queue.tagged(kept))
    return Result()


async def list_queue_tags(sqs: SqsService, call: Call) -> Result:
    """The tags of a queue."""
    return Result({"Tags": dict(sqs.find(call).tags) or None})
