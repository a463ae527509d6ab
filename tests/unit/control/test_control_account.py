"""Account settings, and the reset."""

from pathlib import Path
from typing import Any

from lambent.control.reset import reset

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


def test_account_settings_count_what_is_there(client: Any) -> None:
    """Usage is the number of functions, and the bytes of every version and layer version."""
    size = client.create(Publish=True)["CodeSize"]
    content = {"ZipFile": client.zip_of({"a": ""})}
    layer = client("PublishLayerVersion", LayerName="l", Content=content)["Content"]["CodeSize"]
    output = client("GetAccountSettings")
    assert output["AccountUsage"] == {"TotalCodeSize": 2 * size + layer, "FunctionCount": 1}
    assert output["AccountLimit"] == {
        "TotalCodeSize": 80530636800,
        "CodeSizeUnzipped": 262144000,
        "CodeSizeZipped": 52428800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000,
    }
    client.region = "eu-west-1"
    assert client("GetAccountSettings")["AccountUsage"]["FunctionCount"] == 0


def test_reset_forgets_everything(client: Any, changed: list[str], tmp_path: Path) -> None:
    """After a reset there is no record, no code, and numbers start at 1 again."""
    client.create(Publish=True, Tags={"k": "v"})
    client("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    client("PublishLayerVersion", LayerName="l", Content={"ZipFile": client.zip_of({"a": ""})})
    client("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=1)
    changed.clear()
    reset(client.plane)
    assert changed == [ARN]
    assert client("ListFunctions") == {"Functions": []}
    assert client("ListLayers") == {"Layers": []}
    assert not list((tmp_path / "code" / "zips").iterdir())
    assert not list((tmp_path / "code" / "unpacked").iterdir())
    assert client.create(Publish=True)["Version"] == "1"
    assert client("ListTags", Resource=ARN) == {"Tags": {}}
    assert client("GetFunctionConcurrency", FunctionName="f") == {}
