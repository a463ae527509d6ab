"""Queues: create, delete, find, list."""

import base64
import binascii
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault
from lambent.services.sqs import faults
from lambent.services.sqs.attributes import check_attributes, check_throughput, differing
from lambent.services.sqs.dead_letters import check_dead_letters
from lambent.services.sqs.names import QueueName, check_name
from lambent.services.sqs.queue import SqsQueue, read_queue
from lambent.services.sqs.service import KIND, SqsService
from lambent.services.sqs.tags import check_tags
from lambent.store.queues.contract import Queue, Transaction

DELETED_MS: Final = 60_000
"""Source: QueueDeletedRecently in botocore's ``sqs`` model; AWS still answers so."""
_MAX_PAGE: Final = 1_000


async def create_queue(sqs: SqsService, call: Call) -> Result:
    """Creates a queue; one that is there already with the same attributes is no error."""
    given = dict(call.parameters.get("Attributes") or {})
    fifo = _read_type(given)
    name = QueueName(call.caller.account_id, call.caller.region, call.parameters["QueueName"])
    check_name(name.name, fifo=fifo)
    checked = check_attributes(given, fifo=fifo)
    tags = check_tags(call.parameters.get("tags") or {})
    async with sqs.changes:
        there = sqs.find_named(name)
        if there is None:
            await _create(sqs, name, fifo, checked, tags)
        else:
            attribute = differing(there.attributes, checked, fifo=fifo)
            if attribute is not None:
                text = (
                    "A queue already exists with the same name and a different value "
                    f"for attribute {attribute}"
                )
                raise ClientFault("QueueNameExists", text)
    return Result({"QueueUrl": url_of(call, name)})


async def _create(
    sqs: SqsService, name: QueueName, fifo: bool, checked: dict[str, str], tags: dict[str, str]
) -> None:
    kept = {attribute: text for attribute, text in checked.items() if text}
    check_throughput(kept)
    now_ms = sqs.clock()
    queue = SqsQueue(0, name, fifo, kept, tags, now_ms, now_ms)
    check_dead_letters(sqs, queue)

    def work(tx: Transaction) -> Queue:
        deleted = tx.find_record(KIND, f"deleted/{name.key}")
        if deleted is not None:
            if now_ms - int(deleted) < DELETED_MS:
                text = (
                    "You must wait 60 seconds after deleting a queue before you can create "
                    "another with the same name."
                )
                raise ClientFault("QueueDeletedRecently", text)
            tx.delete_record(KIND, f"deleted/{name.key}")
        return tx.create_queue(name.key, fifo=fifo, document=queue.document)

    sqs.keep(read_queue(await sqs.run(work)))


def _read_type(given: dict[str, str]) -> bool:
    """Takes ``FifoQueue`` out of the attributes."""
    fifo = given.pop("FifoQueue", None)
    if fifo == "false":  # AWS: a standard queue is one that does not have the attribute
        raise faults.unknown_attribute("FifoQueue")
    if fifo not in (None, "true"):
        raise faults.invalid_attribute("FifoQueue")
    return fifo == "true"


async def delete_queue(sqs: SqsService, call: Call) -> Result:
    """Deletes a queue with its messages; its name is free again after a minute."""
    async with sqs.changes:
        queue = sqs.find(call)
        now_ms = sqs.clock()

        def work(tx: Transaction) -> None:
            tx.delete_queue(queue.queue_id)
            tx.put_record(KIND, f"deleted/{queue.name.key}", str(now_ms))

        await sqs.run(work)
        sqs.forget(queue)
    return Result()


async def get_queue_url(sqs: SqsService, call: Call) -> Result:
    """The URL of a queue by its name, another account's too if its policy allows."""
    parameters = call.parameters
    owner = parameters.get("QueueOwnerAWSAccountId") or call.caller.account_id
    name = QueueName(owner, call.caller.region, parameters["QueueName"])
    queue = sqs.find_named(name)
    if queue is None:
        raise faults.no_queue()
    sqs.check(queue, call)
    return Result({"QueueUrl": url_of(call, name)})


async def list_queues(sqs: SqsService, call: Call) -> Result:
    """The caller's queues by name; in pages when it says how long they are."""
    parameters = call.parameters
    names = sqs.names(
        call.caller.account_id,
        call.caller.region,
        parameters.get("QueueNamePrefix", ""),
        read_token(parameters.get("NextToken")),
    )
    output: dict[str, Any] = page(call, names)
    return Result({"QueueUrls": output["urls"] or None, "NextToken": output["token"]})


async def list_dead_letter_source_queues(sqs: SqsService, call: Call) -> Result:
    """The queues whose dead letters go to this one."""
    queue = sqs.find(call)
    after = read_token(call.parameters.get("NextToken"))
    names = [source.name.name for source in sqs.sources_of(queue.arn)]
    output = page(call, (name for name in names if name > after))
    return Result({"queueUrls": output["urls"], "NextToken": output["token"]})


def url_of(call: Call, name: QueueName) -> str:
    """The queue's URL on the endpoint the caller uses."""
    return f"{call.caller.endpoint}/{name.account_id}/{name.name}"


def page(call: Call, names: Iterable[str]) -> dict[str, Any]:
    """The first names as URLs, and the token of what follows. Raises ``InvalidParameterValue``."""
    asked = call.parameters.get("MaxResults")
    if asked is not None and not 1 <= asked <= _MAX_PAGE:
        reason = f"MaxResults must be an integer between 1 and {_MAX_PAGE}."  # the best known text
        raise faults.invalid_value(asked, "MaxResults", reason)
    size = asked or _MAX_PAGE
    found = list(islice(names, size + 1))
    account_id, region = call.caller.account_id, call.caller.region
    urls = [url_of(call, QueueName(account_id, region, name)) for name in found[:size]]
    # AWS: who does not ask for pages is not told that there is more.
    token = _format_token(found[size - 1]) if asked and len(found) > size else None
    return {"urls": urls, "token": token}


def _format_token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def read_token(token: str | None) -> str:
    """The name to go on after. Raises ``InvalidParameterValue``."""
    try:
        return base64.b64decode((token or "").encode(), b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise faults.invalid("Invalid or expired next token.") from None
