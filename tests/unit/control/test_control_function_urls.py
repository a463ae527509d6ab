"""Function URL configs: AWS's answers and refusals, and what the gateway is told of them."""

import re
from dataclasses import replace
from typing import Any

import pytest

from lambent.control.plane import ControlPlane
from lambent.control.registry import OPERATIONS
from lambent.control.url_directory import UrlDirectory
from lambent.model.call import Call, Caller
from lambent.model.errors import ClientFault
from lambent.policy import ANONYMOUS, Request, evaluate

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
CREATE, GET, LIST, UPDATE, DELETE = (
    *("CreateFunctionUrlConfig", "GetFunctionUrlConfig", "ListFunctionUrlConfigs"),
    *("UpdateFunctionUrlConfig", "DeleteFunctionUrlConfig"),
)
ALL_CORS = {
    "AllowCredentials": False,
    "AllowHeaders": ["x-a"],
    "AllowMethods": ["GET"],
    "AllowOrigins": ["https://example.com"],
    "ExposeHeaders": [],
    "MaxAge": 0,
}


def fault_of(client: Any, operation: str, **parameters: Any) -> ClientFault:
    """The refusal of one operation."""
    with pytest.raises(ClientFault) as caught:
        client(operation, **parameters)
    return caught.value


def id_in(address: str) -> str:
    """The id of a URL on the platform's port."""
    match = re.fullmatch(r"http://([a-z0-9]{32})\.lambda-url\.us-east-1\.localhost:4566/", address)
    assert match is not None, address
    return match[1]


@pytest.fixture(name="client")
def client_fixture(client: Any) -> Any:
    """A caller whose function ``f`` has the version 1 and the alias ``live``."""
    client.create(Publish=True)
    client("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    return client


def test_a_url_from_creation_to_deletion(client: Any, clock: Any) -> None:
    """It is created, shown, changed in part, and gone; created again it has the same address."""
    made = client(CREATE, FunctionName="f", AuthType="NONE")
    id_in(made["FunctionUrl"])
    assert made == {
        "FunctionUrl": made["FunctionUrl"],
        "FunctionArn": ARN,
        "AuthType": "NONE",
        "CreationTime": "2026-01-31T12:00:00.000000Z",
    }
    mode = {"InvokeMode": "BUFFERED"}
    shown = made | mode | {"LastModifiedTime": made["CreationTime"]}
    assert client(GET, FunctionName=ARN) == shown
    clock.advance(seconds=1)
    changed = client(UPDATE, FunctionName="f", Cors=ALL_CORS, AuthType="AWS_IAM")
    later = {"LastModifiedTime": "2026-01-31T12:00:01.000000Z"}
    assert changed | mode == shown | later | {"Cors": ALL_CORS, "AuthType": "AWS_IAM"}
    assert client(GET, FunctionName="f") == changed | mode
    assert client(UPDATE, FunctionName="f", InvokeMode="BUFFERED")["Cors"] == ALL_CORS
    assert "Cors" not in client(UPDATE, FunctionName="f", Cors={})
    assert client.result(DELETE, FunctionName="f").status == 204
    assert fault_of(client, GET, FunctionName="f").status == 404
    assert client(CREATE, FunctionName="f", AuthType="NONE")["FunctionUrl"] == made["FunctionUrl"]


def test_the_address_has_the_port_the_caller_uses(client: Any) -> None:
    """A caller at another port is shown that one."""
    caller = Caller("000000000000", "us-east-1", "r", endpoint="http://127.0.0.1:9000")
    call = Call("lambda", CREATE, {"FunctionName": "f", "AuthType": "NONE"}, caller)
    address = OPERATIONS[CREATE](client.plane, call).output["FunctionUrl"]
    assert address.endswith(".lambda-url.us-east-1.localhost:9000/")


def test_each_alias_has_its_own(client: Any) -> None:
    """$LATEST and aliases have one each, listed in pages; another one for the same is a conflict."""
    made = [
        client(CREATE, FunctionName="f", AuthType="NONE"),
        client(CREATE, FunctionName="f:live", AuthType="NONE"),
    ]
    assert [one["FunctionArn"] for one in made] == [ARN, f"{ARN}:live"]
    assert made[0]["FunctionUrl"] != made[1]["FunctionUrl"]
    for qualifier, arn in (({}, ARN), ({"Qualifier": "live"}, f"{ARN}:live")):
        again = fault_of(client, CREATE, FunctionName="f", AuthType="NONE", **qualifier)
        assert (again.code, again.status) == ("ResourceConflictException", 409)
        assert again.message == (
            f"Failed to create function url config for [functionArn = {arn}]. "
            "Error message:  FunctionUrlConfig exists for this Lambda function"
        )
    first = client(LIST, FunctionName="f", MaxItems=1)
    second = client(LIST, FunctionName="f", MaxItems=1, Marker=first["NextMarker"])
    listed = first["FunctionUrlConfigs"] + second["FunctionUrlConfigs"]
    assert [one["FunctionArn"] for one in listed] == [ARN, f"{ARN}:live"]
    assert "NextMarker" not in second
    client(DELETE, FunctionName="f")
    assert client(GET, FunctionName="f", Qualifier="live")["AuthType"] == "NONE"


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        (CREATE, "Function does not exist"),
        (UPDATE, "Function does not exist"),
        (LIST, "Function does not exist"),
        (GET, "The resource you requested does not exist."),
        (DELETE, "The resource you requested does not exist."),
    ],
)
def test_what_is_not_there_is_404(client: Any, operation: str, text: str) -> None:
    """A function, alias or URL that is not there, in the words of each operation."""
    missing = fault_of(client, operation, FunctionName="g", AuthType="NONE")
    assert (missing.code, missing.status, missing.message) == (
        "ResourceNotFoundException",
        404,
        text,
    )
    if operation != LIST:
        alias = fault_of(client, operation, FunctionName="f:gone", AuthType="NONE")
        assert alias.message == text
    if operation == UPDATE:
        url = fault_of(client, operation, FunctionName="f")
        assert url.message == "The resource you requested does not exist."


@pytest.mark.parametrize("operation", [CREATE, GET, UPDATE, DELETE])
@pytest.mark.parametrize("qualifier", ["1", "$LATEST"])
def test_versions_have_none(client: Any, operation: str, qualifier: str) -> None:
    """A version in the name is refused by AWS's pattern."""
    fault = fault_of(client, operation, FunctionName=f"f:{qualifier}", AuthType="NONE")
    assert fault.code == "ValidationException"
    assert f"Value '{qualifier}' at 'qualifier'" in fault.message


def test_the_invoke_mode_is_kept(client: Any) -> None:
    """RESPONSE_STREAM is stored, shown, and changed only by who names a mode; who names none is not told it."""
    made = client(CREATE, FunctionName="f", AuthType="NONE", InvokeMode="RESPONSE_STREAM")
    assert made["InvokeMode"] == "RESPONSE_STREAM"
    assert "InvokeMode" not in client(UPDATE, FunctionName="f", AuthType="AWS_IAM")
    assert client(GET, FunctionName="f")["InvokeMode"] == "RESPONSE_STREAM"
    assert client(UPDATE, FunctionName="f", InvokeMode="BUFFERED")["InvokeMode"] == "BUFFERED"
    assert client(GET, FunctionName="f")["InvokeMode"] == "BUFFERED"


def test_urls_go_with_what_they_are_of(client: Any) -> None:
    """Deleting an alias takes its URL along, deleting the function all of them."""
    client(CREATE, FunctionName="f", AuthType="NONE")
    client(CREATE, FunctionName="f:live", AuthType="NONE")
    client("DeleteAlias", FunctionName="f", Name="live")
    assert len(client(LIST, FunctionName="f")["FunctionUrlConfigs"]) == 1
    client("DeleteFunction", FunctionName="f")
    client.create()
    assert client(LIST, FunctionName="f") == {"FunctionUrlConfigs": []}


def test_the_gateway_sees_every_change(client: Any, plane: ControlPlane) -> None:
    """The directory finds a URL with its policy, and sees the next commit without being told."""
    directory = UrlDirectory(plane.database)
    url_id = id_in(
        client(CREATE, FunctionName="f:live", AuthType="NONE", Cors=ALL_CORS)["FunctionUrl"]
    )
    found = directory.find(url_id)
    assert found is not None
    url, policy = found
    assert (url.alias, url.function_arn, url.auth_type) == ("live", f"{ARN}:live", "NONE")
    assert url.cors is not None
    assert (url.cors.allow_origins, url.cors.max_age_s) == (("https://example.com",), 0)
    assert policy.statements == ()
    assert directory.find(url_id) is found
    client(
        "AddPermission", FunctionName="f", Qualifier="live", StatementId="s", Principal="*",
        Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE",
    )  # fmt: skip
    found = directory.find(url_id)
    assert found is not None
    request = Request(ANONYMOUS, "lambda:InvokeFunctionUrl", f"{ARN}:live", {})
    asked = replace(request, context={"lambda:FunctionUrlAuthType": "NONE"})
    assert (evaluate([found[1]], request).allowed, evaluate([found[1]], asked).allowed) == (
        False,
        True,
    )
    client("DeleteAlias", FunctionName="f", Name="live")
    assert directory.find(url_id) is None
