"""TracingConfig: kept, shown, published; refused where nobody takes the segments."""

from dataclasses import replace
from typing import Any

import pytest

from lambent.model.errors import ClientFault

ACTIVE = {"TracingConfig": {"Mode": "Active"}}


def test_the_mode_is_kept_until_it_is_changed(client: Any) -> None:
    """What is given is answered; an update without it, or with an empty one, keeps it."""
    assert client.create(**ACTIVE)["TracingConfig"] == {"Mode": "Active"}
    kept: tuple[dict[str, Any], ...] = ({"Description": "d"}, {"TracingConfig": {}})
    for given in kept:
        answer = client("UpdateFunctionConfiguration", FunctionName="f", **given)
        assert answer["TracingConfig"] == {"Mode": "Active"}
    off = {"TracingConfig": {"Mode": "PassThrough"}}
    client("UpdateFunctionConfiguration", FunctionName="f", **off)
    assert client("GetFunctionConfiguration", FunctionName="f")["TracingConfig"] == {
        "Mode": "PassThrough"
    }


def test_it_is_a_part_of_a_version(client: Any) -> None:
    """Another mode makes another version, which keeps it."""
    client.create()
    first = client("PublishVersion", FunctionName="f")
    client("UpdateFunctionConfiguration", FunctionName="f", **ACTIVE)
    second = client("PublishVersion", FunctionName="f")
    assert (first["Version"], second["Version"]) == ("1", "2")
    assert [one["TracingConfig"]["Mode"] for one in (first, second)] == ["PassThrough", "Active"]


def test_without_an_x_ray_endpoint_it_is_refused(client: Any) -> None:
    """Active is 501 with what would change that; PassThrough works."""
    client.plane = replace(client.plane, tracing_missing="without an X-Ray endpoint")
    client.create(TracingConfig={"Mode": "PassThrough"})
    for operation in ("CreateFunction", "UpdateFunctionConfiguration"):
        settings = {"Role": "arn:aws:iam::000000000000:role/r", "Code": {"ZipFile": b""}}
        with pytest.raises(ClientFault) as refused:
            client(operation, FunctionName="f", **settings, **ACTIVE)
        assert (refused.value.code, refused.value.status) == ("NotImplementedException", 501)
        assert "without an X-Ray endpoint" in refused.value.message
