"""Archives of images: tar files from outside, taken apart without trusting a name in them."""

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

from lambent.node.images.blobs import BlobMissing
from lambent.node.images.manifest import MAX_DOCUMENT_BYTES, BadDocument

_HEX = frozenset("0123456789abcdef")


def take_apart(archive: Path, layout: Path) -> bool:
    """Unpacks an archive that is an OCI layout, as those of today are; False for another.

    Of its members only blobs and the index are, to places of our own choosing. Raises tarfile.TarError, OSError.
    """
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    has_index = False
    with tarfile.open(archive) as tar:
        for member in tar:
            directory, _, name = member.name.removeprefix("./").rpartition("/")
            if not member.isfile():
                continue
            if directory == "blobs/sha256" and len(name) == 64 and _HEX.issuperset(name):
                _write(tar, member, blobs / name)
            elif (directory, name) == ("", "index.json") and member.size <= MAX_DOCUMENT_BYTES:
                _write(tar, member, layout / name)
                has_index = True
    if not has_index:
        shutil.rmtree(layout / "blobs")
    return has_index


def number_in_archive(archive: Path, tag: str) -> int:
    """Which image of an archive in Docker's own format has the tag.

    Raises BlobMissing where none has, BadDocument, tarfile.TarError, OSError.
    """
    for number, entry in enumerate(_entries(archive)):
        names = entry.get("RepoTags") if isinstance(entry, dict) else None
        for name in names if isinstance(names, list) else ():
            if isinstance(name, str) and name.rpartition(":")[2] == tag:
                return number
    raise BlobMissing(tag)


def _entries(archive: Path) -> list[Any]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.name == "manifest.json" and member.size <= MAX_DOCUMENT_BYTES:
                source = tar.extractfile(member)
                try:
                    found = json.load(source) if source is not None else None
                except (ValueError, RecursionError) as error:
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
