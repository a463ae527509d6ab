"""``lambent invoke --duplicate``: an event delivered several times under one request id."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

LAMBENT = Path(sys.executable).parent / "lambent"
CODE = """
def handler(event, context):
    print("RAN", context.aws_request_id, event["n"])
"""


def run(platform: Any, *words: str) -> Any:
    """The command line as a process of its own."""
    environment = os.environ | {"AWS_ENDPOINT_URL": platform.url}
    return subprocess.run(
        [LAMBENT, "invoke", *words],
        capture_output=True, text=True, timeout=60, env=environment, check=False,
    )  # fmt: skip


def test_an_event_is_delivered_so_often(
    platform: Any, deploy: Callable[..., Any], logs: Any, poll: Callable[..., Any]
) -> None:
    """Twelve times (more than run at once), each with the request id that was printed, the same event."""
    function = deploy(CODE)
    done = run(platform, function.name, "-p", '{"n": 7}', "--duplicate", "12")
    assert (done.returncode, done.stderr) == (0, "")
    wanted = [f"RAN {done.stdout.strip()} 7"] * 12

    def ran() -> list[str]:
        found = logs.filter_log_events(
            logGroupName=f"/aws/lambda/{function.name}", filterPattern="RAN"
        )
        return [event["message"].strip() for event in found["events"]]

    poll(lambda: len(ran()) >= 12, 20, "twelve deliveries")
    assert ran() == wanted


def test_what_does_not_go_together_is_said(platform: Any, deploy: Callable[..., Any]) -> None:
    """One is no duplicate, an event has no client context, and a function has to be there."""
    function = deploy(CODE)
    assert run(platform, function.name, "-p", "{}", "--duplicate", "1").returncode == 2
    more = ("--duplicate", "2", "--client-context", "{}")
    assert run(platform, function.name, "-p", "{}", *more).returncode == 2
    gone = run(platform, "no-such-function", "-p", "{}", "--duplicate", "2")
    assert gone.returncode == 1
    assert "ResourceNotFoundException" in gone.stderr
