"""Recursion config: put, shown, forgotten with the function, and seen by the invocation path."""

from typing import Any

import pytest

from lambent.control.directory import Directory
from lambent.control.plane import ControlPlane
from lambent.control.recursion import recursive_loop_mode
from lambent.model.errors import ClientFault
from lambent.model.function_name import FunctionName

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
PUT, GET = "PutFunctionRecursionConfig", "GetFunctionRecursionConfig"


@pytest.mark.parametrize("name", ["f", ARN, "function:f"])
def test_it_is_terminate_unless_set(client: Any, changed: list[str], name: str) -> None:
    """A function terminates loops until told otherwise, and each change is told of."""
    client.create()
    assert client(GET, FunctionName=name) == {"RecursiveLoop": "Terminate"}
    changed.clear()
    for mode in ("Allow", "Terminate", "Allow"):
        assert client(PUT, FunctionName=name, RecursiveLoop=mode) == {"RecursiveLoop": mode}
        assert client(GET, FunctionName=name) == {"RecursiveLoop": mode}
    assert changed == [ARN] * 3


def test_every_target_of_the_function_carries_it(client: Any, plane: ControlPlane) -> None:
    """An invocation of any qualifier sees what was set last: $LATEST, a version, a weighted alias."""
    directory = Directory(plane.database, plane.code)
    client.create(Publish=True)
    client("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    client("PublishVersion", FunctionName="f")
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    client("CreateAlias", FunctionName="f", Name="a", FunctionVersion="1", RoutingConfig=weights)
    client("CreateAlias", FunctionName="f", Name="b", FunctionVersion="1")
    for mode in ("Terminate", "Allow"):
        client(PUT, FunctionName="f", RecursiveLoop=mode)
        directory.invalidate(ARN)
        for qualifier in (None, "$LATEST", "1", "a", "b"):
            target = directory.resolve("000000000000", "us-east-1", "f", qualifier)
            assert target.recursive_loop == mode


def test_one_function_is_not_another(client: Any, plane: ControlPlane) -> None:
    """What one function allows, another of the same name in another region does not."""
    client.create()
    client(PUT, FunctionName="f", RecursiveLoop="Allow")
    client.region = "eu-west-1"
    client.create()
    assert client(GET, FunctionName="f") == {"RecursiveLoop": "Terminate"}
    here = FunctionName("000000000000", "us-east-1", "f", "live")
    assert recursive_loop_mode(plane.database.connection, here) == "Allow"


def test_a_deleted_function_takes_it_along(client: Any) -> None:
    """A function made anew under the same name has the default again."""
    client.create()
    client(PUT, FunctionName="f", RecursiveLoop="Allow")
    client("DeleteFunction", FunctionName="f")
    client.create()
    assert client(GET, FunctionName="f") == {"RecursiveLoop": "Terminate"}


@pytest.mark.parametrize("operation", [PUT, GET])
def test_it_is_the_whole_functions(client: Any, operation: str) -> None:
    """A qualifier is refused, and so is a function that is not there."""
    client.create()
    with pytest.raises(ClientFault) as refused:
        client(operation, FunctionName=f"{ARN}:1", RecursiveLoop="Allow")
    assert refused.value.code == "InvalidParameterValueException"
    with pytest.raises(ClientFault) as missing:
        client(operation, FunctionName="g", RecursiveLoop="Allow")
    assert (missing.value.status, missing.value.message) == (
        404,
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:g",
    )
