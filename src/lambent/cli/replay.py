"""Replaying dead letters: to the function they came from, and out of the queue once they were accepted.

1. A message is deleted only after the function's event is accepted (on disk), or, when waiting, after the
   function succeeded. Ended at any moment, the message is still in the queue; ended between the two, it
   will be replayed once more.
2. What failed again comes back as a new message: only what was in the queue before is replayed.
3. Of messages with one request id the first is replayed; the others stay, unless they are named.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lambent.cli.client import INVOKE_READ_TIMEOUT_S
from lambent.cli.dead_letter_queue import HOLD_S, DeadLetterQueue
from lambent.cli.dead_letters import DeadLetter, mark_duplicates

WAIT_HOLD_S = int(INVOKE_READ_TIMEOUT_S) + 30
"""A message is held for longer than a function may run."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one: ``state`` is ``replayed``, ``failed``, ``skipped``; ``note`` says why."""

    letter: DeadLetter
    state: str
    function: str = ""
    request_id: str = ""
    note: str = ""


class Replay:
    """Replays by ``functions`` (a boto3 client of Lambda). ``function`` is for letters that name none."""

    def __init__(
        self, queue: DeadLetterQueue, functions: Any, function: str | None, *, wait: bool
    ) -> None:
        self._queue = queue
        self._functions = functions
        self._function = function
        self._wait = wait

    def every(
        self, now_ms: Callable[[], int] = lambda: time.time_ns() // 10**6
    ) -> Iterator[Replayed]:
        """All that is there now, as it is found."""
        started_ms, seen = now_ms(), set[str]()
        letters = self._queue.letters(
            WAIT_HOLD_S if self._wait else HOLD_S, 1 if self._wait else 10
        )
        for number, letter in enumerate(letters):
            if letter.sent_at_ms > started_ms or number >= self._queue.visible:
                yield Replayed(letter, "skipped", note="it came after the start")
                if number >= 2 * self._queue.visible:
                    return  # somebody fills the queue as fast as it is read
                continue
            again = letter.request_id in seen and bool(letter.request_id)
            seen.add(letter.request_id)
            if again:
                one = replace(letter, is_duplicate=True)
                yield Replayed(one, "skipped", note="a duplicate of one before")
            else:
                yield self._one(letter)

    def named(self, text: str) -> list[Replayed]:
        """Those of one request id or message id: the first of them."""
        letters = mark_duplicates(x for x in self._queue.letters() if x.is_named(text))
        done = []
        for number, letter in enumerate(letters):
            if number:
                note = "a duplicate of one before; name it by its message id"
                done.append(Replayed(letter, "skipped", note=note))
                continue
            if self._wait:
                self._queue.hold(letter, WAIT_HOLD_S)
            done.append(self._one(letter))
        return done

    def _one(self, letter: DeadLetter) -> Replayed:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        function = letter.function_arn or self._function or ""
        if letter.event is None:
            note = "it holds no event; lambent dlq NAME redrive moves messages to their queue"
            return Replayed(letter, "skipped", function, note=note)
        if not function:
            return Replayed(letter, "skipped", note="it names no function: give --function")
        try:
            request_id, failure = self._invoke(function, letter.event)
        except (BotoCoreError, ClientError) as error:
            return Replayed(letter, "failed", function, note=str(error))
        if failure:
            return Replayed(letter, "failed", function, request_id, failure)
        self._queue.delete(letter)
        return Replayed(letter, "replayed", function, request_id)

    def _invoke(self, function: str, event: bytes) -> tuple[str, str]:
        """The new request id, and how the function failed, if it was waited for."""
        kind = "RequestResponse" if self._wait else "Event"
        answer = self._functions.invoke(FunctionName=function, InvocationType=kind, Payload=event)
        payload = answer["Payload"].read()
        request_id = str(answer["ResponseMetadata"]["RequestId"])
        if "FunctionError" not in answer:
            return request_id, ""
        return request_id, f"{answer['FunctionError']}: {payload.decode(errors='replace')[:200]}"
