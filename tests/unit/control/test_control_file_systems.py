"""``FileSystemConfigs``: what is taken, what is refused, and what is shown of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambent.control.directory import Directory
from lambent.control.file_systems import file_system_config, missing_file_system
from lambent.model.errors import ClientFault
from lambent.model.function import FileSystemConfig

ARN = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
OTHER = ARN[:-1] + "1"
S3 = "arn:aws:s3files:us-east-1:000000000000:file-system/fs-0123456789abcdef0/access-point/fsap-0123456789abcdef0"
CONFIG = {"Arn": ARN, "LocalMountPath": "/mnt/data"}
missing = missing_file_system({ARN: Path("/srv/shared")})


@pytest.fixture
def equipped(client: Any) -> Any:
    """A client of a control plane that has one access point."""
    client.plane = replace(client.plane, file_system_missing=missing)
    return client


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"LocalMountPath": "/mnt/.."}, "InvalidParameterValueException", "/mnt/.."),
        ({"LocalMountPath": "/mnt/."}, "InvalidParameterValueException", "/mnt/."),
        ({"LocalMountPath": "/mnt/a/b"}, "InvalidParameterValueException", "/mnt/a/b"),
        ({"LocalMountPath": "/mnt/a\n"}, "InvalidParameterValueException", "/mnt/a"),
        ({"LocalMountPath": "/mnt/" + "a" * 156}, "InvalidParameterValueException", "aaa"),
        ({"LocalMountPath": "/srv"}, "InvalidParameterValueException", "/srv"),
        ({"Arn": OTHER}, "InvalidParameterValueException", f"--file-system {OTHER}="),
        ({"Arn": S3}, "NotImplementedException", S3),
        ({"S3FilesConfig": {}}, "NotImplementedException", "S3FilesConfig"),
    ],
)
def test_refuses(change: dict[str, Any], code: str, said: str) -> None:
    """A path that is none, an access point that is not here, and what is not EFS, each by name."""
    with pytest.raises(ClientFault) as refused:
        file_system_config([CONFIG | change], missing)
    assert refused.value.code == code
    assert said in refused.value.message


def test_takes_one_at_most() -> None:
    """AWS's list has room for one; an empty one asks for none."""
    assert file_system_config([], missing) is None
    assert file_system_config([CONFIG], missing) == FileSystemConfig(ARN, "/mnt/data")
    with pytest.raises(ClientFault):
        file_system_config([CONFIG, CONFIG], missing)


def test_is_shown_kept_and_removed(equipped: Any) -> None:
    """Answers and versions have it; an update keeps what it does not name, and an empty list removes it."""
    assert equipped.create("f", FileSystemConfigs=[CONFIG])["FileSystemConfigs"] == [CONFIG]
    equipped("UpdateFunctionConfiguration", FunctionName="f", Timeout=5)
    assert equipped("GetFunction", FunctionName="f")["Configuration"]["FileSystemConfigs"] == [
        CONFIG
    ]
    assert equipped("PublishVersion", FunctionName="f")["FileSystemConfigs"] == [CONFIG]
    equipped("UpdateFunctionConfiguration", FunctionName="f", FileSystemConfigs=[])
    assert "FileSystemConfigs" not in equipped("GetFunctionConfiguration", FunctionName="f")
    assert equipped("PublishVersion", FunctionName="f")["Version"] == "2"


def test_is_part_of_what_a_version_is(equipped: Any) -> None:
    """Another path is another version; the same one is not."""
    equipped.create("f", FileSystemConfigs=[CONFIG])
    assert equipped("PublishVersion", FunctionName="f")["Version"] == "1"
    equipped("UpdateFunctionConfiguration", FunctionName="f", FileSystemConfigs=[CONFIG])
    assert equipped("PublishVersion", FunctionName="f")["Version"] == "1"
    other = CONFIG | {"LocalMountPath": "/mnt/other"}
    equipped("UpdateFunctionConfiguration", FunctionName="f", FileSystemConfigs=[other])
    assert equipped("PublishVersion", FunctionName="f")["Version"] == "2"


def test_nothing_is_made_where_it_is_not_here(client: Any) -> None:
    """Without the option no access point is known, and no function is made."""
    with pytest.raises(ClientFault) as refused:
        client.create("f", FileSystemConfigs=[CONFIG])
    assert "lambent up --file-system" in refused.value.message
    with pytest.raises(ClientFault):
        client("GetFunction", FunctionName="f")


def test_what_is_invoked_has_it_or_is_refused(equipped: Any) -> None:
    """The invocation path gets it, or AWS's error where the access point is gone since."""
    equipped.create("f", FileSystemConfigs=[CONFIG])
    place = ("000000000000", "us-east-1", "f", None)
    plane = equipped.plane
    here = Directory(plane.database, plane.code, file_system_missing=missing)
    assert here.resolve(*place).primary.file_system == FileSystemConfig(ARN, "/mnt/data")
    with pytest.raises(ClientFault) as refused:
        Directory(plane.database, plane.code).resolve(*place)
    assert (refused.value.code, refused.value.status) == ("EFSMountFailureException", 403)
