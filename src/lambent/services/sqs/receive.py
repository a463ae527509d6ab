"""ReceiveMessage, at once or after waiting (long polling)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambent.model.call import Call, Result
from lambent.services.sqs import faults
from lambent.services.sqs.attempts import Attempt
from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.redrive import Take, Taken, take
from lambent.services.sqs.service import MAX_WAITING, SqsService, throttled
from lambent.services.sqs.shown import Wanted, read_wanted, show_message
from lambent.services.sqs.visibility import MAX_VISIBILITY_S
from lambent.services.sqs.waiting import Place
from lambent.store.queues.contract import Message, Transaction

MAX_MESSAGES: Final = 10
MAX_WAIT_S: Final = 20
MAX_IN_FLIGHT: Final = 120_000
"""Source: ChangeMessageVisibility in botocore's ``sqs`` model: standard and FIFO queues alike."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A ReceiveMessage request. ``wait_s`` and ``visibility_s`` are None for the queue's own."""

    limit: int
    visibility_s: int | None
    wait_s: int | None
    attempt_id: str | None
    wanted: Wanted


async def receive_message(sqs: SqsService, call: Call) -> Result:
    """Up to ten messages, or none when none comes in time."""
    queue = sqs.find(call)
    asked = _read(call.parameters, queue)
    if asked.attempt_id is not None:
        again = await _receive_again(sqs, queue, asked, asked.attempt_id)
        if again is not None:
            return _answer(sqs, queue, asked, again)
    wait_s = asked.wait_s if asked.wait_s is not None else queue.settings.wait_s
    if wait_s == 0:
        taken = await _take(sqs, queue, asked, tell_next=False)
    else:
        taken = await _wait(sqs, queue, asked, wait_s)
    if asked.attempt_id is not None and taken.messages:
        _remember(sqs, queue, asked.attempt_id, taken)
    return _answer(sqs, queue, asked, taken)


async def _wait(sqs: SqsService, queue: SqsQueue, asked: Asked, wait_s: int) -> Taken:
    if sqs.waiting >= MAX_WAITING:
        raise throttled()
    line = sqs.live(queue).line
    place = line.join()
    sqs.waiting += 1
    filled = False
    try:
        taken = await _take_until(sqs, queue, asked, place, sqs.clock() + wait_s * 1000)
        filled = taken.more or len(taken.messages) >= asked.limit
        return taken
    finally:
        sqs.waiting -= 1
        line.leave(place, wake_next=filled)


async def _take_until(
    sqs: SqsService, queue: SqsQueue, asked: Asked, place: Place, deadline_ms: int
) -> Taken:
    while True:
        place.woken = False
        taken = await _take(sqs, sqs.current(queue), asked, tell_next=True)
        left_ms = deadline_ms - sqs.clock()
        if taken.messages or left_ms <= 0 or sqs.stopping:
            return taken
        if taken.more:
            continue
        woken = await place.sleep(left_ms / 1000, sqs.call_later)
        if not woken:
            return taken


async def _take(sqs: SqsService, queue: SqsQueue, asked: Asked, *, tell_next: bool) -> Taken:
    live, settings = sqs.live(queue), queue.settings
    visibility_s = asked.visibility_s if asked.visibility_s is not None else settings.visibility_s
    dead_letters = sqs.find_arn(queue.dead_letter_arn) if queue.dead_letter_arn else None
    what = Take(
        queue,
        asked.limit,
        visibility_s,
        dead_letters,
        tell_next,
        live.expires_from_ms,
        MAX_IN_FLIGHT,
        live.in_flight_at_most,
    )
    taken = await sqs.run(lambda tx: take(tx, what, sqs.clock), queue)
    live.expires_from_ms = taken.expires_from_ms
    before = taken.in_flight if taken.in_flight is not None else live.in_flight_at_most or 0
    live.in_flight_at_most = before + len(taken.messages)
    if taken.moved and dead_letters is not None:
        sqs.live(dead_letters).expires_from_ms = 0  # it has messages older than it knew of
    if taken.messages:
        live.line.expect(taken.visible_at_ms)
    elif before >= MAX_IN_FLIGHT and not queue.fifo:
        raise faults.over_limit(f"There are {MAX_IN_FLIGHT} messages in flight already.")
    live.line.expect(taken.next_visible_at_ms)
    return taken


async def _receive_again(
    sqs: SqsService, queue: SqsQueue, asked: Asked, attempt_id: str
) -> Taken | None:
    """What the same attempt received before, its visibility timeout begun anew."""
    attempt = sqs.live(queue).attempts.find(attempt_id, sqs.clock())
    if attempt is None:
        return None
    visibility_s = asked.visibility_s
    visible_s = visibility_s if visibility_s is not None else queue.settings.visibility_s

    def work(tx: Transaction) -> Taken | None:
        now_ms = sqs.clock()
        visible_at_ms = now_ms + visible_s * 1000
        held = _held(tx, queue, attempt, now_ms)
        if held is None:
            return None
        for message in held:
            tx.change_visibility(queue.queue_id, message.receipt, visible_at_ms, now_ms)
        return Taken(held, now_ms, visible_at_ms)

    taken = await sqs.run(work, queue)
    if taken is not None:
        sqs.expect(queue, taken.visible_at_ms)
        _remember(sqs, queue, attempt_id, taken)
    return taken


def _held(tx: Transaction, queue: SqsQueue, attempt: Attempt, now_ms: int) -> list[Message] | None:
    """The attempt's messages, if all of them are as it left them."""
    held = []
    for receipt in attempt.receipts:
        message = tx.find(queue.queue_id, receipt.sequence)
        if message is None or message.receipt != receipt or message.visible_at_ms <= now_ms:
            return None
        if message.visible_at_ms != attempt.visible_at_ms:
            return None
        held.append(message)
    return held


def _remember(sqs: SqsService, queue: SqsQueue, attempt_id: str, taken: Taken) -> None:
    receipts = tuple(message.receipt for message in taken.messages)
    attempt = Attempt(receipts, taken.now_ms, taken.visible_at_ms)
    sqs.live(queue).attempts.remember(attempt_id, attempt)


def _answer(sqs: SqsService, queue: SqsQueue, asked: Asked, taken: Taken) -> Result:
    if not taken.messages:
        return Result()
    shown = [
        show_message(sqs.receipts, queue, message, asked.wanted, taken.now_ms)
        for message in taken.messages
    ]
    return Result({"Messages": shown})


def _read(parameters: Mapping[str, Any], queue: SqsQueue) -> Asked:
    limit = parameters.get("MaxNumberOfMessages", 1)
    if not 1 <= limit <= MAX_MESSAGES:
        reason = f"Must be between 1 and {MAX_MESSAGES}, if provided."
        raise faults.invalid_value(limit, "MaxNumberOfMessages", reason)
    wait_s = parameters.get("WaitTimeSeconds")
    if wait_s is not None and not 0 <= wait_s <= MAX_WAIT_S:
        reason = f"Must be >= 0 and <= {MAX_WAIT_S}, if provided."
        raise faults.invalid_value(wait_s, "WaitTimeSeconds", reason)
    visibility_s = parameters.get("VisibilityTimeout")
    if visibility_s is not None and not 0 <= visibility_s <= MAX_VISIBILITY_S:
        reason = f"Must be >= 0 and <= {MAX_VISIBILITY_S}, if provided."
        raise faults.invalid_value(visibility_s, "VisibilityTimeout", reason)
    attempt_id = parameters.get("ReceiveRequestAttemptId")
    if attempt_id is not None:
        _check_attempt(attempt_id, queue)
    return Asked(limit, visibility_s, wait_s, attempt_id, read_wanted(parameters))


def _check_attempt(attempt_id: str, queue: SqsQueue) -> None:
    if not queue.fifo:
        raise faults.invalid_value(
            attempt_id[:256], "ReceiveRequestAttemptId", faults.NOT_FOR_THIS_TYPE
        )
    is_plain = attempt_id.isascii() and attempt_id.isprintable() and " " not in attempt_id
    if not (is_plain and 1 <= len(attempt_id) <= 128):
        raise faults.invalid_value(
            attempt_id[:256],
            "ReceiveRequestAttemptId",
            "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. "
            "1 to 128 in length.",
        )
