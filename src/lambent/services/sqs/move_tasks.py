"""StartMessageMoveTask, ListMessageMoveTasks, CancelMessageMoveTask: dead letters taken back.

A running task is a coroutine that moves a few messages a transaction; what it has done is written in
the same one, so that a restart goes on where it was.
"""

import asyncio
import base64
import binascii
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault, PlatformFault
from lambent.services.sqs import faults
from lambent.services.sqs.moves import (
    CANCELLING,
    KIND,
    RUNNING,
    MoveTask,
    read_task,
    step,
    task_prefix,
)
from lambent.services.sqs.names import parse_arn
from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.service import SqsService
from lambent.services.sqs.waiting import Place
from lambent.store.queues.contract import Transaction

MAX_RATE: Final = 500
MAX_RESULTS: Final = 10
MAX_ACTIVE: Final = 100
"""Source: "Quotas related to message move tasks" of the developer guide."""
_AGAIN_S: Final = 5.0
"""POLICY: how long a task rests when the store cannot serve it."""
_SLICE: Final = 100
"""POLICY: messages a transaction moves when no rate is set: others get their turn between."""


async def start_message_move_task(sqs: SqsService, call: Call) -> Result:
    """Starts to move what can be received from a dead-letter queue, back to where it came from or on."""
    parameters = call.parameters
    source_arn, destination_arn = parameters["SourceArn"], parameters.get("DestinationArn")
    rate = parameters.get("MaxNumberOfMessagesPerSecond")
    if rate is not None and not 1 <= rate <= MAX_RATE:
        reason = f"Must be between 1 and {MAX_RATE}, if provided."  # the best known text
        raise faults.invalid_value(rate, "MaxNumberOfMessagesPerSecond", reason)
    async with sqs.changes:
        source = _find(sqs, call, source_arn, "SourceArn")
        if not sqs.sources_of(source_arn):
            raise faults.invalid("Source queue must be configured as a Dead Letter Queue.")
        if destination_arn is not None:
            destination = _find(sqs, call, destination_arn, "DestinationArn")
            if destination.fifo != source.fifo or destination is source:  # the best known text
                reason = "Must be another queue of the same type as the source."
                raise faults.invalid_value(destination_arn, "DestinationArn", reason)
        if len(sqs.background) >= MAX_ACTIVE:
            raise faults.over_limit(f"{MAX_ACTIVE} message move tasks are active already.")
        task = await sqs.run(lambda tx: _start(tx, sqs, source, destination_arn, rate))
    run_task(sqs, task)
    return Result({"TaskHandle": _format_handle(task)})


def _start(
    tx: Transaction, sqs: SqsService, source: SqsQueue, destination: str | None, rate: int | None
) -> MoveTask:
    now_ms = sqs.clock()
    known = _tasks(tx, source.arn)
    if any(task.active for task in known):
        raise faults.invalid(
            "There is already a task running. Only one active task is allowed for a source queue "
            "arn at a given time."
        )
    for old in known[MAX_RESULTS - 1 :]:
        tx.delete_record(KIND, old.key)
    if known:  # two tasks of one millisecond would be one record
        now_ms = max(now_ms, known[0].started_at_ms + 1)
    to_move = tx.count(source.queue_id, now_ms).visible
    return MoveTask(str(uuid.uuid4()), source.arn, destination, rate, now_ms, to_move).save(tx)


async def list_message_move_tasks(sqs: SqsService, call: Call) -> Result:
    """The latest tasks of a dead-letter queue; one unless told otherwise."""
    limit = call.parameters.get("MaxResults", 1)
    if not 1 <= limit <= MAX_RESULTS:
        reason = (
            f"MaxResults must be an integer between 1 and {MAX_RESULTS}."  # the best known text
        )
        raise faults.invalid_value(limit, "MaxResults", reason)
    source = _find(sqs, call, call.parameters["SourceArn"], "SourceArn")
    tasks = await sqs.run(lambda tx: _tasks(tx, source.arn)[:limit])
    return Result({"Results": [_show(task) for task in tasks]})


async def cancel_message_move_task(sqs: SqsService, call: Call) -> Result:
    """Stops a running task after what it is moving now."""
    task_id, source_arn = _parse_handle(call.parameters["TaskHandle"])
    source = _find(sqs, call, source_arn, "SourceArn")

    def work(tx: Transaction) -> MoveTask:
        for task in _tasks(tx, source.arn):
            if task.task_id == task_id:
                if task.status != RUNNING:  # the best known text
                    text = "Only active message movement tasks can be cancelled."
                    raise ClientFault("UnsupportedOperation", text)
                return replace(task, status=CANCELLING).save(tx)
        raise ClientFault("ResourceNotFoundException", "Task does not exist.", 404)

    task = await sqs.run(work)
    return Result({"ApproximateNumberOfMessagesMoved": task.moved})


async def resume_tasks(sqs: SqsService) -> None:
    """Goes on with the tasks that were running when the platform stopped."""
    after: str | None = None
    while True:
        page = await sqs.run(partial(_page, after))
        for _, document in page:
            task = read_task(document)
            if task.active:
                run_task(sqs, task)
        if not page:
            return
        after = page[-1][0]


def _page(after: str | None, tx: Transaction) -> list[tuple[str, str]]:
    return tx.list_records(KIND, "", after, 100)


def run_task(sqs: SqsService, task: MoveTask) -> None:
    """Moves messages in the background until the task is done."""
    sqs.spawn(_run(sqs, task))


async def _run(sqs: SqsService, task: MoveTask) -> None:
    size = _SLICE if task.rate is None else max(1, task.rate // 10)
    now: MoveTask | None = task
    while now is not None and now.active and not sqs.stopping:
        source = sqs.find_arn(task.source_arn)
        retention_ms = source.settings.retention_s * 1000 if source is not None else 0
        try:
            now = await sqs.run(partial(_step, task.key, size, retention_ms, sqs.clock))
        except PlatformFault:  # the disk is full, say: the task is not over
            await _pause(sqs, _AGAIN_S)
            continue
        await _pause(sqs, size / task.rate if task.rate is not None else 0.0)


def _step(
    key: str, size: int, retention_ms: int, clock: Callable[[], int], tx: Transaction
) -> MoveTask | None:
    return step(tx, key, size, retention_ms, clock)


async def _pause(sqs: SqsService, seconds: float) -> None:
    if not seconds:
        await asyncio.sleep(0)
        return
    await Place().sleep(seconds, sqs.call_later)


def _find(sqs: SqsService, call: Call, arn: str, parameter: str) -> SqsQueue:
    """The caller's queue of that ARN."""
    name = parse_arn(arn)
    if name is None:
        raise faults.invalid(
            f"You must use this format to specify the {parameter}: "
            "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        )
    queue = sqs.find_named(name)
    if queue is None or name[:2] != (call.caller.account_id, call.caller.region):
        raise faults.not_there(parameter)
    sqs.check(queue, call)
    return queue


def _tasks(tx: Transaction, source_arn: str) -> list[MoveTask]:
    rows = tx.list_records(KIND, task_prefix(source_arn), None, MAX_RESULTS + 1)
    return [read_task(document) for _, document in rows]


def _show(task: MoveTask) -> dict[str, Any]:
    """AWS: a task is given its handle only while it runs."""
    return {
        "TaskHandle": _format_handle(task) if task.status == RUNNING else None,
        "Status": task.status,
        "SourceArn": task.source_arn,
        "DestinationArn": task.destination_arn,
        "MaxNumberOfMessagesPerSecond": task.rate,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "FailureReason": task.failure,
        "StartedTimestamp": task.started_at_ms,
    }


def _format_handle(task: MoveTask) -> str:
    document = json.dumps({"taskId": task.task_id, "sourceArn": task.source_arn})
    return base64.b64encode(document.encode()).decode()


def _parse_handle(text: str) -> tuple[str, str]:
    try:
        document = json.loads(base64.b64decode(text, validate=True))
        task_id, source_arn = document["taskId"], document["sourceArn"]
    except (binascii.Error, ValueError, RecursionError, KeyError, TypeError):
        raise faults.invalid("Value for parameter TaskHandle is invalid.") from None
    if not isinstance(task_id, str) or not isinstance(source_arn, str):
        raise faults.invalid("Value for parameter TaskHandle is invalid.")
    return task_id, source_arn
