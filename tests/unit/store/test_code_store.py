"""Code by content: kept once, unpacked once, removed when nothing needs it."""

import hashlib
import io
import stat
import zipfile
from pathlib import Path

import pytest

from lambent.model.errors import ClientFault, PlatformFault
from lambent.store.code import CodeStore


def zip_of(**files: str) -> bytes:
    """A zip of text files; ``__`` in a name stands for a slash."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return buffer.getvalue()


def test_put_keeps_and_unpacks(tmp_path: Path) -> None:
    """A zip is there byte by byte, and unpacked, when put returns; again it is the same."""
    store = CodeStore(tmp_path)
    content = zip_of(a="1", d__b="22")
    code = store.put(content, "CreateFunction")
    assert code.sha256 == hashlib.sha256(content).hexdigest()
    assert (code.size_bytes, code.unzipped_bytes) == (len(content), 3)
    assert store.zip_path(code.sha256).read_bytes() == content
    assert (store.task_dir(code.sha256) / "d" / "b").read_text() == "22"
    assert store.put(content, "CreateFunction") == code
    assert list((tmp_path / "tmp").iterdir()) == []


def test_check_keeps_nothing(tmp_path: Path) -> None:
    """A dry run answers what put would, and leaves no trace."""
    store = CodeStore(tmp_path)
    content = zip_of(a="1")
    checked = store.check(content, "UpdateFunctionCode")
    assert [*(tmp_path / "zips").iterdir(), *(tmp_path / "tmp").iterdir()] == []
    assert checked == store.put(content, "UpdateFunctionCode")


def test_refused_zip_leaves_nothing(tmp_path: Path) -> None:
    """What cannot be unpacked is not kept either."""
    store = CodeStore(tmp_path)
    with pytest.raises(ClientFault):
        store.put(b"no zip", "CreateFunction")
    for directory in ("zips", "unpacked", "tmp"):
        assert list((tmp_path / directory).iterdir()) == []


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (52_428_801, "Zipped size must be smaller than 52428800 bytes"),
        (
            52_625_409,
            "Request must be smaller than 70167211 bytes for the CreateFunction operation",
        ),
    ],
)
def test_upload_is_bounded(tmp_path: Path, size: int, message: str) -> None:
    """More than 50 MiB is refused with 413, in AWS's words for the zip or the whole request."""
    with pytest.raises(ClientFault) as refused:
        CodeStore(tmp_path).put(bytes(size), "CreateFunction")
    assert (refused.value.code, refused.value.status, refused.value.message) == (
        "RequestEntityTooLargeException",
        413,
        message,
    )


def test_trees_can_be_reached_by_another_user_and_zips_cannot(tmp_path: Path) -> None:
    """Functions run as another user: they may pass to their tree, but not read the zips."""
    store = CodeStore(tmp_path / "code")
    tree = store.task_dir(store.put(zip_of(a="1"), "CreateFunction").sha256)
    for directory in (tmp_path / "code", tree.parent, tree):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "code" / "zips").stat().st_mode) == 0o700


def test_half_made_trees_are_removed_at_start(tmp_path: Path) -> None:
    """What a crash left in tmp is gone after opening again."""
    CodeStore(tmp_path)
    (tmp_path / "tmp" / "half").mkdir()
    (tmp_path / "tmp" / "half" / "file").write_text("x")
    (tmp_path / "tmp" / "draft").write_text("x")
    CodeStore(tmp_path)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_trees_are_made_anew_after_a_reboot(tmp_path: Path) -> None:
    """A tree from before a power cut may hold empty files, so it is unpacked from its zip again."""
    store = CodeStore(tmp_path)
    sha256 = store.put(zip_of(a="1"), "CreateFunction").sha256
    (store.task_dir(sha256) / "a").write_text("")
    assert (CodeStore(tmp_path).task_dir(sha256) / "a").read_text() == ""
    (tmp_path / "boot_id").write_text("another boot")
    assert (CodeStore(tmp_path).task_dir(sha256) / "a").read_text() == "1"


def test_missing_code_is_the_platforms_fault(tmp_path: Path) -> None:
    """A zip that is not kept cannot be unpacked, and nobody else is blamed."""
    with pytest.raises(PlatformFault):
        CodeStore(tmp_path).task_dir("0" * 64)


def test_layers_are_laid_over_one_another(tmp_path: Path) -> None:
    """The last layer wins, file by file and where a file meets a directory; none means no /opt."""
    store = CodeStore(tmp_path)
    one = store.put(zip_of(a="1", d__x="1", e="file", f__y="1"), "PublishLayerVersion").sha256
    two = store.put(zip_of(a="2", d__z="2", e__in="dir", f="file"), "PublishLayerVersion").sha256
    merged = store.opt_dir((one, two))
    assert merged is not None
    files = {
        str(path.relative_to(merged)): path.read_text()
        for path in merged.rglob("*")
        if path.is_file()
    }
    assert files == {"a": "2", "d/x": "1", "d/z": "2", "e/in": "dir", "f": "file"}
    assert store.opt_dir((one, two)) == merged != store.opt_dir((two, one))
    assert store.opt_dir((one,)) == store.task_dir(one)
    assert store.opt_dir(()) is None
    assert (store.task_dir(one) / "a").read_text() == "1"


def test_collect_keeps_what_is_named(tmp_path: Path) -> None:
    """Zips and trees that nothing names go; the others stay."""
    store = CodeStore(tmp_path)
    one, two, three = (
        store.put(zip_of(a=text), "CreateFunction").sha256 for text in ("1", "2", "3")
    )
    kept, dropped = store.opt_dir((one, two)), store.opt_dir((two, one))
    assert kept is not None
    assert dropped is not None
    store.collect({one, two}, {(one, two), ()})
    assert {path.stem for path in (tmp_path / "zips").iterdir()} == {one, two}
    assert {path.name for path in (tmp_path / "unpacked").iterdir()} == {one, two}
    assert kept.is_dir()
    assert not dropped.exists()
    assert three not in {one, two}


def test_release_leaves_trees_their_grace(tmp_path: Path) -> None:
    """A tree environments may still run from goes only after its grace, its zip at once."""
    store = CodeStore(tmp_path)
    sha256 = store.put(zip_of(a="1"), "CreateFunction").sha256
    other = store.put(zip_of(a="2"), "CreateFunction").sha256
    layers = (sha256, other)
    trees = [store.task_dir(sha256), store.opt_dir(layers)]

    def release(now_s: float, *released: str | tuple[str, ...]) -> list[bool]:
        store.release(released, lambda key: key == other, now_s=now_s, grace_s=60.0)
        return [tree is not None and tree.is_dir() for tree in trees]

    assert release(100.0, sha256, layers) == [True, True]
    assert not store.zip_path(sha256).exists()
    assert release(159.0) == [True, True]
    assert release(160.0) == [False, False]
    assert store.zip_path(other).is_file()
    assert store.task_dir(other).is_dir()


def test_code_wanted_again_within_its_grace_stays(tmp_path: Path) -> None:
    """Code that is uploaded again while its tree waits to go keeps both, and a new grace later."""
    store = CodeStore(tmp_path)
    content = zip_of(a="1")
    code = store.put(content, "CreateFunction")
    store.release([code.sha256], lambda _: False, now_s=0.0, grace_s=60.0)
    assert store.put(content, "CreateFunction") == code
    store.release([], lambda _: True, now_s=61.0, grace_s=60.0)
    assert store.zip_path(code.sha256).is_file()
    store.release([code.sha256], lambda _: False, now_s=62.0, grace_s=60.0)
    store.release([], lambda _: False, now_s=121.0, grace_s=60.0)
    assert store.task_dir(code.sha256).is_dir()


def test_code_that_was_never_used_goes_too(tmp_path: Path) -> None:
    """What was put for an operation that was refused afterwards is looked at with the next release."""
    store = CodeStore(tmp_path)
    code = store.put(zip_of(a="1"), "CreateFunction")
    store.release([], lambda _: False, now_s=0.0, grace_s=0.0)
    assert not store.zip_path(code.sha256).exists()
    assert list((tmp_path / "unpacked").iterdir()) == []
