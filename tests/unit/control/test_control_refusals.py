"""What a function may be set to: AWS's own refusals, and what Lambent refuses as not yet there."""

from dataclasses import replace
from typing import Any

import pytest

from lambent.control.plane import ControlPlane
from lambent.model.errors import ClientFault


@pytest.mark.parametrize(
    "member",
    [
        {"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}},
        {"TracingConfig": {"Mode": "PassThrough"}},
        {"SnapStart": {"ApplyOn": "None"}},
        {"DeadLetterConfig": {}},
        {"KMSKeyArn": ""},
        {"FileSystemConfigs": []},
        {"PackageType": "Zip"},
        {"LoggingConfig": {"LogFormat": "Text"}},
        {"Environment": {}},
        {"Layers": []},
    ],
)
def test_default_valued_members_are_accepted(client: Any, member: dict[str, Any]) -> None:
    """A member that says what is so anyway is accepted, and answered as if it were not there."""
    plain = client.create("plain")
    output = client.create("f", **member)
    assert set(output) == set(plain)


@pytest.mark.parametrize(
    ("member", "named"),
    [
        ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "VpcConfig"),
        ({"KMSKeyArn": "arn:aws:kms:us-east-1:0:key/k"}, "KMSKeyArn"),
        ({"FileSystemConfigs": [{"Arn": "a", "LocalMountPath": "/mnt/a"}]}, "the file system a"),
        ({"DurableConfig": {}}, "DurableConfig"),
        ({"CapacityProviderConfig": {}}, "CapacityProviderConfig"),
        ({"RuntimeConfig": {}}, "RuntimeConfig"),
        ({"AcceleratorConfig": {}}, "AcceleratorConfig"),
        ({"PublishTo": "LATEST_PUBLISHED"}, "PublishTo"),
        ({"Runtime": "nodejs18.x"}, "the runtime nodejs18.x"),
        ({"Architectures": ["arm64"]}, "the architecture arm64 on this x86_64 host"),
        (
            {"Code": {"S3Bucket": "b", "S3Key": "k", "S3ObjectStorageMode": "X"}},
            "S3ObjectStorageMode X",
        ),
    ],
)
def test_what_is_not_supported_is_refused(client: Any, member: dict[str, Any], named: str) -> None:
    """A member Lambent cannot obey yet is refused by name, and no function is made."""
    code = {"ZipFile": client.zip_of({"app.py": ""})}
    role = "arn:aws:iam::000000000000:role/r"
    settings = {"Code": code, "Role": role, "Runtime": "python3.12", "Handler": "a.b"} | member
    with pytest.raises(ClientFault) as refused:
        client("CreateFunction", FunctionName="f", **settings)
    assert (refused.value.code, refused.value.status) == ("NotImplementedException", 501)
    assert refused.value.message.startswith(f"Lambent does not support {named} yet")
    assert client("ListFunctions")["Functions"] == []


_UNABLE = (
    "Lambda was unable to configure your environment variables because the environment variables "
    "you have provided "
)


@pytest.mark.parametrize(
    ("member", "code", "message"),
    [
        (
            {"Environment": {"Variables": {"AWS_REGION": "x"}}},
            "InvalidParameterValueException",
            (
                f"{_UNABLE}contains reserved keys that are currently not supported for modification. "
                "Reserved keys used in this request: AWS_REGION"
            ),
        ),
        (
            {"Environment": {"Variables": {"A": "x" * 4096}}},
            "InvalidParameterValueException",
            f'{_UNABLE}exceeded the 4KB limit. String measured: {{"A":"{"x" * 4096}"}}',
        ),
        (
            {"MemorySize": 10241},
            "InvalidParameterValueException",
            (
                "'MemorySize' value failed to satisfy constraint: "
                "Member must have value less than or equal to 10240"
            ),
        ),
        (
            {"Timeout": 901},
            "ValidationException",
            (
                "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: "
                "Member must have value less than or equal to 900"
            ),
        ),
        (
            {"EphemeralStorage": {"Size": 10241}},
            "ValidationException",
            (
                "1 validation error detected: Value '10241' at 'ephemeralStorage.size' failed to "
                "satisfy constraint: Member must have value less than or equal to 10240"
            ),
        ),
        (
            {"Handler": None},
            "InvalidParameterValueException",
            (
                "Runtime and Handler are mandatory parameters for functions created with deployment "
                "packages."
            ),
        ),
        (
            {"Code": {}},
            "InvalidParameterValueException",
            "Please provide a source for function code.",
        ),
        (
            {"Code": {"ZipFile": b""}},
            "InvalidParameterValueException",
            "Uploaded file must be a non-empty zip",
        ),
        (
            {"Code": {"ZipFile": b"no zip"}},
            "InvalidParameterValueException",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            {"Tags": {f"k{number}": "" for number in range(51)}},
            "InvalidParameterValueException",
            "Number of tags exceeds resource tag limit.",
        ),
        (
            {"FunctionName": "n" * 65},
            "InvalidParameterValueException",
            (
                f"1 validation error detected: Value '{'n' * 65}' at 'functionName' failed to satisfy "
                "constraint: Member must have length less than or equal to 64"
            ),
        ),
    ],
)
def test_create_refuses_with_awss_words(
    client: Any, member: dict[str, Any], code: str, message: str
) -> None:
    """A value Lambda does not take is refused with AWS's code and message, and nothing is made."""
    zip_file = {"ZipFile": client.zip_of({"app.py": ""})}
    role = "arn:aws:iam::000000000000:role/r"
    settings = {"FunctionName": "f", "Code": zip_file, "Role": role, "Handler": "a.b"}
    with pytest.raises(ClientFault) as refused:
        client("CreateFunction", **(settings | {"Runtime": "python3.12"} | member))
    assert (refused.value.code, refused.value.message) == (code, message)
    assert client("ListFunctions")["Functions"] == []


def test_environment_of_exactly_4_kb_is_taken(client: Any) -> None:
    """The limit counts the compact JSON and allows 4,096 bytes of it."""
    value = "x" * (4096 - len('{"A":""}'))
    client.create(Environment={"Variables": {"A": value}})
    output = client("GetFunctionConfiguration", FunctionName="f")
    assert output["Environment"]["Variables"] == {"A": value}


def test_a_runtime_nothing_here_can_stand_in_for_is_refused(
    client: Any, plane: ControlPlane
) -> None:
    """At creation and when it is changed, with what to do; nothing is stored."""
    client.create()
    client.plane = replace(plane, runtime_missing={"nodejs22.x": "Node.js here: run this"}.get)
    code = {"ZipFile": client.zip_of({"index.mjs": ""})}
    settings = {"Runtime": "nodejs22.x", "Handler": "index.handler"}
    role = "arn:aws:iam::000000000000:role/r"
    for operation, more in (
        ("CreateFunction", {"FunctionName": "g", "Code": code, "Role": role}),
        ("UpdateFunctionConfiguration", {"FunctionName": "f"}),
    ):
        with pytest.raises(ClientFault) as refused:
            client(operation, **settings, **more)
        assert (refused.value.status, "run this" in refused.value.message) == (501, True)
    assert [f["Runtime"] for f in client("ListFunctions")["Functions"]] == ["python3.12"]
