"""For every test: property tests have no clock, and draw the same examples in CI each time.

At a desk they draw new ones, so that new faults are found there and not where they block a merge.
"""

import os

from hypothesis import settings

settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")
