"""Resolving names for the invocation path."""

from collections.abc import Callable
from pathlib import Path
from timeit import timeit
from typing import Any

import pytest

from lambent.control import lifecycle
from lambent.control.directory import Directory
from lambent.control.plane import ControlPlane
from lambent.model.errors import ClientFault

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
PLACE = ("000000000000", "us-east-1")


@pytest.fixture
def directory(plane: ControlPlane, listeners: list[Callable[[str], None]]) -> Directory:
    """A directory that hears of changes as the server's does."""
    directory = Directory(plane.database, plane.code)
    listeners.append(directory.invalidate)
    return directory


def test_spec_holds_the_configuration_and_the_code(client: Any, directory: Directory) -> None:
    """A resolved function carries its settings, and its code stands unpacked."""
    client.create(
        "f", {"app.py": "x = 1"}, MemorySize=256, Environment={"Variables": {"A": "1"}}, Timeout=9
    )
    target = directory.resolve(*PLACE, "f", None)
    spec = target.primary
    assert (target.invoked_arn, target.secondary) == (ARN, None)
    assert (spec.memory_mib, spec.timeout_s, dict(spec.environment)) == (256, 9, {"A": "1"})
    assert (spec.function_name, spec.version, spec.log_group) == ("f", "$LATEST", "/aws/lambda/f")
    assert (spec.task_dir / "app.py").read_text() == "x = 1"
    assert spec.opt_dir is None


@pytest.mark.parametrize(
    ("name", "qualifier", "arn", "version"),
    [
        ("f", None, ARN, "$LATEST"),
        ("f", "$LATEST", f"{ARN}:$LATEST", "$LATEST"),
        ("f:1", None, f"{ARN}:1", "1"),
        (ARN, "1", f"{ARN}:1", "1"),
        ("000000000000:function:f", None, ARN, "$LATEST"),
    ],
)
def test_every_form_of_a_name_resolves(
    client: Any, directory: Directory, name: str, qualifier: str | None, arn: str, version: str
) -> None:
    """The invoked ARN is the one the caller meant, the version the one it leads to."""
    client.create(Publish=True)
    target = directory.resolve(*PLACE, name, qualifier)
    assert (target.invoked_arn, target.primary.version) == (arn, version)


@pytest.mark.parametrize(
    ("qualifier", "arn"), [(None, ARN), ("1", f"{ARN}:1"), ("live", f"{ARN}:live")]
)
def test_what_is_not_there_is_awss_404(
    directory: Directory, qualifier: str | None, arn: str
) -> None:
    """The message names the ARN with the qualifier the caller used."""
    with pytest.raises(ClientFault) as missing:
        directory.resolve(*PLACE, "f", qualifier)
    assert (missing.value.status, missing.value.message) == (404, f"Function not found: {arn}")


def test_pending_function_cannot_be_invoked_yet(
    client: Any, directory: Directory, plane: ControlPlane
) -> None:
    """A function is refused while it is Pending, and served once it is Active."""
    client.drains = False
    client.create()
    with pytest.raises(ClientFault) as early:
        directory.resolve(*PLACE, "f", None)
    assert (early.value.code, early.value.status) == ("ResourceConflictException", 409)
    assert early.value.message == (
        "The operation cannot be performed at this time. "
        "The function is currently in the following state: Pending"
    )
    lifecycle.drain(plane)
    assert directory.resolve(*PLACE, "f", None).primary.version == "$LATEST"


def test_function_whose_code_is_lost_is_failed(
    client: Any, directory: Directory, plane: ControlPlane
) -> None:
    """When the code cannot be had at activation the function says so, and is not invoked."""
    client.drains = False
    client.create()
    plane.code.clear()
    lifecycle.drain(plane)
    output = client("GetFunctionConfiguration", FunctionName="f")
    assert (output["State"], output["StateReasonCode"]) == ("Failed", "InternalError")
    with pytest.raises(ClientFault, match="in the following state: Failed"):
        directory.resolve(*PLACE, "f", None)


def test_deleted_function_is_forgotten(client: Any, directory: Directory) -> None:
    """A deletion is seen by the next invocation."""
    client.create()
    directory.resolve(*PLACE, "f", None)
    client("DeleteFunction", FunctionName="f")
    with pytest.raises(ClientFault, match="Function not found"):
        directory.resolve(*PLACE, "f", None)


def test_tags_do_not_change_the_key_and_a_new_function_does(
    client: Any, directory: Directory
) -> None:
    """Environments outlive a change of tags, but not a function made anew under the same name."""
    client.create()
    key = directory.resolve(*PLACE, "f", None).primary.key
    client("TagResource", Resource=ARN, Tags={"k": "v"})
    directory.clear()
    assert directory.resolve(*PLACE, "f", None).primary.key == key
    client("DeleteFunction", FunctionName="f")
    client.create()
    assert directory.resolve(*PLACE, "f", None).primary.key != key


@pytest.mark.parametrize("operation", ["UpdateFunctionCode", "UpdateFunctionConfiguration"])
def test_every_update_changes_the_key_at_once(
    client: Any, directory: Directory, operation: str
) -> None:
    """After an update the next invocation gets a new environment, even if nothing differs."""
    client.create("f", {"app.py": "x = 1"})
    before = directory.resolve(*PLACE, "f", None).primary.key
    code = {"ZipFile": client.zip_of({"app.py": "x = 1"})}
    client(operation, FunctionName="f", **(code if operation == "UpdateFunctionCode" else {}))
    assert directory.resolve(*PLACE, "f", None).primary.key != before


def test_policies_aliases_and_reservations_do_not_change_the_key(
    client: Any, directory: Directory
) -> None:
    """Neither a permission nor an alias nor a reservation retires an environment."""
    client.create(Publish=True)
    before = directory.resolve(*PLACE, "f", None).primary.key
    client(
        "AddPermission",
        FunctionName="f",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="*",
    )
    client("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    client("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=1)
    directory.clear()
    assert directory.resolve(*PLACE, "f", None).primary.key == before


def test_two_versions_of_the_same_code_have_two_keys(client: Any, directory: Directory) -> None:
    """$LATEST and the version published from it never share environments."""
    client.create(Publish=True)
    keys = {directory.resolve(*PLACE, "f", qualifier).primary.key for qualifier in (None, "1")}
    assert len(keys) == 2


def test_lost_tree_is_unpacked_again(client: Any, directory: Directory, tmp_path: Path) -> None:
    """A tree that is not there is made from its zip when it is needed."""
    client.create("f", {"app.py": "x = 1"})
    (tree,) = (tmp_path / "code" / "unpacked").iterdir()
    tree.rename(tmp_path / "gone")
    spec = directory.resolve(*PLACE, "f", None).primary
    assert (spec.task_dir / "app.py").read_text() == "x = 1"


def test_hit_costs_less_than_two_microseconds(client: Any, directory: Directory) -> None:
    """A known name is one look-up: best of several runs, so that a busy machine does not matter."""
    client.create()
    directory.resolve(*PLACE, "f", None)
    runs = 2_000
    best = min(timeit(lambda: directory.resolve(*PLACE, "f", None), number=runs) for _ in range(20))
    assert best / runs < 2e-6


def test_a_warmed_function_is_known_and_never_stale(client: Any, directory: Directory) -> None:
    """Warming keeps the target that resolving gives; a change forgets it; what cannot run is no error."""
    directory.warm(*PLACE, "f")
    client.create("f", MemorySize=256)
    directory.warm(*PLACE, "f")
    assert (*PLACE, "f", None) in directory._targets
    client("UpdateFunctionConfiguration", FunctionName="f", MemorySize=512)
    assert directory.resolve(*PLACE, "f", None).primary.memory_mib == 512
    client("DeleteFunction", FunctionName="f")
    directory.warm(*PLACE, "f")
    assert not directory._targets
