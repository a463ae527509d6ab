"""The service's life: started, swept once a minute, stopped."""

import asyncio
import logging
from functools import partial
from typing import Final

from lambent.services.sqs.move_tasks import resume_tasks
from lambent.services.sqs.queue import SqsQueue
from lambent.services.sqs.queues import DELETED_MS
from lambent.services.sqs.redrive import expire
from lambent.services.sqs.service import KIND, SqsService
from lambent.store.queues.contract import Transaction

SWEEP_S: Final = 60.0
_QUEUES: Final = 50
"""POLICY: queues a transaction of the sweep looks at."""
_SLICE: Final = 200
"""POLICY: expired messages it deletes of one queue."""
_log = logging.getLogger("lambent.sqs")


async def start(sqs: SqsService) -> None:
    """Reads the queues, goes on with move tasks, and sweeps from then on."""
    await sqs.start()
    await resume_tasks(sqs)
    sqs.sweeper = asyncio.get_running_loop().create_task(_sweep_always(sqs))


async def stop(sqs: SqsService) -> None:
    """Sends waiting receivers away, and ends what runs in the background."""
    tasks = [*sqs.background, *filter(None, (sqs.sweeper,))]
    sqs.stop()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _sweep_always(sqs: SqsService) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        try:
            await sweep(sqs)
        except Exception:
            _log.exception("expired messages could not be swept")


async def sweep(sqs: SqsService) -> None:
    """Deletes messages older than their queue's retention, whether anybody receives or not."""
    await sqs.run(lambda tx: _forget_deleted(tx, sqs.clock()))
    now_ms = sqs.clock()
    due = [queue for queue in sqs.queues() if sqs.live(queue).expires_from_ms <= now_ms]
    while due:
        some, due = due[:_QUEUES], due[_QUEUES:]
        found = await sqs.run(partial(_expire, some, sqs.clock()))
        for queue, expires_from_ms in zip(some, found, strict=True):
            sqs.live(queue).expires_from_ms = expires_from_ms
            if expires_from_ms <= now_ms:
                due.append(queue)


def _expire(queues: list[SqsQueue], now_ms: int, tx: Transaction) -> list[int]:
    there = (tx.find_queue(queue.name.key) for queue in queues)
    return [
        expire(tx, queue, now_ms, _SLICE) if found is not None else now_ms + 1
        for queue, found in zip(queues, there, strict=True)
    ]


def _forget_deleted(tx: Transaction, now_ms: int) -> None:
    """Names whose minute is over are free; what was remembered of them goes."""
    for key, deleted_ms in tx.list_records(KIND, "deleted/", None, 1_000):
        if now_ms - int(deleted_ms) >= DELETED_MS:
            tx.delete_record(KIND, key)
