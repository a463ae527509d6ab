"""Runtime management: the modes, the one runtime version there is, and what becomes of a pinned one."""

from dataclasses import replace
from typing import Any

import pytest

from lambent.control.directory import Directory
from lambent.control.plane import ControlPlane
from lambent.model.errors import ClientFault

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
PUT, GET = "PutRuntimeManagementConfig", "GetRuntimeManagementConfig"


def build_of(runtime: str) -> str:
    """Another build for each runtime."""
    return runtime.replace("python3.", "").rjust(64, "a")


def version_arn(runtime: str = "python3.12", region: str = "us-east-1") -> str:
    """The runtime version this host has."""
    return f"arn:aws:lambda:{region}::runtime:{build_of(runtime)}"


@pytest.fixture(name="client")
def client_fixture(client: Any, plane: ControlPlane) -> Any:
    """A caller of a control plane that knows the builds of its runtimes."""
    client.plane = replace(plane, runtime_build=build_of)
    return client


def refused(client: Any, **parameters: Any) -> str:
    """The text of the 400 that a Put gets; nothing has changed then."""
    before = client(GET, FunctionName="f")
    with pytest.raises(ClientFault) as fault:
        client(PUT, **{"FunctionName": "f"} | parameters)
    assert fault.value.code == "InvalidParameterValueException"
    assert client(GET, FunctionName="f") == before
    return fault.value.message


def test_it_is_auto_unless_set_and_by_version(client: Any, changed: list[str]) -> None:
    """Each version has a mode of its own; a version published later begins with that of $LATEST."""
    client.create(Publish=True)
    auto = {"UpdateRuntimeOn": "Auto", "FunctionArn": f"{ARN}:$LATEST"}
    assert client(GET, FunctionName="f") == auto
    assert client(GET, FunctionName="f:$LATEST") == auto
    changed.clear()
    put = client(PUT, FunctionName="f", UpdateRuntimeOn="FunctionUpdate")
    assert put == client(GET, FunctionName="f")
    assert put == {"UpdateRuntimeOn": "FunctionUpdate", "FunctionArn": f"{ARN}:$LATEST"}
    assert client(GET, FunctionName="f", Qualifier="1")["UpdateRuntimeOn"] == "Auto"
    client("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    client("PublishVersion", FunctionName="f")
    second = {"UpdateRuntimeOn": "FunctionUpdate", "FunctionArn": f"{ARN}:2"}
    assert client(GET, FunctionName="f", Qualifier="2") == second
    assert changed[0] == ARN


def test_manual_pins_the_runtime_version_in_use(client: Any) -> None:
    """Manual takes the ARN the configuration shows, shows it, and Auto forgets it."""
    client.create()
    shown = client("GetFunctionConfiguration", FunctionName="f")["RuntimeVersionConfig"]
    assert shown == {"RuntimeVersionArn": version_arn()}
    arn = shown["RuntimeVersionArn"]
    put = client(PUT, FunctionName="f", UpdateRuntimeOn="Manual", RuntimeVersionArn=arn)
    assert put["RuntimeVersionArn"] == arn
    assert client(GET, FunctionName="f") == put
    assert "RuntimeVersionArn" not in client(PUT, FunctionName="f", UpdateRuntimeOn="Auto")


@pytest.mark.parametrize(
    "arn", [version_arn("python3.11"), version_arn(region="eu-west-1"), version_arn() + "0"]
)
def test_another_runtime_version_is_refused(client: Any, arn: str) -> None:
    """A build this host does not have for the runtime is refused by name, and so is none."""
    client.create()
    text = refused(client, UpdateRuntimeOn="Manual", RuntimeVersionArn=arn)
    assert arn in text
    assert version_arn() in text
    assert "required" in refused(client, UpdateRuntimeOn="Manual")
    assert "only valid" in refused(client, UpdateRuntimeOn="Auto", RuntimeVersionArn=version_arn())


def test_a_pinned_function_keeps_its_runtime(client: Any) -> None:
    """While a version is pinned, Runtime cannot be changed to one it is no version of."""
    client.create()
    client(PUT, FunctionName="f", UpdateRuntimeOn="Manual", RuntimeVersionArn=version_arn())
    with pytest.raises(ClientFault) as fault:
        client("UpdateFunctionConfiguration", FunctionName="f", Runtime="python3.11")
    assert fault.value.code == "InvalidParameterValueException"
    client("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    client(PUT, FunctionName="f", UpdateRuntimeOn="Auto")
    client("UpdateFunctionConfiguration", FunctionName="f", Runtime="python3.11")


def test_what_is_pinned_runs_under_nothing_else(client: Any, plane: ControlPlane) -> None:
    """When the host's build is another one, invoking a pinned version is InvalidRuntimeException."""
    client.create(Publish=True)
    client(PUT, FunctionName="f", UpdateRuntimeOn="Manual", RuntimeVersionArn=version_arn())
    directory = Directory(plane.database, plane.code, build_of)
    assert directory.resolve("000000000000", "us-east-1", "f", None).primary.version == "$LATEST"
    upgraded = Directory(plane.database, plane.code, lambda runtime: "b" * 64)
    with pytest.raises(ClientFault) as gone:
        upgraded.resolve("000000000000", "us-east-1", "f", None)
    assert (gone.value.code, gone.value.status) == ("InvalidRuntimeException", 502)
    assert upgraded.resolve("000000000000", "us-east-1", "f", "1").primary.version == "1"


def test_neither_aliases_nor_what_is_not_there(client: Any) -> None:
    """An alias is refused, a version or function that is not there is 404 by its ARN."""
    client.create(Publish=True)
    client("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    for operation in (PUT, GET):
        with pytest.raises(ClientFault) as alias:
            client(operation, FunctionName="f", Qualifier="live", UpdateRuntimeOn="Auto")
        assert alias.value.code == "InvalidParameterValueException"
        with pytest.raises(ClientFault) as missing:
            client(operation, FunctionName="f", Qualifier="7", UpdateRuntimeOn="Auto")
        assert missing.value.message == f"Function not found: {ARN}:7"


def test_lists_leave_the_runtime_version_out(client: Any) -> None:
    """RuntimeVersionConfig stands in single answers only, as on AWS."""
    created = client.create(Publish=True)
    assert created["RuntimeVersionConfig"] == {"RuntimeVersionArn": version_arn()}
    for listed in (
        client("ListFunctions")["Functions"],
        client("ListFunctions", FunctionVersion="ALL")["Functions"],
        client("ListVersionsByFunction", FunctionName="f")["Versions"],
    ):
        assert all("RuntimeVersionConfig" not in one for one in listed)
