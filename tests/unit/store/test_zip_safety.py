"""Which zips are unpacked, and which are refused before or while they are."""

import io
import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lambent.model.errors import ClientFault
from lambent.store.unpacking import unpack
from lambent.store.zip_safety import CANNOT_UNZIP, check_zip, open_zip

UNSAFE = [
    "/etc/passwd",
    "../up",
    "a/../../up",
    "a\\b",
    "..\\up",
    "a/..",
    "x" * 256,
    "/".join(["d" * 200] * 30),
]
SEGMENTS = st.sampled_from(["a", "b", "c.py", "..", ".", "", "d e", "ü"])
NAMES = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join) | st.sampled_from(UNSAFE)
MODES = st.sampled_from(
    [
        0,
        stat.S_IFREG | 0o644,
        stat.S_IFREG | 0o700,
        stat.S_IFREG | 0o000,
        stat.S_IFLNK | 0o777,
        stat.S_IFCHR | 0o666,
        stat.S_IFIFO | 0o666,
        stat.S_IFREG | stat.S_ISUID | 0o755,
    ]
)
CONTENTS = st.sampled_from([b"", b"x", b"a", b"b", b"../up", b"/etc", b"a/../..", b"..", b"./c.py"])
ENTRIES = st.lists(st.tuples(NAMES, MODES, CONTENTS), max_size=6)


def zip_of(*entries: tuple[str, int, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of (name, Unix mode, content), names as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, mode, content in entries:
            info = zipfile.ZipInfo("placeholder")
            info.filename = info.orig_filename = name
            info.external_attr = mode << 16
            info.compress_type = compression
            archive.writestr(info, content)
    return buffer.getvalue()


def _unpack(content: bytes, root: Path) -> int:
    with open_zip(content) as archive:
        return unpack(archive, check_zip(archive), root)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ENTRIES)
@example([("a", stat.S_IFLNK | 0o777, b".."), ("a/x", 0, b"x")])
@example([("d/l", stat.S_IFLNK | 0o777, b".."), ("m", stat.S_IFLNK | 0o777, b"d/l/..")])
@example([("a", 0, b"x"), ("a/b", 0, b"x")])
def test_no_zip_reaches_outside_its_root(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, int, bytes]]
) -> None:
    """Any zip is unpacked wholly below its root, readable by all, or refused and leaves nothing."""
    place = tmp_path_factory.mktemp("zip")
    root = place / "root"
    try:
        _unpack(zip_of(*entries), root)
    except ClientFault as fault:
        assert fault.code == "InvalidParameterValueException"  # noqa: PT017
        assert not root.exists()
    else:
        for directory, _, names in os.walk(root):
            assert stat.S_IMODE(Path(directory).stat().st_mode) == 0o755
            for path in (Path(directory) / name for name in names):
                assert Path(os.path.realpath(path)).is_relative_to(root.resolve())
                if not path.is_symlink():
                    assert stat.S_IMODE(path.stat().st_mode) in {0o644, 0o755}
    assert [path.name for path in place.iterdir()] in ([], ["root"])


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=60), st.integers(0, 200), st.booleans())
def test_damaged_zips_are_client_faults(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, position: int, cut: bool
) -> None:
    """Whatever bytes are overwritten or cut off, the answer is a tree or AWS's error."""
    content = zip_of(("a.py", 0, b"print(1)" * 20), ("d/b.py", 0o755, b"x"))
    position = min(position, len(content))
    rest = b"" if cut else content[position + len(noise) :]
    root = tmp_path_factory.mktemp("zip") / "root"
    try:
        _unpack(content[:position] + noise + rest, root)
    except ClientFault:
        assert not root.exists()


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_names_are_refused(tmp_path: Path, name: str) -> None:
    """Absolute, climbing, backslashed and overlong names are refused, with AWS's words first."""
    with pytest.raises(ClientFault) as refused:
        _unpack(zip_of((name, 0, b"x")), tmp_path / "root")
    assert refused.value.message.startswith(CANNOT_UNZIP)
    assert list(tmp_path.iterdir()) == []


def test_tree_is_kept_with_its_execute_bits(tmp_path: Path) -> None:
    """Files are 0644, or 0755 with any execute bit; empty directories and inner links are kept."""
    content = zip_of(
        ("bin/run", stat.S_IFREG | 0o500, b"#!"),
        ("secret", stat.S_IFREG | 0o600, b"s"),
        ("empty/", stat.S_IFDIR | 0o700, b""),
        ("bin/link", stat.S_IFLNK | 0o777, b"../secret"),
    )
    assert _unpack(content, tmp_path / "root") == len("#!s../secret")
    root = tmp_path / "root"
    assert stat.S_IMODE((root / "bin/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "secret").stat().st_mode) == 0o644
    assert (root / "empty").is_dir()
    assert (root / "bin/link").readlink() == Path("../secret")
    assert (root / "bin/link").read_text() == "s"


@pytest.mark.parametrize("target", [b"/etc/passwd", b"../../x", b"a/../../..", b"", b"x\0y"])
def test_links_that_could_leave_are_refused(tmp_path: Path, target: bytes) -> None:
    """A link is refused when its target is absolute, climbs out, or climbs behind a name."""
    with pytest.raises(ClientFault, match="symbolic link"):
        _unpack(zip_of(("d/l", stat.S_IFLNK | 0o777, target)), tmp_path / "root")


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_devices_are_refused(tmp_path: Path, kind: int) -> None:
    """Only files, directories and links may be in a zip."""
    with pytest.raises(ClientFault, match="neither a file, a directory nor"):
        _unpack(zip_of(("dev", kind | 0o666, b"")), tmp_path / "root")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("a", "./a"), ("d/", "d//"), ("a", "a/")])
def test_same_path_twice_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    """However it is written, a path is there once."""
    entries = [(name, 0, b"") for name in names]
    with pytest.raises(ClientFault, match="is there twice"):
        _unpack(zip_of(*entries), tmp_path / "root")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Uploaded file must be a non-empty zip"),
        (zip_of(), "Uploaded file must be a non-empty zip"),
        (b"no zip", CANNOT_UNZIP),
        (b"PK\x05\x06", CANNOT_UNZIP),
    ],
)
def test_empty_and_foreign_files(content: bytes, message: str) -> None:
    """What holds nothing and what is no zip have AWS's two messages."""
    with pytest.raises(ClientFault) as refused, open_zip(content) as archive:
        check_zip(archive)
    assert refused.value.message == message


def test_declared_size_is_bounded(tmp_path: Path) -> None:
    """A zip that says it is larger than 250 MiB is refused before anything is unpacked."""
    content = bytearray(zip_of(("a", 0, b"x" * 100)))
    entry = content.rfind(b"PK\x01\x02")
    struct.pack_into("<I", content, entry + 24, 262_144_001)
    with pytest.raises(ClientFault) as refused:
        _unpack(bytes(content), tmp_path / "root")
    assert refused.value.message == "Unzipped size must be smaller than 262144000 bytes"


def test_actual_size_is_bounded(tmp_path: Path) -> None:
    """Unpacking stops when more comes out than may, even if the directory lied about it."""
    content = zip_of(("a", 0, b"x" * 1_000_000), ("b", 0, b"y"))
    with open_zip(content) as archive:
        entries = check_zip(archive)
        with pytest.raises(ClientFault, match="Unzipped size must be smaller"):
            unpack(archive, entries, tmp_path / "root", most_bytes=1_000_000)
        assert not (tmp_path / "root").exists()
        assert unpack(archive, entries, tmp_path / "root", most_bytes=1_000_001) == 1_000_001


def test_bomb_with_a_lying_size_is_stopped(tmp_path: Path) -> None:
    """A stream longer than its entry declares is damaged, and no more of it is written."""
    content = bytearray(zip_of(("a", 0, b"\0" * 5_000_000)))
    entry = content.rfind(b"PK\x01\x02")
    struct.pack_into("<I", content, entry + 24, 10)
    struct.pack_into("<I", content, entry + 16, zlib.crc32(b"other"))
    with pytest.raises(ClientFault, match="Could not unzip uploaded file"):
        _unpack(bytes(content), tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_number_of_entries_is_bounded() -> None:
    """A directory of more entries than a plain zip can count is not even read."""
    entry = zip_of(("a", 0, b""))
    start = entry.rfind(b"PK\x01\x02")
    end = entry.rfind(b"PK\x05\x06")
    directory = entry[start:end] * 70_000
    tail = bytearray(entry[end:])
    struct.pack_into("<I", tail, 12, len(directory))
    with pytest.raises(ClientFault, match="more than 65534 entries"):
        open_zip(entry[:start] + directory + bytes(tail))


def test_encrypted_entries_are_refused() -> None:
    """There is no password to give, so an encrypted entry is refused by name."""
    content = bytearray(zip_of(("a", 0, b"x")))
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ClientFault, match="a is encrypted"), open_zip(bytes(content)) as archive:
        check_zip(archive)


def test_other_compressions_are_refused() -> None:
    """Only stored and deflated entries are taken."""
    content = zip_of(("a", 0, b"x"), compression=zipfile.ZIP_BZIP2)
    with pytest.raises(ClientFault, match="neither stored nor deflated"):
        open_and_check(content)


def open_and_check(content: bytes) -> None:
    """Opens and checks, and closes again."""
    with open_zip(content) as archive:
        check_zip(archive)
