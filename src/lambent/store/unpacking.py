"""Zips onto the disk: bounded while they stream, whole or not at all.

Contract: 1. :func:`unpack` writes only below the directory it is given, which must be new. 2. It
stops as soon as more bytes come out than Lambda allows, whatever the directory declared. 3. What it
leaves is readable by every user: directories 0755, files 0644, or 0755 when the zip had any execute
bit.
"""

import os
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from lambent.model import limits
from lambent.model.errors import invalid_parameter
from lambent.store.zip_safety import CANNOT_UNZIP, Entry, check_symlink, too_large_unzipped

_CHUNK = 1 << 18
_READ_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def unpack(
    archive: zipfile.ZipFile,
    entries: Sequence[Entry],
    root: Path,
    *,
    most_bytes: int = limits.UNZIPPED.value,
) -> int:
    """Unpacks checked ``entries`` into the new directory ``root``; returns the bytes written.

    Raises ``InvalidParameterValueException`` for a damaged archive or one that holds more than
    ``most_bytes``; whatever is raised, ``root`` is then gone.
    """
    _make_directory(root)
    written = 0
    try:
        for entry in entries:
            written += _place(archive, entry, root, most_bytes - written)
    except BaseException as error:
        shutil.rmtree(root, ignore_errors=True)
        if isinstance(error, _READ_ERRORS):
            raise invalid_parameter(CANNOT_UNZIP) from error
        raise
    return written


def merge(trees: Sequence[Path], root: Path) -> None:
    """Lays ``trees`` over one another into the new directory ``root``: the last one wins.

    Files are hard links into the trees, so a merge costs no space. Source: "Lambda extracts the
    layer contents … in the order you list them", later ones overwriting.
    """
    _make_directory(root)
    for tree in trees:
        _lay_over(tree, root)


def _place(archive: zipfile.ZipFile, entry: Entry, root: Path, room: int) -> int:
    path = root.joinpath(*entry.parts)
    if entry.is_directory:
        _make_parents(path, root)
        return 0
    _make_parents(path.parent, root)
    if entry.is_symlink:
        with archive.open(entry.info) as source:
            target = source.read(_CHUNK)
        path.symlink_to(check_symlink(entry, target))
        return len(target)
    return _write(archive, entry, path, room)


def _write(archive: zipfile.ZipFile, entry: Entry, path: Path, room: int) -> int:
    mode = 0o755 if entry.mode & 0o111 else 0o644
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    written = 0
    with archive.open(entry.info) as source, os.fdopen(os.open(path, flags, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)  # the process's umask must not take it back
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > room:
                raise too_large_unzipped()
            file.write(chunk)
    return written


def _make_parents(path: Path, root: Path) -> None:
    if path == root or path.is_dir():
        return
    _make_parents(path.parent, root)
    _make_directory(path)


def _make_directory(path: Path) -> None:
    path.mkdir()
    path.chmod(0o755)


def _lay_over(source: Path, target: Path) -> None:
    with os.scandir(source) as found:
        for item in found:
            place = target / item.name
            if item.is_dir(follow_symlinks=False):
                if place.is_symlink() or not place.is_dir():
                    place.unlink(missing_ok=True)
                    _make_directory(place)
                _lay_over(Path(item.path), place)
                continue
            if place.is_symlink() or not place.is_dir():
                place.unlink(missing_ok=True)
            else:
                shutil.rmtree(place)
            os.link(item.path, place, follow_symlinks=False)
