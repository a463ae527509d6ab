"""For every test: property tests have no clock, and draw the same examples in CI each time.

At a desk they draw new ones, so that new faults are found there and not where they block a merge.
"""

import os

import pytest
from hypothesis import settings

from lambent.node.java.runtimes import find_javas
from lambent.node.nodejs.runtimes import find_nodes
from lambent.node.ruby.runtimes import find_rubies
from lambent.testing.parity_table import pytest_runtest_setup, pytest_terminal_summary

__all__ = ["pytest_runtest_setup", "pytest_terminal_summary"]
"""Hooks of pytest's: what the parity cases covered is printed by whichever process sums a run up."""

settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


@pytest.fixture(autouse=True)
def prepared_runtimes_anew() -> None:
    """Each process remembers what is prepared; some tests look for it in a directory of their own."""
    for find in (find_javas, find_nodes, find_rubies):
        find.cache_clear()
