"""Code goes when the last version that uses it changes or goes, and not before."""

from typing import Any

import pytest

from lambent.model.errors import ClientFault

A, B = {"app.py": "a = 1"}, {"app.py": "b = 2"}


def kept(client: Any) -> int:
    """How many zips there are."""
    return len(list(client.plane.code.zip_path("x").parent.iterdir()))


def update(client: Any, code: dict[str, str]) -> None:
    """New code for ``f``."""
    client("UpdateFunctionCode", FunctionName="f", ZipFile=client.zip_of(code))


def test_replaced_code_goes(client: Any) -> None:
    """An update of the code leaves the new zip alone; one of the configuration changes nothing."""
    client.create("f", A)
    update(client, B)
    assert kept(client) == 1
    client("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    assert kept(client) == 1


def test_code_of_a_version_stays_until_the_version_goes(client: Any) -> None:
    """What was published outlives an update, and goes with its version."""
    client.create("f", A, Publish=True)
    update(client, B)
    assert kept(client) == 2
    client("DeleteFunction", FunctionName="f", Qualifier="1")
    assert kept(client) == 1


def test_shared_code_goes_with_the_last_function(client: Any) -> None:
    """Two functions of one zip share it; deleting one leaves it to the other."""
    client.create("f", A, Publish=True)
    client.create("g", A)
    client("DeleteFunction", FunctionName="f")
    assert kept(client) == 1
    client("DeleteFunction", FunctionName="g")
    assert kept(client) == 0


def test_a_deleted_layer_goes_with_the_last_function_that_uses_it(client: Any) -> None:
    """A layer version's zip stays while a function mounts it."""
    content = {"ZipFile": client.zip_of({"lib.txt": "lib"})}
    arn = client("PublishLayerVersion", LayerName="l", Content=content)["LayerVersionArn"]
    client.create("f", A, Layers=[arn])
    client("DeleteLayerVersion", LayerName="l", VersionNumber=1)
    assert kept(client) == 2
    client("UpdateFunctionConfiguration", FunctionName="f", Layers=[])
    assert kept(client) == 1


def test_code_of_a_refused_creation_goes_with_the_next_release(client: Any) -> None:
    """An upload whose function was refused afterwards does not stay for good."""
    with pytest.raises(ClientFault):
        client.create("refused", A, Timeout=901)
    client.create("f", B)
    client("DeleteFunction", FunctionName="f")
    assert kept(client) == 0
