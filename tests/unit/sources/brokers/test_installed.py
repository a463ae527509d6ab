"""Clients that are not installed: a mapping is refused with what to install, and nothing else breaks."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from lambent.model.errors import AwsError
from lambent.sources.kafka import client as kafka
from lambent.sources.rabbitmq import client as rabbitmq

BLOCKED = """
import sys
sys.modules.update(dict.fromkeys(["aiokafka", "aiormq", "yarl", "pamqp"]))
import lambent.app
import lambent.sources.kinds
"""


@pytest.mark.parametrize(
    ("module", "check", "text"),
    [
        ("aiokafka", kafka.check_installed, r"pip install 'lambent\[kafka\]'"),
        ("aiormq", rabbitmq.check_installed, r"pip install 'lambent\[rabbitmq\]'"),
    ],
)
def test_a_client_that_is_not_installed_is_named(
    module: str, check: Callable[[], None], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """501 with the group to install; nothing with it."""
    check()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(AwsError, match=text) as refused:
        check()
    assert refused.value.status == 501


def test_the_platform_does_without_them() -> None:
    """Nothing of the platform imports a client before a mapping needs it."""
    subprocess.run([sys.executable, "-c", BLOCKED], check=True, timeout=60)
