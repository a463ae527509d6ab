"""Moving a dead-letter queue's messages back, by SQS's own task: it goes on when the command ends."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lambent.cli.dead_letter_queue import DeadLetterQueue

if TYPE_CHECKING:
    from rich.progress import Progress

ASK_EVERY_S = 0.2


def move_back(
    sqs: Any,
    queue: DeadLetterQueue,
    bar: "Progress",
    to: str | None,
    rate: int | None,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Starts the task and follows it: its last state. Interrupted, the task goes on by itself."""
    optional = {"DestinationArn": to, "MaxNumberOfMessagesPerSecond": rate}
    given = {key: value for key, value in optional.items() if value is not None}
    handle = sqs.start_message_move_task(SourceArn=queue.arn, **given)["TaskHandle"]
    shown = bar.add_task("moving", total=queue.visible)
    try:
        while True:
            tasks = sqs.list_message_move_tasks(SourceArn=queue.arn)["Results"]
            state: dict[str, Any] = tasks[0]  # AWS: the most recent one first
            bar.update(shown, completed=state.get("ApproximateNumberOfMessagesMoved", 0))
            if state["Status"] not in {"RUNNING", "CANCELLING"}:
                return state
            pause(ASK_EVERY_S)
    except KeyboardInterrupt:
        bar.console.print(
            f"The move goes on. To end it: aws sqs cancel-message-move-task --task-handle {handle}",
            markup=False,
        )
        raise
