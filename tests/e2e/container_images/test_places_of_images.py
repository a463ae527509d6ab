"""Where images come from and where they are kept: registries, restarts, file systems, hosts without."""

import base64
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.testing.images import build, digest_of, uri
from lambent.testing.registry import Registry
from lambent.testing.shell_images import ROLE, Shell, shell_layers


def test_images_survive_and_go(
    start_platform: Callable[..., Any], tmp_path: Path, poll: Callable[..., Any]
) -> None:
    """After kill -9 a function runs although its image is gone from its place; unused images are removed."""
    copied = tmp_path / "copied"
    build(copied / "app", "v1", shell_layers(), entrypoint=["sh", "/client"])
    build(copied / "other", "v1", shell_layers(x="1"), entrypoint=["sh", "/client"])
    first = start_platform(tmp_path / "data", "--images", str(copied))
    client = first.client("lambda")
    for name in ("app", "other"):
        client.create_function(
            FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": uri(name)}, Timeout=20
        )  # fmt: skip
        client.get_waiter("function_active_v2").wait(FunctionName=name)
    client.delete_function(FunctionName="other")
    trees = tmp_path / "data" / "images" / "trees"
    assert len(list(trees.iterdir())) == 2, "its environments may still run"
    first.stop(signal.SIGKILL)
    shutil.rmtree(copied / "app")
    second = start_platform(tmp_path / "data", "--images", str(copied))
    assert Shell(second.client("lambda"), "app")("echo there") == "there"
    poll(lambda: len(list(trees.iterdir())) == 1, 10, "the other image to be removed")
    assert [tree.name for tree in trees.iterdir()] == [
        second.client("lambda").get_function_configuration(FunctionName="app")["CodeSha256"]
    ]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry with an image, that asks for a name and a password."""
    layout = tmp_path / "registry" / "mirror" / "team" / "app"
    build(layout, "v1", shell_layers(n="1"), entrypoint=["sh", "/client"])
    with Registry(tmp_path / "registry", "me:secret").serving() as served:
        yield served


def test_images_come_from_a_registry(
    start_platform: Callable[..., Any],
    tmp_path: Path,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By skopeo with its own credentials; blobs are fetched once; what it refuses is AWS's refusal."""
    auth = tmp_path / "auth.json"
    token = base64.b64encode(registry.credentials.encode()).decode()
    auth.write_text(json.dumps({"auths": {registry.host: {"auth": token}}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(auth))
    host = start_platform(tmp_path / "data", "--registry", f"{registry.url}/mirror")
    client = host.client("lambda")

    def create(name: str, image: str) -> Any:
        return client.create_function(
            FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": image}, Timeout=20
        )  # fmt: skip

    made = create("first", uri("team/app"))
    client.get_waiter("function_active_v2").wait(FunctionName="first")
    assert made["CodeSha256"] == digest_of(registry.root / "mirror" / "team" / "app", "v1")
    assert Shell(client, "first")("cat /n") == "1"
    layout = registry.root / "mirror" / "team" / "app"
    build(layout, "v2", shell_layers(n="2"), entrypoint=["sh", "/client"])
    registry.log.clear()
    create("second", uri("team/app", "v2"))
    client.get_waiter("function_active_v2").wait(FunctionName="second")
    assert Shell(client, "second")("cat /n") == "2"
    known = {blob["digest"] for blob in manifest_of(layout, "v1")["layers"]}
    asked = {path.rpartition("/")[2] for path in registry.log}
    assert not known & asked, "layers that are here are not fetched again"
    for image, text in (
        (uri("team/app", "v3"), "does not exist"),
        (uri("team/none"), "does not exist"),
    ):
        with pytest.raises(ClientError, match=text):
            create("third", image)
    registry.refuses = True
    with pytest.raises(ClientError, match="permission to access the ECR image") as raised:
        create("third", uri("team/app"))
    assert raised.value.response["Error"]["Code"] == "AccessDeniedException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_registry_that_is_gone_is_no_fault_of_the_caller(
    start_platform: Callable[..., Any], tmp_path: Path
) -> None:
    """``ServiceException``: to be tried again."""
    host = start_platform(tmp_path / "data", "--registry", "http://127.0.0.1:1")
    with pytest.raises(ClientError) as raised:
        host.client("lambda").create_function(
            FunctionName="f", Role=ROLE, PackageType="Image", Code={"ImageUri": uri("a")}
        )
    assert raised.value.response["Error"]["Code"] == "ServiceException"
    assert "127.0.0.1:1" in raised.value.response["Error"]["Message"]


def manifest_of(layout: Path, tag: str) -> Any:
    """The manifest under a tag."""
    return json.loads((layout / "blobs" / "sha256" / digest_of(layout, tag)).read_text())


def test_a_platform_that_dies_while_it_unpacks_goes_on_later(
    start_platform: Callable[..., Any], tmp_path: Path, layouts: Path, poll: Callable[..., Any]
) -> None:
    """After kill -9 a function that was Pending becomes Active; an image that is lost is fetched once more."""
    build(layouts / "dies", "v1", shell_layers(), entrypoint=["sh", "/client"])
    options = ("--images", str(layouts))
    first = start_platform(tmp_path / "data", *options)
    first.client("lambda").create_function(
        FunctionName="f", Role=ROLE, PackageType="Image", Code={"ImageUri": uri("dies")}, Timeout=20
    )
    first.stop(signal.SIGKILL)
    second = start_platform(tmp_path / "data", *options)
    client = second.client("lambda")
    client.get_waiter("function_active_v2").wait(FunctionName="f")
    assert Shell(client, "f")("echo there") == "there"
    assert not list((tmp_path / "data" / "images" / "tmp").iterdir())
    second.stop()
    shutil.rmtree(tmp_path / "data" / "images")
    third = start_platform(tmp_path / "data", *options)
    trees = tmp_path / "data" / "images" / "trees"
    poll(lambda: list(trees.iterdir()), 30, "the image to be fetched once more")
    shell = Shell(third.client("lambda"), "f")
    assert poll(lambda: shell("echo again"), 10, "the function to answer") == "again"


def test_plain_processes_run_no_images(
    start_platform: Callable[..., Any], tmp_path: Path, layouts: Path, shell_uri: str
) -> None:
    """501: there is no root to give them."""
    host = start_platform(tmp_path / "data", "--images", str(layouts), "--sandbox", "process")
    with pytest.raises(ClientError, match="plain processes") as raised:
        host.client("lambda").create_function(
            FunctionName="f", Role=ROLE, PackageType="Image", Code={"ImageUri": shell_uri}
        )
    assert raised.value.response["Error"]["Code"] == "NotImplementedException"


ACCESS_POINT = (
    "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
)


def test_file_systems_are_mounted_in_an_image(
    start_platform: Callable[..., Any], layouts: Path, shell_uri: str
) -> None:
    """``/mnt/data`` is the host's directory, and the only way to it."""
    if os.geteuid() != 0:
        pytest.skip("the directory is given to another user")
    with tempfile.TemporaryDirectory() as root:
        shared = Path(root) / "shared"
        shared.mkdir()
        (shared / "greeting").write_text("from outside")
        os.chown(shared, 54321, 54321)
        options = ("--images", str(layouts), "--file-system", f"{ACCESS_POINT}={shared}")
        host = start_platform(Path(root) / "data", *options)
        client = host.client("lambda")
        client.create_function(
            FunctionName="f", Role=ROLE, PackageType="Image", Code={"ImageUri": shell_uri}, Timeout=20,
            FileSystemConfigs=[{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/data"}],
        )  # fmt: skip
        client.get_waiter("function_active_v2").wait(FunctionName="f")
        shell = Shell(client, "f")
        assert (
            shell("cat /mnt/data/greeting; echo inside > /mnt/data/answer; ls /mnt")
            == "from outsidedata"
        )
        assert (shared / "answer").read_text() == "inside\n"
        assert "Read-only" in shell("touch /mnt/evil 2>&1; touch /evil 2>&1")
        host.stop()


def test_without_a_place_for_images_they_are_refused(platform: Any) -> None:
    """501, with the command that gives one."""
    client = platform.client("lambda")
    with pytest.raises(ClientError, match="lambent up --images") as raised:
        client.create_function(
            FunctionName="nowhere", Role=ROLE, PackageType="Image", Code={"ImageUri": uri("a")}
        )
    assert raised.value.response["Error"]["Code"] == "NotImplementedException"
