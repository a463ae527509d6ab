"""Blobs by digest: read within bounds, copied while they are checked, kept as long as an image needs them."""

import hashlib
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from lambent.node.images.manifest import MAX_DOCUMENT_BYTES, BadDocument, Descriptor

_CHUNK = 1 << 20


class BlobMissing(Exception):
    """There is no blob of that digest, or no such tag."""


def read_bounded(path: Path) -> bytes:
    """A document. Raises BlobMissing where there is none, BadDocument for more than any document has."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DOCUMENT_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise BlobMissing(path.name) from error
    if len(data) > MAX_DOCUMENT_BYTES:
        raise BadDocument("a document that is too long")
    return data


def copy_blob(source: Path, target: Path, blob: Descriptor, check: Callable[[], None]) -> None:
    """Copies a blob between directories of blobs, unless it is there.

    Raises BlobMissing where the source has it not, BadDocument where it is not what its digest says; there is no
    trace of it then. ``check`` is called now and again, and may raise.
    """
    place = target / blob.sha256
    if place.exists():
        return
    draft = target / f"draft-{os.urandom(8).hex()}"
    try:
        _copy_checked(source / blob.sha256, draft, blob, check)
        draft.rename(place)
    finally:
        draft.unlink(missing_ok=True)


def keep_only(directory: Path, needed: Collection[str]) -> None:
    """Removes every other blob."""
    for path in directory.iterdir():
        if path.name not in needed:
            with suppress(FileNotFoundError):
                path.unlink()


def _copy_checked(source: Path, draft: Path, blob: Descriptor, check: Callable[[], None]) -> None:
    digest, copied = hashlib.sha256(), 0
    try:
        with source.open("rb") as reader, draft.open("wb") as writer:
            while chunk := reader.read(_CHUNK):
                check()
                copied += len(chunk)
                if copied > blob.size_bytes:
                    break
                digest.update(chunk)
                writer.write(chunk)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise BlobMissing(blob.sha256) from error
    if copied != blob.size_bytes or digest.hexdigest() != blob.sha256:
        raise BadDocument(f"the blob sha256:{blob.sha256} is not what its digest says")
