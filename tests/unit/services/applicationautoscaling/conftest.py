"""Auto scaling over a control plane with one provisionable alias, and a clock that tests move."""

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lambent.control import lifecycle
from lambent.control.plane import ControlPlane
from lambent.control.registry import OPERATIONS as LAMBDA
from lambent.model.call import Call, Caller, Result
from lambent.model.provisioned import ProvisionedStatus
from lambent.services.applicationautoscaling import (
    activities,
    policies,
    scheduled_actions,
    tags,
    targets,
)
from lambent.services.applicationautoscaling.scaler import Scaler
from lambent.store.code import CodeStore
from lambent.store.database import Database

RESOURCE = "function:f:live"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f:live"
_MODULES = (activities, policies, scheduled_actions, tags, targets)
COMMON = {
    "ServiceNamespace": "lambda",
    "ScalableDimension": "lambda:function:ProvisionedConcurrency",
    "ResourceId": RESOURCE,
}


@dataclass
class ScalingPlace:
    """Is its own service: operations run at once."""

    plane: ControlPlane
    scaler: Scaler
    clock: "Clock"
    time_scale: int = 1
    ready: dict[str, ProvisionedStatus] = field(default_factory=dict)

    def now(self) -> datetime:
        return self.clock().astimezone(UTC)

    def call(self, operation: str, *, account_id: str = "000000000000", **more: Any) -> Call:
        """A call of an operation; None takes a common parameter away."""
        common = {} if "ResourceARN" in more else COMMON
        given = {k: v for k, v in (common | more).items() if v is not None}
        caller = Caller(account_id, "us-east-1", "r")
        return Call("application-autoscaling", operation, given, caller)

    def __call__(self, operation: str, **more: Any) -> Any:
        """The output of an operation."""
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in operation)[1:]
        function = next(getattr(m, name) for m in _MODULES if hasattr(m, name))
        return function(self, self.call(operation, **more)).output

    def register(self, low: int = 1, high: int = 10) -> str:
        """A target."""
        arn: str = self("RegisterScalableTarget", MinCapacity=low, MaxCapacity=high)[
            "ScalableTargetARN"
        ]
        return arn

    def ask_lambda(self, operation: str, **parameters: Any) -> Result:
        """Lambda's control plane, as a client sees it."""
        call = Call("lambda", operation, parameters, Caller("000000000000", "us-east-1", "r"))
        result = LAMBDA[operation](self.plane, call)
        lifecycle.drain(self.plane)
        return result

    @property
    def provisioned(self) -> int:
        """What ``live`` has."""
        shown = self.ask_lambda("ListProvisionedConcurrencyConfigs", FunctionName="f").output
        return sum(
            one["RequestedProvisionedConcurrentExecutions"]
            for one in shown["ProvisionedConcurrencyConfigs"]
        )


@dataclass
class Clock:
    """Stands still until it is moved."""

    at: datetime = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **by: float) -> None:
        """Moves it on."""
        self.at += timedelta(**by)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[ScalingPlace]:
    """With a function ``f`` whose alias ``live`` is its first version."""
    database, clock = Database(tmp_path), Clock()
    ready: dict[str, ProvisionedStatus] = {}
    status: Callable[[str], ProvisionedStatus] = lambda arn: ready.get(  # noqa: E731
        arn, ProvisionedStatus(0, 0, "IN_PROGRESS")
    )
    plane = ControlPlane(
        database, CodeStore(tmp_path / "code"), clock, lambda _: None, provisioned_status=status
    )
    made = ScalingPlace(plane, Scaler(plane, 1), clock, ready=ready)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): pass")
    made.ask_lambda(
        "CreateFunction", FunctionName="f", Runtime="python3.12", Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/r", Code={"ZipFile": buffer.getvalue()}, Publish=True,
    )  # fmt: skip
    made.ask_lambda("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    yield made
    database.close()
