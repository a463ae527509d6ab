"""For every test: property tests have no clock, and draw the same examples in CI each time.

At a desk they draw new ones, so that new faults are found there and not where they block a merge.
"""

import os

from hypothesis import settings

from lambent.testing.parity_table import pytest_runtest_setup, pytest_terminal_summary

__all__ = ["pytest_runtest_setup", "pytest_terminal_summary"]
"""Hooks of pytest's: what the parity cases covered is printed by whichever process sums a run up."""

settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")
