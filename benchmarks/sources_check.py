"""Checks the promises of stream event sources: records through 4 shards, 1% poison, random failures, kills.

    python benchmarks/sources_check.py [RECORDS] [SEEDS]

On a fake stream in virtual time. Exits with 1 when a promise is broken.
"""

import sys
import time

from lambent.testing.stream_check import Outcome, Run, check
from lambent.testing.virtual_time import run_virtual


def main() -> int:
    """Runs every variant with every seed."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    broken = 0
    print(
        "variant   seed  records  handled  given up  duplicates  invocations  kills  virtual s  s"
    )
    for seed in range(seeds):
        for name, reports in (("fails", False), ("reports", True)):
            begun_s = time.perf_counter()
            outcome = _run(Run(records, seed=seed, reports=reports))
            print(
                f"{name:8}  {seed:4}  {records:7}  {outcome.handled:7}  {outcome.given_up:8}"
                f"  {outcome.duplicates:10}  {outcome.invocations:11}  {outcome.kills:5}"
                f"  {outcome.virtual_s:9.0f}  {time.perf_counter() - begun_s:.0f}"
            )
            for problem in outcome.problems:
                print(f"  BROKEN: {problem}")
            broken += bool(outcome.problems)
    return 1 if broken else 0


def _run(run: Run) -> Outcome:
    outcomes: list[Outcome] = []

    async def go() -> None:
        outcomes.append(await check(run))

    run_virtual(go())
    return outcomes[0]


if __name__ == "__main__":
    sys.exit(main())
