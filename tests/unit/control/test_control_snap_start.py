"""SnapStart in the control plane: what it goes with, and the life of a version that is being initialised."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lambent.control.directory import Directory
from lambent.control.plane import ControlPlane
from lambent.control.snap_start import INIT_FAILED
from lambent.model.errors import ClientFault
from lambent.model.function import FunctionVersion
from lambent.model.invocation import SNAP_START as INITIALIZATION_TYPE

SNAP_START = {"ApplyOn": "PublishedVersions"}
Done = Callable[[tuple[str, str] | None], None]


@dataclass
class FakeSnapshots:
    """Makes none until a test says how it went."""

    lacking: str | None = None
    asked: list[tuple[FunctionVersion, Done]] = field(default_factory=list)

    def missing(self, runtime: str) -> str | None:
        return self.lacking

    def prepare(self, version: FunctionVersion, done: Done) -> None:
        self.asked.append((version, done))


@pytest.fixture
def snapshots() -> FakeSnapshots:
    """A host that has all that SnapStart needs."""
    return FakeSnapshots()


@pytest.fixture
def snapping(client: Any, plane: ControlPlane, snapshots: FakeSnapshots) -> Any:
    """A client of a control plane on that host."""
    return replace(client, plane=replace(plane, snapshots=snapshots))


@pytest.fixture
def directory(plane: ControlPlane) -> Directory:
    """Resolves what the client made."""
    return Directory(plane.database, plane.code)


def resolve(directory: Directory, qualifier: str | None = None) -> Any:
    directory.clear()
    return directory.resolve("000000000000", "us-east-1", "f", qualifier).primary


def test_a_version_is_pending_until_its_snapshot_is_there(
    snapping: Any, snapshots: FakeSnapshots, directory: Directory
) -> None:
    """PublishVersion answers Pending; invoking is refused as not ready; then it is Active and On."""
    snapping.create(SnapStart=SNAP_START)
    published = snapping("PublishVersion", FunctionName="f")
    assert published["State"] == "Pending"
    assert published["SnapStart"] == {**SNAP_START, "OptimizationStatus": "Off"}
    with pytest.raises(ClientFault) as refused:
        resolve(directory, "1")
    assert (refused.value.code, refused.value.status) == ("SnapStartNotReadyException", 409)
    (version, done), *others = snapshots.asked
    assert (version.version, others) == ("1", [])
    done(None)
    shown = snapping("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    assert shown["State"] == "Active"
    assert shown["SnapStart"] == {**SNAP_START, "OptimizationStatus": "On"}
    assert resolve(directory, "1").initialization_type == INITIALIZATION_TYPE


def test_latest_never_has_a_snapshot(snapping: Any, directory: Directory) -> None:
    """It is Active at once, Off, and started on demand."""
    snapping.create(SnapStart=SNAP_START)
    shown = snapping("GetFunctionConfiguration", FunctionName="f")
    assert shown["SnapStart"] == {**SNAP_START, "OptimizationStatus": "Off"}
    assert resolve(directory).initialization_type == "on-demand"


def test_a_version_that_cannot_be_initialised_is_failed(
    snapping: Any, snapshots: FakeSnapshots
) -> None:
    """With AWS's reason and code."""
    snapping.create(SnapStart=SNAP_START, Publish=True)
    snapshots.asked[0][1](INIT_FAILED)
    shown = snapping("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    states = (shown["State"], shown["StateReason"], shown["StateReasonCode"])
    assert states == ("Failed", *INIT_FAILED)


def test_what_became_of_a_deleted_version_is_nobodys_business(
    snapping: Any, snapshots: FakeSnapshots
) -> None:
    """Neither is one that has its number by now changed."""
    snapping.create(SnapStart=SNAP_START, Publish=True)
    snapping("DeleteFunction", FunctionName="f")
    snapshots.asked[0][1](None)
    assert snapping("ListFunctions")["Functions"] == []


def test_turning_it_on_makes_another_version(snapping: Any, snapshots: FakeSnapshots) -> None:
    """The same code with SnapStart is not the version published before, and off again it is not that one."""
    snapping.create(Publish=True)
    for number, apply_on in (("2", "PublishedVersions"), ("3", "None")):
        snapping("UpdateFunctionConfiguration", FunctionName="f", SnapStart={"ApplyOn": apply_on})
        assert snapping("PublishVersion", FunctionName="f")["Version"] == number
    assert [version.version for version, _ in snapshots.asked] == ["2"]


@pytest.mark.parametrize(
    ("settings", "code", "text"),
    [
        ({"Runtime": "python3.11"}, "InvalidParameterValueException",
         "python3.11 is not supported for SnapStart enabled functions."),
        ({"Runtime": "nodejs22.x"}, "InvalidParameterValueException",
         "nodejs22.x is not supported for SnapStart enabled functions."),
        ({"EphemeralStorage": {"Size": 1024}}, "InvalidParameterValueException",
         "EphemeralStorage greater than 512 MB is not supported"),
        ({"Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/w"}}},
         "NotImplementedException", "AWS_LAMBDA_EXEC_WRAPPER"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_it_is_refused(
    snapping: Any, settings: dict[str, Any], code: str, text: str
) -> None:
    """When it is created so, and when it becomes so; nothing is changed then."""
    with pytest.raises(ClientFault, match=text) as refused:
        snapping.create(SnapStart=SNAP_START, **settings)
    assert refused.value.code == code
    snapping.create(SnapStart=SNAP_START)
    before = snapping("GetFunctionConfiguration", FunctionName="f")
    with pytest.raises(ClientFault, match=text):
        snapping("UpdateFunctionConfiguration", FunctionName="f", **settings)
    assert snapping("GetFunctionConfiguration", FunctionName="f") == before


def test_a_host_that_cannot_says_what_it_lacks(snapping: Any, snapshots: FakeSnapshots) -> None:
    """Refused by name, also when a version is published on another host than it was configured on."""
    snapping.create(SnapStart=SNAP_START)
    snapshots.lacking = "root"
    for operation in ("PublishVersion", "UpdateFunctionConfiguration"):
        with pytest.raises(ClientFault, match="for want of root") as refused:
            snapping(operation, FunctionName="f")
        assert refused.value.code == "NotImplementedException"


def test_provisioned_concurrency_is_refused(snapping: Any, snapshots: FakeSnapshots) -> None:
    """By the version's number, and by an alias that leads to it."""
    snapping.create(SnapStart=SNAP_START, Publish=True)
    snapshots.asked[0][1](None)
    snapping("CreateAlias", FunctionName="f", Name="a", FunctionVersion="1")
    for qualifier in ("1", "a"):
        with pytest.raises(ClientFault, match="SnapStart") as refused:
            snapping(
                "PutProvisionedConcurrencyConfig",
                FunctionName="f",
                Qualifier=qualifier,
                ProvisionedConcurrentExecutions=1,
            )
        assert refused.value.code == "InvalidParameterValueException"
