"""``lambent up --file-system``: what may stand for an access point."""

import os
from pathlib import Path

import pytest

from lambent.cli.failures import CliError
from lambent.cli.file_systems import known_file_systems

ARN = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """One that functions may share."""
    if os.geteuid() == 0:
        os.chown(tmp_path, 1000, 1000)
    return tmp_path


def test_takes_directories(directory: Path) -> None:
    """Each access point with its directory, links followed."""
    link = directory / "link"
    link.symlink_to(directory)
    assert known_file_systems([f"{ARN}={link}"]) == {ARN: directory.resolve()}
    assert known_file_systems([]) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no ARN"),
        ("fsap-0123456789abcdef0=/tmp", "no ARN"),
        (f"x{ARN}=/tmp", "no ARN"),
        (f"{ARN}", "no directory"),
        (f"{ARN}=relative", "no directory"),
        (f"{ARN}=/does/not/exist", "no directory"),
        (f"{ARN}=/etc/passwd", "no directory"),
        (f"{ARN}=/usr", "/usr"),
    ],
)
def test_refuses(text: str, said: str) -> None:
    """What is no access point, no directory, or somebody's whom functions must not be."""
    with pytest.raises(CliError) as refused:
        known_file_systems([text])
    assert said in str(refused.value)


def test_refuses_the_same_twice(directory: Path) -> None:
    """One access point has one directory."""
    with pytest.raises(CliError, match="twice"):
        known_file_systems([f"{ARN}={directory}"] * 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="changing a directory's owner takes root")
@pytest.mark.parametrize("owner", [(0, 1000), (1000, 0)])
def test_refuses_what_is_roots(tmp_path: Path, owner: tuple[int, int]) -> None:
    """Functions must not leave programs behind that make somebody root."""
    os.chown(tmp_path, *owner)
    with pytest.raises(CliError, match="belongs to root"):
        known_file_systems([f"{ARN}={tmp_path}"])
