"""Aliases that really split traffic, and layers as running code finds them."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

READS_LAYERS = """
    import json, os, sys
    def handler(event, context):
        found = {}
        for name in event:
            found[name] = __import__(name).value
        return {
            "found": found,
            "files": sorted(os.listdir("/opt")) if os.path.isdir("/opt/python") else None,
        }
"""


def two_versions(function: Any, zip_of: Callable[..., bytes]) -> None:
    """Publishes version 1, then different code as version 2."""
    function.client.publish_version(FunctionName=function.name)
    code = zip_of({"app.py": "def handler(event, context): return 2"})
    function.client.update_function_code(FunctionName=function.name, ZipFile=code, Publish=True)
    function.client.get_waiter("function_updated_v2").wait(FunctionName=function.name)


@pytest.mark.parametrize(("weight", "low", "high"), [(0.0, 0, 0), (0.25, 65, 135), (1.0, 400, 400)])
def test_weights_split_traffic(
    deploy: Callable[..., Any], zip_of: Callable[..., bytes], weight: float, low: int, high: int
) -> None:
    """Of 400 invocations the second version takes its share, and the answer names who ran."""
    function = deploy("def handler(event, context): return 1")
    two_versions(function, zip_of)
    routing = {"AdditionalVersionWeights": {"2": weight}}
    function.client.create_alias(
        FunctionName=function.name, Name="live", FunctionVersion="1", RoutingConfig=routing
    )
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: function(Qualifier="live"), range(400)))
    assert all(str(answer.payload) == answer.version for answer in answers)
    assert low <= sum(answer.payload == 2 for answer in answers) <= high


def test_an_alias_moves_at_once(deploy: Callable[..., Any], zip_of: Callable[..., bytes]) -> None:
    """After UpdateAlias every invocation goes to the new version, and back again."""
    function = deploy("def handler(event, context): return 1")
    two_versions(function, zip_of)
    client, name = function.client, function.name
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", Description="d")
    for version in ("2", "1", "2"):
        client.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
        assert {function(Qualifier="live").payload for _ in range(5)} == {int(version)}
    shown = client.get_alias(FunctionName=name, Name="live")
    assert (shown["FunctionVersion"], shown["Description"]) == ("2", "d")
    client.delete_alias(FunctionName=name, Name="live")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        function(Qualifier="live")


def test_two_aliases_of_a_version_share_environments(deploy: Callable[..., Any]) -> None:
    """Environments belong to a version: two aliases of it use the same one."""
    function = deploy("import uuid\nme = uuid.uuid4().hex\ndef handler(event, context): return me")
    function.client.publish_version(FunctionName=function.name)
    for name in ("a", "b"):
        function.client.create_alias(FunctionName=function.name, Name=name, FunctionVersion="1")
    seen = {function(Qualifier=qualifier).payload for qualifier in ("a", "b", "1")}
    assert len(seen) == 1
    assert function().payload not in seen


def publish(client: Any, zip_of: Callable[..., bytes], name: str, files: dict[str, str]) -> Any:
    """The ARN of a new layer version."""
    answer = client.publish_layer_version(LayerName=name, Content={"ZipFile": zip_of(files)})
    return answer["LayerVersionArn"]


def test_layers_are_there_at_run_time(
    deploy: Callable[..., Any],
    zip_of: Callable[..., bytes],
    new_name: Callable[[], str],
    client: Any,
) -> None:
    """Modules come from every layer; of two with one name the later layer's wins, code's over both."""
    first = publish(
        client, zip_of, new_name(),
        {"python/only_first.py": "value = 1", "python/both.py": "value = 1", "python/mine.py": "value = 1"},
    )  # fmt: skip
    second = publish(
        client, zip_of, new_name(),
        {"python/only_second.py": "value = 2", "python/both.py": "value = 2"},
    )  # fmt: skip
    files = {"app.py": READS_LAYERS, "mine.py": "value = 'mine'"}
    names = ["only_first", "only_second", "both", "mine"]
    function = deploy(files, Layers=[first, second])
    assert function(names).payload["found"] == {
        "only_first": 1,
        "only_second": 2,
        "both": 2,
        "mine": "mine",
    }
    function.client.update_function_configuration(
        FunctionName=function.name, Layers=[second, first]
    )
    assert function(names).payload["found"]["both"] == 1
    function.client.update_function_configuration(FunctionName=function.name, Layers=[])
    assert "No module named" in function(["both"]).payload["errorMessage"]
    assert function(["mine"]).payload["found"] == {"mine": "mine"}


def test_site_packages_of_a_layer_are_found(
    deploy: Callable[..., Any],
    zip_of: Callable[..., bytes],
    new_name: Callable[[], str],
    client: Any,
    isolated: None,
) -> None:
    """``python/lib/python3.X/site-packages`` of a layer is searched for that runtime."""
    path = f"python/lib/python3.{sys.version_info.minor}/site-packages/deep.py"
    arn = publish(client, zip_of, new_name(), {path: "value = 'deep'", "data/x.txt": "x"})
    answer = deploy(READS_LAYERS, Layers=[arn])(["deep"])
    assert answer.payload == {"found": {"deep": "deep"}, "files": ["data", "python"]}


def test_a_deleted_layer_version_goes_on_working(
    deploy: Callable[..., Any],
    zip_of: Callable[..., bytes],
    new_name: Callable[[], str],
    client: Any,
) -> None:
    """A function keeps the layer it has; no other function can take it any more."""
    name = new_name()
    arn = publish(client, zip_of, name, {"python/kept.py": "value = 'kept'"})
    function = deploy(READS_LAYERS, Layers=[arn])
    client.delete_layer_version(LayerName=name, VersionNumber=1)
    assert function(["kept"]).payload["found"] == {"kept": "kept"}
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        deploy(READS_LAYERS, Layers=[arn])


def test_a_layer_brings_its_own_boto3(
    deploy: Callable[..., Any],
    zip_of: Callable[..., bytes],
    new_name: Callable[[], str],
    client: Any,
) -> None:
    """A layer's module wins over the runtime's of the same name."""
    arn = publish(client, zip_of, new_name(), {"python/boto3/__init__.py": "value = 'layer'"})
    assert deploy(READS_LAYERS, Layers=[arn])(["boto3"]).payload["found"] == {"boto3": "layer"}
