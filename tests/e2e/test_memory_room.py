"""The operator says how much memory functions may be promised, and it is never more."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.e2e.conftest import needs_snap_start

SOURCE = """
    import time
    def handler(event, context):
        if event.get("until"):
            while context.get_remaining_time_in_millis() > event["until"]:
                time.sleep(0.01)
        return context.function_name
"""


def test_no_more_is_promised_than_there_is(
    start_platform: Callable[..., Any], zip_of: Any, tmp_path: Path, poll: Any
) -> None:
    """With 400 MB two functions of 256 take turns; while one works the other is refused, 503."""
    platform = start_platform(tmp_path / "data", "--max-memory", "400", "--stem-cells", "0")
    functions = platform.client("lambda")
    for name in ("a", "b"):
        functions.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role="arn:aws:iam::000000000000:role/e2e",
            Handler="app.handler",
            MemorySize=256,
            Timeout=20,
            Code={"ZipFile": zip_of({"app.py": SOURCE})},
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=name)

    def invoke(name: str, event: Any) -> Any:
        return json.load(functions.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"])

    for name in ("a", "b", "a", "b"):
        assert invoke(name, {}) == name
        poll(lambda: platform.get_health()["environments"]["idle"] == 1, 5, "one to be idle")
    busy = threading.Thread(target=invoke, args=("a", {"until": 16_000}))
    busy.start()
    poll(lambda: platform.get_health()["environments"]["busy"] == 1, 5, "one to be busy")
    with pytest.raises(ClientError) as caught:
        invoke("b", {})
    assert caught.value.response["Error"]["Code"] == "ServiceException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert "--max-memory" in caught.value.response["Error"]["Message"]
    busy.join()
    poll(lambda: platform.get_health()["environments"]["idle"] == 1, 5, "it to be idle again")
    assert invoke("b", {}) == "b"


SNAP = """
    import os
    HELD = bytearray(40 << 20)
    def handler(event, context):
        return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""


def test_what_was_made_ahead_and_templates_make_room(
    start_platform: Callable[..., Any], zip_of: Any, tmp_path: Path, poll: Any
) -> None:
    """With 400 MB a version's template goes for another function, and is made again; nobody sees an error."""
    platform = start_platform(tmp_path / "data", "--max-memory", "400")
    needs_snap_start(platform)
    functions = platform.client("lambda")

    def create(name: str, memory_mib: int, source: str, **settings: Any) -> None:
        functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role="arn:aws:iam::000000000000:role/e2e",
            Handler="app.handler",
            MemorySize=memory_mib,
            Timeout=20,
            Code={"ZipFile": zip_of({"app.py": source})},
            **settings,
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=name)

    def invoke(name: str, **settings: Any) -> Any:
        return json.load(functions.invoke(FunctionName=name, Payload=b"{}", **settings)["Payload"])

    def sandbox() -> dict[str, Any]:
        found = platform.get_health()["sandbox"]
        assert found["ahead"]["held_bytes"] <= 400 << 20
        return dict(found)

    create("snap", 256, SNAP, SnapStart={"ApplyOn": "PublishedVersions"})
    create("large", 380, SOURCE)
    functions.publish_version(FunctionName="snap")
    functions.get_waiter("published_version_active").wait(FunctionName="snap", Qualifier="1")
    poll(lambda: sandbox()["forks_ahead"], 10, "a fork to be made ahead")
    for _ in range(2):
        assert invoke("snap", Qualifier="1") == "snap-start"
        assert sandbox()["templates"] == 1
        poll(lambda: platform.get_health()["environments"]["idle"] == 1, 5, "it to be idle")
        assert invoke("large") == "large"
        assert sandbox()["templates"] == 0
        poll(lambda: sandbox()["forks_ahead"] == 0, 5, "what was forked of it to go too")
        poll(lambda: platform.get_health()["environments"]["idle"] == 1, 5, "it to be idle")
