"""What the tests of SQS share."""

import pytest

from lambent.testing.sqs import FakeSqs


@pytest.fixture
def sqs() -> FakeSqs:
    """SQS on a store in memory."""
    return FakeSqs()
