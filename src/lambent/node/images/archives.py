"""Archives of images: tar files from outside, taken apart without trusting a name in them."""

import gzip
import json
import lzma
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lambent.node.images.blobs import BlobMissing
from lambent.node.images.manifest import MAX_DOCUMENT_BYTES, BadDocument

_HEX = frozenset("0123456789abcdef")
_BROKEN = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OverflowError,
    ValueError,
)
"""What Python's readers of archives raise for bytes that are none."""


def take_apart(
    archive: Path,
    layout: Path,
    *,
    largest_bytes: int | None = None,
    check: Callable[[], None] = lambda: None,
) -> bool:
    """Unpacks an archive that is an OCI layout, as those of today are; False for another.

    Of its members only blobs (up to ``largest_bytes``) and the index are, to places of our own choosing. Raises
    BadDocument, OSError, and what ``check`` raises, which is called for each.
    """
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    has_index = False
    with _opened(archive) as tar:
        for member in tar:
            check()
            directory, _, name = member.name.removeprefix("./").rpartition("/")
            if not member.isfile():
                continue
            is_wanted = largest_bytes is None or member.size <= largest_bytes
            if directory == "blobs/sha256" and len(name) == 64 and _HEX.issuperset(name):
                if is_wanted:
                    _write(tar, member, blobs / name)
            elif (directory, name) == ("", "index.json") and member.size <= MAX_DOCUMENT_BYTES:
                _write(tar, member, layout / name)
                has_index = True
    if not has_index:
        shutil.rmtree(layout / "blobs")
    return has_index


def number_in_archive(archive: Path, tag: str) -> int:
    """Which image of an archive in Docker's own format has the tag.

    Raises BlobMissing where none has, BadDocument, OSError.
    """
    for number, entry in enumerate(_entries(archive)):
        names = entry.get("RepoTags") if isinstance(entry, dict) else None
        for name in names if isinstance(names, list) else ():
            if isinstance(name, str) and name.rpartition(":")[2] == tag:
                return number
    raise BlobMissing(tag)


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    """Reads an archive; what is wrong with it is a BadDocument."""
    try:
        with tarfile.open(archive) as tar:
            yield tar
    except _BROKEN as error:
        raise BadDocument(f"the archive {archive.name}: {error}") from error


def _entries(archive: Path) -> list[Any]:
    with _opened(archive) as tar:
        for member in tar:
            if member.name == "manifest.json" and member.size <= MAX_DOCUMENT_BYTES:
                source = tar.extractfile(member)
                try:
                    found = json.load(source) if source is not None else None
                except RecursionError as error:
                    raise BadDocument("the archive's manifest.json") from error
                if isinstance(found, list):
                    return found
    raise BadDocument("no archive of images")


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(member)
    if source is None:
        raise BadDocument("a member that is no file")
    with source, path.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
