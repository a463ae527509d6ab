"""What a function is started with."""

from collections.abc import Mapping
from typing import Any

import pytest

from lambent.node.entrypoint import choose_entry
from lambent.node.environ import build_environ
from lambent.testing.node import make_spec

COMMAND = ["/usr/bin/python3", "/var/runtime/bootstrap.py"]
WRAPPER = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}


@pytest.mark.parametrize(
    ("runtime", "environment", "opt", "expected"),
    [
        ("python3.11", {}, "/opt", None),
        ("python3.11", {"AWS_LAMBDA_EXEC_WRAPPER": ""}, "/opt", None),
        ("python3.11", WRAPPER, "/opt", {"wrapper": "/opt/wrap", "command": COMMAND}),
        ("nodejs22.x", {}, None, {"command": COMMAND}),
        ("nodejs22.x", WRAPPER, None, {"wrapper": "/opt/wrap", "command": COMMAND}),
        ("provided.al2", {}, None, {"bootstraps": ["/task/bootstrap"]}),
        ("provided.al2023", WRAPPER, "/opt", {"bootstraps": ["/task/bootstrap", "/opt/bootstrap"]}),
    ],
)
def test_the_entry_goes_by_runtime_and_wrapper(
    runtime: str, environment: Mapping[str, str], opt: str | None, expected: Any
) -> None:
    """A wrapper is for our runtimes, a bootstrap for one's own; the function's comes before a layer's."""
    spec = make_spec(runtime=runtime, environment=environment)
    assert choose_entry(spec, "/task", opt, COMMAND) == expected


@pytest.mark.parametrize(
    ("runtime", "there"), [("python3.11", True), ("nodejs22.x", True), ("provided.al2023", False)]
)
def test_managed_runtimes_have_variables_of_their_own(runtime: str, there: bool) -> None:
    """AWS_EXECUTION_ENV is not defined for a runtime that the function brings along."""
    environ = build_environ(make_spec(runtime=runtime), "stream", {})
    assert (environ.get("AWS_EXECUTION_ENV") == f"AWS_Lambda_{runtime}") == there
    assert ("PYTHONPATH" in environ) == runtime.startswith("python")
