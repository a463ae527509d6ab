"""A platform that is told of images, and functions of them."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.testing import images
from lambent.testing.images import BUSYBOX, build, uri
from lambent.testing.shell_images import ROLE, Shell, shell_layers


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    """Skips where images cannot be made."""
    missing = images.lacking() or ("" if BUSYBOX.exists() else "busybox-static")
    if missing:
        pytest.skip(f"there is no {missing} here: lambent runtimes add images; busybox-static")


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the images lie."""
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def host(platform: Any, layouts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A platform that is told of them."""
    running = type(platform).start(
        tmp_path_factory.mktemp("host") / "data", "--images", str(layouts)
    )
    if running.health["sandbox"]["kind"] != "namespaces":
        running.stop()
        pytest.skip("plain processes have no root of their own")
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.log.read_text(), running.log.read_text()


@pytest.fixture(scope="module")
def client(host: Any) -> Any:
    """boto3's Lambda client of that platform."""
    return host.client("lambda")


@pytest.fixture
def create(client: Any) -> Iterator[Callable[..., Any]]:
    """Creates functions of images, without waiting; they are deleted afterwards."""
    names = []

    def make(image_uri: str, **settings: Any) -> Any:
        names.append(f"image-{uuid.uuid4().hex[:8]}")
        settings = {"Timeout": 20} | settings
        return client.create_function(
            FunctionName=names[-1], Role=ROLE, PackageType="Image", Code={"ImageUri": image_uri}, **settings
        )  # fmt: skip

    yield make
    for name in names:
        try:
            client.delete_function(FunctionName=name)
        except client.exceptions.ResourceNotFoundException:
            continue


@pytest.fixture
def deploy(create: Callable[..., Any], client: Any) -> Callable[..., Shell]:
    """Creates one and waits until it is active."""

    def make(image_uri: str, **settings: Any) -> Shell:
        made = create(image_uri, **settings)
        client.get_waiter("function_active_v2").wait(FunctionName=made["FunctionName"])
        return Shell(client, made["FunctionName"])

    return make


@pytest.fixture(scope="module")
def shell_uri(layouts: Path) -> str:
    """An image that runs scripts, with a nested repository name."""
    build(
        layouts / "team" / "shell", "v1", shell_layers(**{"data/greeting": "hello"}),
        entrypoint=["/bin/sh", "/client"], cmd=["one", "two"], env=["OWN=image", "GREETING=good day"],
        workingdir="/data",
    )  # fmt: skip
    return uri("team/shell")
