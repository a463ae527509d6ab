"""Layers, their policies, and functions that use them."""

import base64
import hashlib
import json
from typing import Any

import pytest

from lambent.control.directory import Directory
from lambent.model.errors import ClientFault

LAYER = "arn:aws:lambda:us-east-1:000000000000:layer:lib"


def _publish(client: Any, name: str = "lib", text: str = "x = 1", **more: Any) -> dict[str, Any]:
    content = {"ZipFile": client.zip_of({"python/lib.py": text, f"{name}.txt": name})}
    output: dict[str, Any] = client("PublishLayerVersion", LayerName=name, Content=content, **more)
    return output


def test_publish_answers_awss_members(client: Any) -> None:
    """A layer version has AWS's members, and none that was not given."""
    output = _publish(client)
    content = client.zip_of({"python/lib.py": "x = 1", "lib.txt": "lib"})
    digest = hashlib.sha256(content)
    assert output == {
        "Content": {
            "Location": f"http://127.0.0.1:4566/_lambent/code/{digest.hexdigest()}",
            "CodeSha256": base64.b64encode(digest.digest()).decode(),
            "CodeSize": len(content),
        },
        "LayerArn": LAYER,
        "LayerVersionArn": f"{LAYER}:1",
        "Version": 1,
        "Description": "",
        "CreatedDate": "2026-01-31T12:00:00.000+0000",
    }
    assert client("GetLayerVersion", LayerName="lib", VersionNumber=1) == output
    assert client("GetLayerVersionByArn", Arn=f"{LAYER}:1") == output


def test_given_members_are_kept(client: Any) -> None:
    """Description, licence and compatibility are answered as they were given."""
    given: dict[str, Any] = {
        "Description": "d",
        "LicenseInfo": "MIT",
        "CompatibleRuntimes": ["python3.12", "nodejs22.x"],
        "CompatibleArchitectures": ["x86_64", "arm64"],
    }
    output = _publish(client, **given)
    assert {member: output[member] for member in given} == given


def test_numbers_are_not_given_twice(client: Any) -> None:
    """Publishing goes on behind a deleted version; deleting again is no error."""
    _publish(client)
    for _ in range(2):
        result = client.result("DeleteLayerVersion", LayerName="lib", VersionNumber=1)
        assert result.status == 204
    assert _publish(client)["Version"] == 2
    with pytest.raises(ClientFault, match="The resource you requested does not exist"):
        client("GetLayerVersion", LayerName="lib", VersionNumber=1)


def test_lists_filter_and_page(client: Any) -> None:
    """Versions come newest first, layers with their newest match, and pages hold each once."""
    for runtime in ("python3.12", "python3.11", "python3.12"):
        _publish(client, CompatibleRuntimes=[runtime])
    _publish(client, "other", CompatibleRuntimes=["python3.11"])
    first = client("ListLayerVersions", LayerName="lib", MaxItems=2)
    second = client("ListLayerVersions", LayerName="lib", Marker=first["NextMarker"])
    versions = [*first["LayerVersions"], *second["LayerVersions"]]
    assert [version["Version"] for version in versions] == [3, 2, 1]
    assert "Content" not in versions[0]
    matching = client("ListLayers", CompatibleRuntime="python3.11")["Layers"]
    assert [
        (layer["LayerName"], layer["LatestMatchingVersion"]["Version"]) for layer in matching
    ] == [("lib", 2), ("other", 1)]
    page = client("ListLayers", MaxItems=1)
    rest = client("ListLayers", MaxItems=1, Marker=page["NextMarker"])
    assert [layer["LayerArn"] for layer in (*page["Layers"], *rest["Layers"])] == [
        LAYER,
        LAYER.replace("lib", "other"),
    ]
    assert client("ListLayers", CompatibleArchitecture="arm64") == {"Layers": []}
    assert client("ListLayerVersions", LayerName="unknown") == {"LayerVersions": []}


@pytest.mark.parametrize("operation", ["GetLayerVersion", "DeleteLayerVersion"])
def test_version_numbers_start_at_1(client: Any, operation: str) -> None:
    """A number below 1 is refused in AWS's words."""
    with pytest.raises(ClientFault, match="Layer Version Cannot be less than 1"):
        client(operation, LayerName="lib", VersionNumber=0)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({}, "InvalidParameterValueException"),
        ({"ZipFile": b"no zip"}, "InvalidParameterValueException"),
        ({"S3Bucket": "bucket", "S3Key": "key"}, "InvalidParameterValueException"),
    ],
)
def test_publish_refuses(client: Any, content: dict[str, Any], code: str) -> None:
    """Content that is not there, no zip, or in S3 and not fetched is refused, and takes no number."""
    with pytest.raises(ClientFault) as refused:
        client("PublishLayerVersion", LayerName="lib", Content=content)
    assert refused.value.code == code
    assert _publish(client)["Version"] == 1


def test_function_mounts_its_layers_in_order(client: Any) -> None:
    """Layers are answered with their size, and /opt holds both, the later one on top."""
    one = _publish(client, "one", "x = 1")
    two = _publish(client, "two", "x = 2")
    arns = [one["LayerVersionArn"], two["LayerVersionArn"]]
    output = client.create(Layers=arns)
    sizes = [layer["Content"]["CodeSize"] for layer in (one, two)]
    assert output["Layers"] == [
        {"Arn": arn, "CodeSize": size} for arn, size in zip(arns, sizes, strict=True)
    ]
    directory = Directory(client.plane.database, client.plane.code)
    opt_dir = directory.resolve("000000000000", "us-east-1", "f", None).primary.opt_dir
    assert opt_dir is not None
    names = sorted(path.name for path in opt_dir.iterdir())
    assert names == ["one.txt", "python", "two.txt"]
    assert (opt_dir / "python" / "lib.py").read_text() == "x = 2"


def test_function_keeps_a_deleted_layer_version(client: Any) -> None:
    """A layer version that is deleted goes on working where it is used, and only there."""
    arn = _publish(client)["LayerVersionArn"]
    client.create(Layers=[arn])
    client("DeleteLayerVersion", LayerName="lib", VersionNumber=1)
    client.plane.collect_code()
    directory = Directory(client.plane.database, client.plane.code)
    opt_dir = directory.resolve("000000000000", "us-east-1", "f", None).primary.opt_dir
    assert opt_dir is not None
    assert (opt_dir / "lib.txt").read_text() == "lib"
    with pytest.raises(ClientFault, match=f"Layer version {arn} does not exist"):
        client.create("g", Layers=[arn])


def test_function_refuses_layers_it_cannot_have(client: Any) -> None:
    """Too many layers, two versions of one, and another region are refused in AWS's words."""
    arns = [_publish(client, f"l{number}")["LayerVersionArn"] for number in range(6)]
    second = _publish(client, "l0")["LayerVersionArn"]
    for layers, message in (
        (arns, "Cannot reference more than 5 layers."),
        (
            [arns[0], second],
            (
                "Two different versions of the same layer are not allowed to be referenced in the same "
                f"function. {arns[0]} and {second} are versions of the same layer."
            ),
        ),
        (
            [arns[0].replace("us-east-1", "eu-west-1")],
            (
                "Layers are not in the same region as the function. "
                "Layers are expected to be in region us-east-1."
            ),
        ),
    ):
        with pytest.raises(ClientFault) as refused:
            client.create(Layers=layers)
        assert refused.value.message == message


def test_another_accounts_layer_needs_its_policy(client: Any) -> None:
    """Another account may use a layer version once its policy says so, not before or after."""
    arn = _publish(client)["LayerVersionArn"]
    place = {"LayerName": "lib", "VersionNumber": 1}
    client.account_id = "111111111111"
    with pytest.raises(ClientFault) as denied:
        client.create(Layers=[arn])
    assert denied.value.code == "AccessDeniedException"
    client.account_id = "000000000000"
    client(
        "AddLayerVersionPermission",
        **place,
        StatementId="s",
        Action="lambda:GetLayerVersion",
        Principal="111111111111",
    )
    client.account_id = "111111111111"
    client.create(Layers=[arn])
    assert client("GetLayerVersionByArn", Arn=arn)["LayerVersionArn"] == arn
    with pytest.raises(ClientFault, match="is not authorized"):
        client("DeleteLayerVersion", LayerName=LAYER, VersionNumber=1)
    client.account_id = "000000000000"
    client("RemoveLayerVersionPermission", **place, StatementId="s")
    client.account_id = "222222222222"
    with pytest.raises(ClientFault, match="no resource-based policy allows"):
        client("GetLayerVersionByArn", Arn=arn)


def test_layer_policy(client: Any) -> None:
    """Statements are added once, listed as a policy, and guarded by a revision of their own."""
    _publish(client)
    place = {"LayerName": "lib", "VersionNumber": 1}
    grant = {"Action": "lambda:GetLayerVersion", "Principal": "*"}
    with pytest.raises(ClientFault, match="No policy is associated with the given resource"):
        client("GetLayerVersionPolicy", **place)
    added = client("AddLayerVersionPermission", **place, StatementId="s", **grant)
    statement = json.loads(added["Statement"])
    assert statement == {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:GetLayerVersion",
        "Resource": f"{LAYER}:1",
    }
    policy = client("GetLayerVersionPolicy", **place)
    assert json.loads(policy["Policy"])["Statement"] == [statement]
    assert policy["RevisionId"] == added["RevisionId"]
    with pytest.raises(ClientFault, match="Call the GetLayerPolicy API"):
        client("AddLayerVersionPermission", **place, StatementId="t", RevisionId="old", **grant)
    with pytest.raises(ClientFault, match=r"The statement id \(s\) provided already exists"):
        client("AddLayerVersionPermission", **place, StatementId="s", **grant)
    with pytest.raises(ClientFault, match="Statement t is not found in resource policy"):
        client("RemoveLayerVersionPermission", **place, StatementId="t")
    removal = client.result("RemoveLayerVersionPermission", **place, StatementId="s")
    assert removal.status == 204
    with pytest.raises(ClientFault, match=f"Layer version {LAYER}:9 does not exist"):
        client("GetLayerVersionPolicy", LayerName="lib", VersionNumber=9)
