"""How many stem cells wait: as many as were started at once, as many as the operator says, or none."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

SOURCE = """
    def handler(event, context):
        return context.function_name
"""
_AT_ONCE = 12


@pytest.mark.parametrize(("option", "least", "most"), [("auto", 6, _AT_ONCE), ("3", 3, 3)])
def test_after_a_burst_as_many_wait(
    start_platform: Callable[..., Any],
    zip_of: Any,
    tmp_path: Path,
    poll: Any,
    option: str,
    least: int,
    most: int,
) -> None:
    """Twelve starts at once want twelve the next time, where no number is said; health says how many and why."""
    platform = start_platform(tmp_path / "data", "--stem-cells", option)
    if platform.get_health()["sandbox"]["kind"] != "namespaces":
        pytest.skip("functions are not isolated here: nothing is made ahead")
    functions = platform.client("lambda")
    names = [f"f{n}" for n in range(_AT_ONCE)]
    for name in names:
        functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role="arn:aws:iam::000000000000:role/e2e",
            Handler="app.handler",
            Timeout=20,
            Code={"ZipFile": zip_of({"app.py": SOURCE})},
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=name)

    def invoke(name: str) -> bool:
        payload = functions.invoke(FunctionName=name, Payload=b"{}")["Payload"].read()
        return bool(payload == f'"{name}"'.encode())

    def ahead() -> dict[str, Any]:
        (found,) = platform.get_health()["sandbox"]["ahead"]["kinds"]
        return dict(found)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        assert all(pool.map(invoke, names))
    poll(lambda: ahead()["waiting"] == ahead()["number"] >= least, 20, "as many as are wanted")
    found = ahead()
    assert least <= found["waiting"] <= most
    if option == "auto":
        # Requests of one process may reach a busy machine in two bursts.
        assert found["wanted_at_once"] == found["number"]
        assert found["because"] == "as many as were started at once lately"
    assert platform.get_health()["sandbox"]["stem_cells"] == found["waiting"]
