"""Images that are none: AWS's errors and states, never a 500."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.testing.images import add_layer, build, change_manifest, uri
from lambent.testing.shell_images import shell_layers


def spoil(layouts: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> str:
    """The URI of an image whose manifest was changed."""
    build(layouts / name, "v1", shell_layers(), entrypoint=["sh", "/client"])
    change_manifest(layouts / name, "v1", change)
    return uri(name)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("garbage", lambda _: b"\x00\xff not json"),
        ("empty", lambda _: b""),
        ("list", lambda _: b"[]"),
        ("deep", lambda _: b'{"a":' * 100_000),
        ("index", lambda _: b'{"schemaVersion": 2, "manifests": []}'),
        ("v1", lambda m: m.update(schemaVersion=1)),
        ("layers", lambda m: m.update(layers={"a": 1})),
        ("kind", lambda m: m["layers"][0].update(mediaType="application/x-zstd")),
        ("digest", lambda m: m["layers"][0].update(digest="sha256:../../../etc/passwd")),
        ("size", lambda m: m["config"].update(size=-1)),
        ("config", lambda m: m.update(config=None)),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    create: Callable[..., Any], layouts: Path, name: str, change: Callable[[dict[str, Any]], Any]
) -> None:
    """``InvalidParameterValueException``, as AWS answers what it does not support; never a 500."""
    image = spoil(layouts, f"manifest-{name}", change)
    with pytest.raises(ClientError) as raised:
        create(image)
    error = raised.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert error["Error"]["Code"] == "InvalidParameterValueException"
    assert error["Error"]["Message"] == (
        f"The image manifest, config or layer media type for the source image {image} is not supported."
    )


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (uri("team/shell", "nope"), "does not exist"),
        (uri("nowhere"), "does not exist"),
        (uri("team"), "does not exist"),
        (uri("team/shell").removesuffix(":v1"), "is not valid"),
        (uri("team/shell").removesuffix(":v1") + "@sha256:" + "0" * 64, "does not exist"),
        ("public.ecr.aws/lambda/python:3.12", "is not valid"),
        (uri("../secret"), "is not valid"),
        (uri("a" * 2000), "is not valid"),
    ],
)
def test_an_image_that_is_not_there_is_refused(
    create: Callable[..., Any], shell_uri: str, image: str, text: str
) -> None:
    """At once, in AWS's words."""
    del shell_uri
    with pytest.raises(ClientError) as raised:
        create(image)
    error = raised.value.response["Error"]
    assert error["Code"] == "InvalidParameterValueException"
    assert error["Message"] == f"Source image {image} {text}. Provide a valid source image."


@pytest.fixture
def settled(client: Any, poll: Callable[..., Any]) -> Callable[[str], dict[str, Any]]:
    """The configuration of a function once it is not Pending any more."""

    def wait(name: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            shown: dict[str, Any] = client.get_function_configuration(FunctionName=name)
            return None if shown["State"] == "Pending" else shown

        found: dict[str, Any] = poll(look, 30, "the function to be settled")
        return found

    return wait


def break_blob(layout: Path) -> None:
    """Another byte in the largest blob."""
    blob = max((layout / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)


def remove_blob(layout: Path) -> None:
    """One layer is gone."""
    max((layout / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size).unlink()


@pytest.mark.parametrize(
    ("name", "architecture", "damage", "code", "reason"),
    [
        ("arm", "arm64", None, "InvalidImage", "The image is for arm64, the function for x86_64."),
        ("odd", "mips64le", None, "InvalidImage", "The image is for mips64le, "),
        ("flipped", "amd64", break_blob, "InvalidImage", "The image cannot be unpacked: the blob sha256:"),
        ("lost", "amd64", remove_blob, "ImageDeleted", "Source image "),
    ],
)  # fmt: skip
def test_an_image_that_cannot_be_unpacked_fails_its_function(
    create: Callable[..., Any],
    client: Any,
    settled: Callable[[str], dict[str, Any]],
    layouts: Path,
    name: str,
    architecture: str,
    damage: Callable[[Path], None] | None,
    code: str,
    reason: str,
) -> None:
    """State Failed with AWS's reason code; an invocation is refused for the state."""
    layout = layouts / f"bad-{name}"
    # The largest blob, and one that no other image left behind.
    own: dict[str, str | bytes] = {"opt/own": os.urandom(4_000_000)}
    layers = [*shell_layers(), own]
    build(layout, "v1", layers, entrypoint=["sh", "/client"], architecture=architecture)
    if damage is not None:
        damage(layout)
    made = create(uri(f"bad-{name}"))
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    shown = settled(made["FunctionName"])
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", code), shown["StateReason"]
    assert shown["StateReason"].startswith(reason)
    with pytest.raises(client.exceptions.ResourceConflictException, match="state: Failed"):
        client.invoke(FunctionName=made["FunctionName"])


def test_a_layer_that_is_no_archive_fails_its_function(
    create: Callable[..., Any], settled: Callable[[str], dict[str, Any]], layouts: Path
) -> None:
    """What the unpacking tool says is told."""
    build(layouts / "bad-tar", "v1", shell_layers(), entrypoint=["sh", "/client"])
    add_layer(layouts / "bad-tar", "v1", b"no tar at all" * 1000)
    shown = settled(create(uri("bad-tar"))["FunctionName"])
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "InvalidImage")
