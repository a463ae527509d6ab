"""Kills under mixed load: events, queues and a topic keep every promise. ``scripts/soak`` makes fifty."""

import os
import subprocess
import sys
from pathlib import Path

SANDBOX = os.environ.get("LAMBENT_E2E_SANDBOX", "auto")
ROOT = Path(__file__).parents[2]


def test_kills_break_no_promise() -> None:
    """Nothing acknowledged is lost, stored twice, delivered after its deletion, or out of its group's order."""
    command = [sys.executable, "-m", "benchmarks.durability", "--kills", "4", "--sandbox", SANDBOX]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kills, 0 faults" in done.stdout
