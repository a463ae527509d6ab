"""Images unpacked by the real tools: once, within bounds, durable, gone when nobody wants them."""

import asyncio
import gzip
import io
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.model.errors import AwsError
from lambent.model.image import FoundImage, ImageFailure
from lambent.node.images.directory import Directory
from lambent.node.images.service import ContainerImages
from lambent.node.images.store import ImageStore
from lambent.node.images.tools import Limits, Stopped, ToolFailure, Tools, obstacle
from lambent.testing.images import add_layer, build, lacking, uri

DEADLINE_S = 60.0
pytestmark = pytest.mark.skipif(
    bool(lacking()), reason=f"there is no {lacking()} here: lambent runtimes add images"
)


class Place:
    """A store over a directory of layouts."""

    def __init__(self, root: Path, max_bytes: int = 10 * 1024**3) -> None:
        self.layouts, self.data = root / "layouts", root / "data"
        self.layouts.mkdir(exist_ok=True)
        self.tools = Tools()
        self.store = ImageStore(self.data, self.tools, max_bytes=max_bytes)
        source = Directory(self.layouts, self.store.tmp, self.tools)
        self.images = ContainerImages(self.store, [source], self.tools)

    def find(self, image: str) -> FoundImage | AwsError:
        """What a URI names."""
        return asyncio.run(self.images.find(image))

    def prepare(self, image: str) -> tuple[str, ImageFailure | None]:
        """The digest of an image, once it is unpacked or cannot be."""
        found = self.find(image)
        assert isinstance(found, FoundImage), found
        done, failures = threading.Event(), []

        def finished(failure: ImageFailure | None) -> None:
            failures.append(failure)
            done.set()

        self.images.prepare(found.sha256, image, finished)
        assert done.wait(DEADLINE_S)
        return found.sha256, failures[0]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An empty one."""
    made = Place(tmp_path)
    yield made
    made.images.close()


def tar_of(entries: dict[str, Any]) -> bytes:
    """A layer: contents by name, or a TarInfo's type and members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def test_an_image_is_unpacked_once(place: Place) -> None:
    """Its configuration is kept with it; a second time nothing is done; a new store knows it again."""
    build(
        place.layouts / "app", "v1", [{"bin/tool*": "x", "opt/extensions/e*": "y"}, {"etc/more": "z"}],
        entrypoint=["/bin/tool"], env=["A=b=c"], workingdir="/etc",
    )  # fmt: skip
    sha256, failure = place.prepare(uri("app"))
    assert failure is None
    image = place.images.image(sha256)
    assert (image.entry_point, image.working_directory) == (("/bin/tool",), "/etc")
    assert (dict(image.environment), image.extensions) == ({"A": "b=c"}, ("e",))
    assert (image.root / "etc" / "more").read_text() == "z"
    before = image.root.stat().st_ino
    assert place.prepare(uri("app")) == (sha256, None)
    assert image.root.stat().st_ino == before
    again = ImageStore(place.data, Tools())
    assert again.is_ready(sha256)
    assert again.image(sha256) == image
    assert not list(place.store.tmp.iterdir())


def test_places_to_mount_on_are_directories(place: Place) -> None:
    """Also where the image had links or files there, and nothing outside is touched."""
    outside = place.layouts.parent / "outside"
    outside.mkdir()
    links = {f"{name}@": str(outside) for name in ("tmp", "proc", "mnt", "var")}
    build(place.layouts / "app", "v1", [{**links, "dev": "a file", "etc/hosts@": "/etc/shadow"}])
    sha256, failure = place.prepare(uri("app"))
    assert failure is None
    root = place.images.image(sha256).root
    for name in ("tmp", "proc", "mnt", "dev", "var/task"):
        assert (root / name).is_dir()
        assert not (root / name).is_symlink()
    assert (root / "etc" / "hosts").read_text() == ""
    assert not list(outside.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="ownership takes root")
def test_everything_is_roots_and_nothing_is_set_user_id(place: Place) -> None:
    """Whoever owned it in the image: a function is somebody else in any case."""
    build(place.layouts / "app", "v1", [{"x": "1"}])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("su")
        info.mode, info.uid, info.gid, info.size = 0o6755, 1000, 1000, 1
        tar.addfile(info, io.BytesIO(b"x"))
    add_layer(place.layouts / "app", "v1", buffer.getvalue())
    sha256, failure = place.prepare(uri("app"))
    assert failure is None
    found = (place.images.image(sha256).root / "su").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 0, 0o755)


def test_what_is_too_large_is_given_up(tmp_path: Path) -> None:
    """A layer that packs small and unpacks large: AWS's reason, and nothing is left of it."""
    place = Place(tmp_path, max_bytes=4 * 1024 * 1024)
    layout = place.layouts / "bomb"
    build(layout, "v1", [{"x": "1"}])
    add_layer(layout, "v1", tar_of({f"zeros{n}": os.urandom(1024 * 1024) for n in range(6)}))
    _, failure = place.prepare(uri("bomb"))
    assert failure == ImageFailure(
        "InvalidImage", "SizeLimitExceeded: Uncompressed container image size exceeds 10 GiB limit"
    )
    build(place.layouts / "packed", "v1", [{f"zeros{n}": b"\0" * 1024 * 1024 for n in range(6)}])
    _, failure = place.prepare(uri("packed"))
    assert failure is not None
    assert failure.reason.startswith("SizeLimitExceeded")
    assert not list(place.store.trees.iterdir())
    assert not list(place.store.tmp.iterdir())
    place.images.close()


def test_one_file_that_is_too_large_is_given_up(tmp_path: Path) -> None:
    """The kernel stops the tool that writes it."""
    place = Place(tmp_path, max_bytes=4 * 1024 * 1024)
    build(place.layouts / "one", "v1", [{"zeros": b"\0" * 32 * 1024 * 1024}])
    _, failure = place.prepare(uri("one"))
    assert failure is not None
    assert failure.code == "InvalidImage"
    assert not list(place.store.trees.iterdir())
    place.images.close()


def test_layers_are_kept_once_and_go_with_the_last_image(place: Place) -> None:
    """Two images of one base share its blob; what nobody uses is removed after the grace time, not before."""
    base = {"base": os.urandom(1000)}
    for tag in ("v1", "v2"):
        build(place.layouts / "app", tag, [base, {"tag": tag}])
    first, _ = place.prepare(uri("app", "v1"))
    second, _ = place.prepare(uri("app", "v2"))
    blobs = {path.name for path in place.store.blobs.iterdir()}
    assert len(blobs) <= 6, "a configuration and at most two layers each"
    place.images.release([first], lambda _: False, now_s=0, grace_s=10)
    assert place.images.is_ready(first)
    place.images.release([], lambda _: False, now_s=11, grace_s=10)
    assert not place.images.is_ready(first)
    place.prepare(uri("app", "v2"))  # the thread that removes has done so then
    assert [tree.name for tree in place.store.trees.iterdir()] == [second]
    left = {path.name for path in place.store.blobs.iterdir()}
    assert left < blobs


def test_what_is_used_again_is_kept(place: Place) -> None:
    """A function made within the grace time has its image."""
    build(place.layouts / "app", "v1", [{"x": "1"}])
    sha256, _ = place.prepare(uri("app"))
    place.images.release([sha256], lambda _: False, now_s=0, grace_s=10)
    place.images.release([], lambda key: key == sha256, now_s=11, grace_s=10)
    assert place.images.is_ready(sha256)


@pytest.mark.parametrize("packed", [False, True])
def test_archives_stand_for_repositories(place: Place, packed: bool) -> None:
    """An OCI archive, as ``docker save`` writes it today, packed or not."""
    layout = place.layouts / "scratch"
    build(layout, "v1", [{"x": "1"}])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(layout, ".")
        tar.addfile(tarfile.TarInfo("../../up"))
    data = buffer.getvalue()
    (place.layouts / "team").mkdir()
    (place.layouts / "team" / "saved.tar").write_bytes(gzip.compress(data) if packed else data)
    saved, scratch = place.find(uri("team/saved")), place.find(uri("scratch"))
    assert isinstance(saved, FoundImage)
    assert isinstance(scratch, FoundImage)
    assert saved.sha256 == scratch.sha256
    sha256, failure = place.prepare(uri("team/saved"))
    assert failure is None
    assert (place.images.image(sha256).root / "x").read_text() == "1"


def test_dockers_own_archives_do_too(place: Place) -> None:
    """As ``podman save`` writes them, converted by skopeo."""
    layout = place.layouts / "scratch"
    build(layout, "v1", [{"x": "1"}], entrypoint=["/x"])
    target = f"docker-archive:{place.layouts / 'saved.tar'}:example.com/saved:v1"
    subprocess.run(["skopeo", "copy", f"oci:{layout}:v1", target], check=True, capture_output=True)
    sha256, failure = place.prepare(uri("saved"))
    assert failure is None
    image = place.images.image(sha256)
    assert image.entry_point == ("/x",)
    assert (image.root / "x").read_text() == "1"
    assert isinstance(place.find(uri("saved", "v2")), AwsError)


BROKEN = gzip.compress(tar_of({"index.json": os.urandom(100_000)}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive",
        tar_of({"manifest.json": b"{"}),
        tar_of({"manifest.json": b"[" * 100_000}),
        tar_of({"index.json": b"null"}),
        BROKEN[: len(BROKEN) // 2],
        BROKEN[:1000] + bytes(50) + BROKEN[1050:],
    ],
)
def test_an_archive_that_is_none_is_refused(place: Place, data: bytes) -> None:
    """In AWS's words, whatever is in the file."""
    (place.layouts / "bad.tar").write_bytes(data)
    error = place.find(uri("bad"))
    assert isinstance(error, AwsError)
    assert error.code == "InvalidParameterValueException"


def test_what_a_crash_left_is_removed(place: Place) -> None:
    """Half a tree, and a tree that says nothing of itself."""
    (place.store.tmp / "half").mkdir()
    (place.store.tmp / "half" / "file").write_text("x")
    (place.store.trees / ("0" * 64)).mkdir()
    again = ImageStore(place.data, Tools())
    assert not list(again.tmp.iterdir())
    assert not again.is_ready("0" * 64)
    again.sweep()
    assert not list(again.trees.iterdir())


def test_a_tool_has_a_deadline_and_dies_with_the_platform() -> None:
    """Its children too; what it prints is bounded; its last words are the error."""
    tools = Tools()
    with pytest.raises(ToolFailure, match="longer than"):
        tools.run(["sh", "-c", "sleep 60 & sleep 60"], Limits(0.2))
    with pytest.raises(ToolFailure, match=r"^why$"):
        tools.run(["sh", "-c", "echo first >&2; echo why >&2; exit 3"], Limits(DEADLINE_S))
    with pytest.raises(ToolFailure, match="too much"):
        tools.run(["sh", "-c", "cat /dev/zero"], Limits(DEADLINE_S))
    with pytest.raises(ToolFailure, match="/nowhere/at/all"):
        tools.run(["/nowhere/at/all"], Limits(DEADLINE_S))
    assert tools.run(["echo", "out"], Limits(DEADLINE_S)) == b"out\n"
    threading.Timer(0.2, tools.stop).start()
    with pytest.raises(Stopped):
        tools.run(["sleep", "60"], Limits(DEADLINE_S))
    with pytest.raises(Stopped):
        tools.run(["echo"], Limits(DEADLINE_S))


def test_without_the_tools_it_says_which_to_get() -> None:
    """The command that installs them is told."""
    assert obstacle(lambda _: "/usr/bin/x") is None
    said = obstacle(lambda name: None if name == "umoci" else "/x")
    assert said is not None
    assert "no umoci" in said
    assert "lambent runtimes add images" in said
