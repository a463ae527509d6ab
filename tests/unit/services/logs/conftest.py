"""A logs service in a temporary directory, with a clock that tests move."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from lambent.model.call import Call, Caller
from lambent.services.logs.registry import OPERATIONS
from lambent.services.logs.service import LogsService

MODEL = ServiceModel(Loader().load_service_model("logs", "service-2"))
NOW_MS = 1_760_000_000_000


class Clock:
    """Unix milliseconds that stand still until a test moves them."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logs(tmp_path: Path, clock: Clock) -> Iterator[LogsService]:
    service = LogsService(tmp_path, clock)
    yield service
    service.stop()


@pytest.fixture
def ask(logs: LogsService) -> Callable[..., Any]:
    """``ask("GetLogEvents", logGroupName=…)`` → the output, checked against botocore's model."""

    def call(operation: str, *, account: str = "000000000000", **parameters: Any) -> Any:
        caller = Caller(account, "us-east-1", "request")
        output = OPERATIONS[operation](logs, Call("logs", operation, parameters, caller)).output
        shape = MODEL.operation_model(operation).output_shape
        report = ParamValidator().validate(dict(output), shape) if shape else None
        assert not (report.generate_report() if report else output)
        return output

    return call


@pytest.fixture
def say(logs: LogsService) -> Callable[..., None]:
    """``say("line", at=5, stream="s")``: append one event as a function would."""

    def append(message: str, at: int = 0, stream: str = "s", group: str = "g") -> None:
        logs.writer.append(
            "000000000000", "us-east-1", group, stream, NOW_MS + at, message.encode()
        )

    return append
