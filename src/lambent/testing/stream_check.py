"""The checker of streams: many records, some poison, a function that fails at random, a platform that is killed.

What has to hold, whatever the seed:
1. Every record is handled, or given up: none lost, none stuck.
2. What is given up is the poison, each record once, after exactly the attempts that are configured.
3. Of each key, records are handled in order. What comes twice was in hand when the platform was killed.
Runs in virtual time, on a fake stream.
"""

import asyncio
import base64
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from lambent.model.errors import ClientFault
from lambent.testing.stream_bench import DESTINATION_ARN, StreamBench
from lambent.testing.streams import FAILED, FakeFunctions, FakeStream

RETRIES = 8
_STEP_S = 5.0
_PATIENCE_S = 40_000.0


@dataclass(slots=True)
class Run:
    """One run's numbers."""

    records: int
    seed: int = 0
    shards: int = 4
    keys: int = 200
    poison: float = 0.01
    failures: float = 0.03
    kills: int = 2
    reports: bool = False
    """Whether the function answers with the lowest failed record, or fails as a whole."""
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What came of it; ``problems`` is empty when everything held."""

    invocations: int = 0
    handled: int = 0
    duplicates: int = 0
    given_up: int = 0
    kills: int = 0
    virtual_s: float = 0.0
    problems: list[str] = field(default_factory=list)


class _Function:
    """Fails on poison always, and at random; remembers what it handled."""

    def __init__(self, run: Run, chance: random.Random) -> None:
        self.handled: dict[str, list[int]] = {}
        self.alone: Counter[int] = Counter()
        self.poison = {n for n in range(run.records) if chance.random() < run.poison}
        self._run = run
        self._chance = chance

    async def __call__(self, event: dict[str, Any]) -> Any:
        """Answers one event."""
        await asyncio.sleep(self._chance.random() * 0.1)
        answer = self._answer(event)
        # What was done is done, even if the platform is killed before it hears of it.
        await asyncio.sleep(self._chance.random() * 0.1)
        return answer

    def _answer(self, event: dict[str, Any]) -> Any:
        pairs = [_content(record) for record in event["Records"]]
        if len(pairs) == 1:
            self.alone[pairs[0][1]] += 1
        luck = self._chance.random()
        if luck < self._run.failures / 3:
            return ClientFault("TooManyRequestsException", "Rate Exceeded.", 429)
        if luck < self._run.failures:
            return FAILED
        bad = next((n for n, (_, number) in enumerate(pairs) if number in self.poison), None)
        if bad is not None and not self._run.reports:
            return FAILED
        for key, number in pairs[:bad]:
            self.handled.setdefault(key, []).append(number)
        if bad is None:
            return None
        sequence_number = event["Records"][bad]["kinesis"]["sequenceNumber"]
        return {"batchItemFailures": [{"itemIdentifier": sequence_number}]}


async def check(run: Run) -> Outcome:
    """Carries a run out. To be called on a loop of :mod:`lambent.testing.virtual_time`."""
    chance = random.Random(run.seed)  # noqa: S311 - to be repeated, not to be secret
    stream = FakeStream(run.shards)
    names = [f"key-{number}" for number in range(run.keys)]
    for number in range(run.records):
        key = number * 7919 % run.keys
        stream.put(names[key], json.dumps(number), shard=key % run.shards)
    function = _Function(run, chance)
    settings: dict[str, Any] = {
        "BatchSize": 100,
        "ParallelizationFactor": 4,
        "MaximumRetryAttempts": RETRIES,
        "BisectBatchOnFunctionError": True,
        "DestinationConfig": {"OnFailure": {"Destination": DESTINATION_ARN}},
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if run.reports else [],
    }
    bench = StreamBench(stream, FakeFunctions(function), **(settings | run.settings))
    outcome = Outcome()
    bench.start()
    await _go_on(bench, function, run, chance, outcome)
    await bench.stop()
    _judge(bench, function, run, outcome)
    return outcome


async def _go_on(
    bench: StreamBench, function: _Function, run: Run, chance: random.Random, outcome: Outcome
) -> None:
    """Until everything is handled or given up; killing the poller meanwhile."""
    loop = asyncio.get_running_loop()
    kill_at = sorted(chance.random() * run.records for _ in range(run.kills))
    while loop.time() < _PATIENCE_S:
        there = sum(len(set(numbers)) for numbers in function.handled.values())
        if kill_at and there > kill_at[0]:
            kill_at.pop(0)
            outcome.kills += 1
            await bench.stop(deadline_s=0)
            bench.start()
        if there + len(bench.outlet.sent) >= run.records:
            break
        await asyncio.sleep(_STEP_S if not kill_at else 0.5)
    outcome.virtual_s = loop.time()


def _judge(bench: StreamBench, function: _Function, run: Run, outcome: Outcome) -> None:
    gone: Counter[int] = Counter()
    for _, outgoing in bench.outlet.sent:
        document = json.loads(outgoing.body)
        info = document["KinesisBatchInfo"]
        if info["batchSize"] != 1:
            outcome.problems.append(f"{info['batchSize']} records were given up together")
        gone[int(info["startSequenceNumber"]) - 1] += 1
    handled = Counter(number for numbers in function.handled.values() for number in numbers)
    outcome.invocations = len(bench.functions.invoked)
    outcome.handled, outcome.given_up = len(handled), len(gone)
    outcome.duplicates = sum(handled.values()) - len(handled)
    problems = outcome.problems
    lost = set(range(run.records)) - handled.keys() - gone.keys()
    problems += [f"{len(lost)} records are lost"] * bool(lost)
    wrong = gone.keys() ^ function.poison
    problems += [f"given up and no poison, or the other way round: {sorted(wrong)[:9]}"] * bool(
        wrong
    )
    twice = [number for number, times in gone.items() if times > 1]
    problems += [f"given up twice: {twice[:9]}"] * bool(twice)
    problems += [f"{key} is out of order" for key, n in function.handled.items() if not _ordered(n)]
    if not outcome.kills:
        problems += [f"{outcome.duplicates} came twice"] * bool(outcome.duplicates)
        few = [number for number in function.poison if function.alone[number] < RETRIES + 1]
        problems += [f"given up too early: {few[:9]}"] * bool(few)


def _ordered(numbers: list[int]) -> bool:
    """Whether what was handled for the first time came in order."""
    first = list(dict.fromkeys(numbers))
    return first == sorted(first)


def _content(record: dict[str, Any]) -> tuple[str, int]:
    kinesis = record["kinesis"]
    return kinesis["partitionKey"], json.loads(base64.b64decode(kinesis["data"]))
