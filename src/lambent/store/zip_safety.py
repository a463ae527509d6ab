"""What an uploaded zip may hold, decided from its directory alone, before a byte is unpacked.

Contract: an archive that passes :func:`check_zip` unpacks inside its root, with each path written
once, and holds no device, no entry through a symlink, and nothing larger than Lambda's quotas as
declared. The *actual* size is bounded again while unpacking (``store.unpacking``): the directory
may lie.
"""

import stat
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath

from lambent.model import limits
from lambent.model.errors import ClientFault, invalid_parameter

CANNOT_UNZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
_END_SIGNATURE, _END_SIZE, _MAX_COMMENT = b"PK\x05\x06", 22, 65_535
_DIRECTORY_SIGNATURE = b"PK\x01\x02"
_SEGMENT_MAX, _PATH_MAX = 255, 4_000  # Linux: NAME_MAX, and PATH_MAX less room for our own prefix
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_TARGET_MAX = 4_095


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to unpack: ``parts`` is its path below the root."""

    parts: tuple[str, ...]
    info: zipfile.ZipInfo

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, by its name's slash or by its mode."""
        return self.info.filename.endswith("/") or stat.S_ISDIR(self.mode)

    @property
    def is_symlink(self) -> bool:
        """Whether its content is the target of a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def mode(self) -> int:
        """The Unix mode, 0 when the archive has none."""
        return self.info.external_attr >> 16


def refused(reason: str) -> ClientFault:
    """AWS's answer to a zip it cannot unpack, with our reason behind it."""
    return invalid_parameter(f"{CANNOT_UNZIP} ({reason})")


def too_large_unzipped() -> ClientFault:
    """AWS's answer to more than 250 MiB of content."""
    return invalid_parameter(f"Unzipped size must be smaller than {limits.UNZIPPED.value} bytes")


def open_zip(content: bytes) -> zipfile.ZipFile:
    """The archive, its directory read. Raises AWS's errors for what is empty or no zip at all."""
    if not content:
        raise invalid_parameter("Uploaded file must be a non-empty zip")
    _bound_directory(content)
    try:
        return zipfile.ZipFile(BytesIO(content))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OSError) as error:
        raise invalid_parameter(CANNOT_UNZIP) from error


def check_zip(archive: zipfile.ZipFile) -> list[Entry]:
    """The entries of a safe archive, in its order.

    Raises ``InvalidParameterValueException`` for one that is not. Source of the size: the Lambda
    quota "Deployment package (.zip file archive) size … unzipped".
    """
    infos = archive.infolist()
    if not infos:
        raise invalid_parameter("Uploaded file must be a non-empty zip")
    if sum(info.file_size for info in infos) > limits.UNZIPPED.value:
        raise too_large_unzipped()
    entries = [Entry(_parts(info), info) for info in infos]
    for entry in entries:
        _check_kind(entry)
    placed = [entry for entry in entries if entry.parts]
    _check_tree(placed)
    return placed


def check_symlink(entry: Entry, target: bytes) -> str:
    """The target of a link that stays inside the root wherever its way leads.

    ``..`` may only stand in front: behind a name it could climb out of where another link leads.
    """
    name = "/".join(entry.parts)
    if not 0 < len(target) <= _TARGET_MAX or b"\0" in target:
        raise refused(f"{name} is a symbolic link without a usable target")
    try:
        text = target.decode()
    except UnicodeDecodeError as error:
        raise refused(f"{name} is a symbolic link to a name that is not UTF-8") from error
    path = PurePosixPath(text)
    ups = 0
    while ups < len(path.parts) and path.parts[ups] == "..":
        ups += 1
    if path.is_absolute() or ups > len(entry.parts) - 1 or ".." in path.parts[ups:]:
        raise refused(f"{name} is a symbolic link that leaves the archive")
    return text


def _bound_directory(content: bytes) -> None:
    """Refuses a directory of too many entries before they become objects in memory."""
    end = content.rfind(_END_SIGNATURE, max(0, len(content) - _END_SIZE - _MAX_COMMENT))
    if end < 0 or len(content) - end < _END_SIZE:
        raise invalid_parameter(CANNOT_UNZIP)
    total, size = struct.unpack_from("<HI", content, end + 10)
    start = max(0, end - size)
    entries = content.count(_DIRECTORY_SIGNATURE, start, end)
    if total == 0xFFFF or max(total, entries) > limits.ZIP_ENTRIES.value:
        raise refused(f"more than {limits.ZIP_ENTRIES.value - 1} entries")


def _parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    name = info.orig_filename
    if "\0" in name or "\\" in name:
        raise refused(f"the name {name!r} has a character no path may have")
    if name.startswith("/"):
        raise refused(f"the name {name!r} is absolute")
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if ".." in parts:
        raise refused(f"the name {name!r} leaves the archive")
    try:
        encoded = [part.encode() for part in parts]
    except UnicodeEncodeError as error:
        raise refused(f"the name {name!r} is not Unicode") from error
    if any(len(part) > _SEGMENT_MAX for part in encoded) or len(b"/".join(encoded)) > _PATH_MAX:
        raise refused(f"the name {name[:80]!r}… is too long")
    return parts


def _check_kind(entry: Entry) -> None:
    name, info = entry.info.filename, entry.info
    if info.flag_bits & 0x1:
        raise refused(f"{name} is encrypted")
    if info.compress_type not in _METHODS:
        raise refused(f"{name} is neither stored nor deflated")
    if not entry.parts and not entry.is_directory:
        raise refused("an entry without a name")
    kind = stat.S_IFMT(entry.mode)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
        raise refused(f"{name} is neither a file, a directory nor a symbolic link")
    if entry.is_directory and info.file_size:
        raise refused(f"{name} is a directory with content")


def _check_tree(entries: Iterable[Entry]) -> None:
    """No path twice, and nothing below a file or a link."""
    seen: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        if entry.parts in seen:
            raise refused(f"{'/'.join(entry.parts)} is there twice")
        seen[entry.parts] = entry
    clear: set[tuple[str, ...]] = set()
    for parts in seen:
        for depth in range(len(parts) - 1, 0, -1):
            parent = parts[:depth]
            if parent in clear:
                break
            if parent in seen and not seen[parent].is_directory:
                raise refused(f"{'/'.join(parent)} is both a file and a directory")
            clear.add(parent)
