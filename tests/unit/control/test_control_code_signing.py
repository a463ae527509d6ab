"""Code signing: the configurations, who has one, and what each policy does to an upload."""

import logging
import re
from typing import Any

import pytest

from lambent.control.plane import ControlPlane
from lambent.model.errors import ClientFault

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
PROFILE = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/abc"
GONE = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-" + "0" * 17


def publishers(*arns: str) -> dict[str, Any]:
    """The shape ``AllowedPublishers``."""
    return {"SigningProfileVersionArns": list(arns)}


def policy(name: str) -> dict[str, str]:
    """The shape ``CodeSigningPolicies``."""
    return {"UntrustedArtifactOnDeployment": name}


def new_config(client: Any, policy_name: str | None = None, **more: Any) -> dict[str, Any]:
    """A configuration as it is answered."""
    policies = {} if policy_name is None else {"CodeSigningPolicies": policy(policy_name)}
    call = {"AllowedPublishers": publishers(PROFILE)} | policies | more
    shown: dict[str, Any] = client("CreateCodeSigningConfig", **call)["CodeSigningConfig"]
    return shown


def fault_of(client: Any, operation: str, **parameters: Any) -> ClientFault:
    """The refusal of one operation."""
    with pytest.raises(ClientFault) as caught:
        client(operation, **parameters)
    return caught.value


def test_a_configuration_from_creation_to_deletion(client: Any, clock: Any) -> None:
    """It is created with Warn, shown, changed in part, listed, and gone."""
    made = new_config(client)
    assert re.fullmatch(r"csc-[a-z0-9]{17}", made["CodeSigningConfigId"])
    assert made == {
        "CodeSigningConfigId": made["CodeSigningConfigId"],
        "CodeSigningConfigArn": GONE[: -len("csc-") - 17] + made["CodeSigningConfigId"],
        "AllowedPublishers": publishers(PROFILE),
        "CodeSigningPolicies": policy("Warn"),
        "LastModified": "2026-01-31T12:00:00.000+0000",
    }
    named = {"CodeSigningConfigArn": made["CodeSigningConfigArn"]}
    assert client("GetCodeSigningConfig", **named) == {"CodeSigningConfig": made}
    clock.advance(seconds=1)
    call = named | {"Description": "d", "CodeSigningPolicies": policy("Enforce")}
    changed = client("UpdateCodeSigningConfig", **call)["CodeSigningConfig"]
    assert changed == made | {
        "Description": "d",
        "CodeSigningPolicies": policy("Enforce"),
        "LastModified": "2026-01-31T12:00:01.000+0000",
    }
    client("UpdateCodeSigningConfig", **named, AllowedPublishers=publishers(PROFILE, PROFILE + "2"))
    (listed,) = client("ListCodeSigningConfigs")["CodeSigningConfigs"]
    assert listed == changed | {"AllowedPublishers": publishers(PROFILE, PROFILE + "2")}
    assert client.result("DeleteCodeSigningConfig", **named).status == 204
    assert client("ListCodeSigningConfigs") == {"CodeSigningConfigs": []}


def test_lists_come_in_pages(client: Any) -> None:
    """Configurations and the functions of one are paged without loss or repetition."""
    arns = sorted(new_config(client)["CodeSigningConfigArn"] for _ in range(5))
    found: list[str] = []
    more: dict[str, Any] = {}
    for _ in range(3):
        page = client("ListCodeSigningConfigs", MaxItems=2, **more)
        found += [one["CodeSigningConfigArn"] for one in page["CodeSigningConfigs"]]
        more = {"Marker": page["NextMarker"]} if "NextMarker" in page else {}
    assert (found, more) == (arns, {})
    for name in ("f", "g", "h"):
        client.create(name, CodeSigningConfigArn=arns[0])
    named = {"CodeSigningConfigArn": arns[0], "MaxItems": 2}
    first = client("ListFunctionsByCodeSigningConfig", **named)
    second = client("ListFunctionsByCodeSigningConfig", **named, Marker=first["NextMarker"])
    names = [arn[len(ARN) - 1 :] for arn in first["FunctionArns"] + second["FunctionArns"]]
    assert (names, "NextMarker" in second) == (["f", "g", "h"], False)


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("GetCodeSigningConfig", {}),
        ("UpdateCodeSigningConfig", {}),
        ("DeleteCodeSigningConfig", {}),
        ("ListFunctionsByCodeSigningConfig", {}),
        ("PutFunctionCodeSigningConfig", {"FunctionName": "f"}),
    ],
)
def test_what_is_not_there_is_404(client: Any, operation: str, more: dict[str, str]) -> None:
    """Gone, of another region, of another account: AWS's words, and its own code for functions."""
    client.create()
    client.region = "eu-west-1"
    elsewhere = new_config(client)["CodeSigningConfigArn"]
    client.region = "us-east-1"
    for arn in (GONE, elsewhere, GONE.replace("000000000000", "111111111111")):
        fault = fault_of(client, operation, CodeSigningConfigArn=arn, **more)
        assert fault.status == 404
        assert arn in fault.message
        own = "CodeSigningConfigNotFoundException" if more else "ResourceNotFoundException"
        assert fault.code == own


def test_a_function_has_at_most_one(client: Any) -> None:
    """It is put, replaced, shown and taken away; while it is used it cannot be deleted."""
    client.create()
    assert client("GetFunctionCodeSigningConfig", FunctionName="f") == {}
    for _ in range(2):
        arn = new_config(client)["CodeSigningConfigArn"]
        put = client("PutFunctionCodeSigningConfig", FunctionName=ARN, CodeSigningConfigArn=arn)
        assert put == {"CodeSigningConfigArn": arn, "FunctionName": "f"}
        assert client("GetFunctionCodeSigningConfig", FunctionName="f") == put
    used = fault_of(client, "DeleteCodeSigningConfig", CodeSigningConfigArn=arn)
    assert (used.code, used.status) == ("ResourceConflictException", 409)
    for _ in range(2):
        client("DeleteFunctionCodeSigningConfig", FunctionName="f")
    assert client("GetFunctionCodeSigningConfig", FunctionName="f") == {}
    client("DeleteCodeSigningConfig", CodeSigningConfigArn=arn)


def test_a_deleted_function_leaves_it(client: Any) -> None:
    """A configuration is free again once its function is gone; a new one of that name has none."""
    arn = new_config(client)["CodeSigningConfigArn"]
    client.create(CodeSigningConfigArn=arn)
    assert client("GetFunctionCodeSigningConfig", FunctionName="f")["CodeSigningConfigArn"] == arn
    client("DeleteFunction", FunctionName="f")
    client("DeleteCodeSigningConfig", CodeSigningConfigArn=arn)
    client.create()
    assert client("GetFunctionCodeSigningConfig", FunctionName="f") == {}


@pytest.mark.parametrize("operation", ["Put", "Get", "Delete"])
def test_it_is_the_whole_functions(client: Any, operation: str) -> None:
    """A qualifier is refused, a function that is not there is 404."""
    arn = new_config(client)["CodeSigningConfigArn"]
    operation = f"{operation}FunctionCodeSigningConfig"
    missing = fault_of(client, operation, FunctionName="f", CodeSigningConfigArn=arn)
    assert missing.message == f"Function not found: {ARN}"
    client.create(Publish=True)
    qualified = fault_of(client, operation, FunctionName="f:1", CodeSigningConfigArn=arn)
    assert qualified.code == "InvalidParameterValueException"


def test_enforce_refuses_every_new_upload(client: Any, plane: ControlPlane) -> None:
    """Code and layers are unsigned, so neither gets in, and what is there stays as it is."""
    layer = client(
        "PublishLayerVersion", LayerName="l", Content={"ZipFile": client.zip_of({"l.py": ""})}
    )
    arn = new_config(client, "Enforce")["CodeSigningConfigArn"]
    client.create()
    client("PutFunctionCodeSigningConfig", FunctionName="f", CodeSigningConfigArn=arn)
    before = client("GetFunction", FunctionName="f")["Configuration"]
    zipped = client.zip_of({"app.py": "def handler(event, context): return 2"})
    arns = [layer["LayerVersionArn"]]
    uploads: list[tuple[str, dict[str, Any]]] = [
        ("UpdateFunctionCode", {"FunctionName": "f", "ZipFile": zipped}),
        ("UpdateFunctionCode", {"FunctionName": "f", "ZipFile": zipped, "DryRun": True}),
        ("UpdateFunctionConfiguration", {"FunctionName": "f", "Layers": arns}),
    ]
    for operation, parameters in uploads:
        fault = fault_of(client, operation, **parameters)
        assert (fault.code, fault.status) == ("CodeVerificationFailedException", 400)
    assert client("GetFunction", FunctionName="f")["Configuration"] == before
    client("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    with pytest.raises(ClientFault, match="cannot deploy"):
        client.create("g", CodeSigningConfigArn=arn)
    assert fault_of(client, "GetFunction", FunctionName="g").status == 404
    with pytest.raises(ClientFault, match="cannot be found"):
        client.create("g", CodeSigningConfigArn=GONE)


def test_warn_takes_it_and_says_so(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Under Warn the code is new and the log tells; the update to Enforce counts from the next on."""
    arn = new_config(client, "Warn")["CodeSigningConfigArn"]
    with caplog.at_level(logging.WARNING, "lambent.control"):
        created = client.create(CodeSigningConfigArn=arn)
        zipped = client.zip_of({"app.py": "def handler(event, context): return 2"})
        updated = client("UpdateFunctionCode", FunctionName="f", ZipFile=zipped)
    assert updated["CodeSha256"] != created["CodeSha256"]
    assert [ARN in record.getMessage() for record in caplog.records] == [True, True]
    policies = policy("Enforce")
    client("UpdateCodeSigningConfig", CodeSigningConfigArn=arn, CodeSigningPolicies=policies)
    fault = fault_of(client, "UpdateFunctionCode", FunctionName="f", ZipFile=zipped)
    assert fault.code == "CodeVerificationFailedException"


def test_configurations_are_tagged(client: Any) -> None:
    """Tags are given at creation, added, removed, and gone with the configuration."""
    arn = new_config(client, Tags={"a": "1"})["CodeSigningConfigArn"]
    client("TagResource", Resource=arn, Tags={"b": "2"})
    assert client("ListTags", Resource=arn) == {"Tags": {"a": "1", "b": "2"}}
    client("UntagResource", Resource=arn, TagKeys=["a", "z"])
    assert client("ListTags", Resource=arn) == {"Tags": {"b": "2"}}
    client("DeleteCodeSigningConfig", CodeSigningConfigArn=arn)
    for operation in ("ListTags", "TagResource", "UntagResource"):
        fault = fault_of(client, operation, Resource=arn, Tags={"a": "1"}, TagKeys=["a"])
        assert fault.code == "ResourceNotFoundException"
    with pytest.raises(ClientFault, match="aws: prefixed"):
        new_config(client, Tags={"aws:x": "1"})
