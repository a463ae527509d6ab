"""Images in the operator's directory. AWS knows repositories in ECR alone: here ``DIR/REPOSITORY`` stands for one.

It is an OCI layout, or ``DIR/REPOSITORY.tar``, an archive as ``docker save`` and ``podman save`` write them.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lambent.model.errors import PlatformFault
from lambent.node.images import references
from lambent.node.images.archives import number_in_archive, take_apart
from lambent.node.images.blobs import BlobMissing, copy_blob, read_bounded
from lambent.node.images.manifest import (
    MAX_DOCUMENT_BYTES,
    BadDocument,
    find_in_index,
    read_manifest,
)
from lambent.node.images.references import ImageReference
from lambent.node.images.tools import Limits, ToolFailure, Tools

_CONVERT_DEADLINE_S = 300.0


@dataclass(frozen=True, slots=True)
class Directory:
    """OCI layouts and archives below ``root``."""

    root: Path
    scratch: Path
    """Where archives are taken apart."""
    tools: Tools

    def has(self, reference: ImageReference) -> bool:
        """Whether a layout or an archive stands for the repository."""
        return self._layout(reference).is_dir() or self._archive(reference).is_file()

    def _layout(self, reference: ImageReference) -> Path:
        return self.root / reference.repository

    def _archive(self, reference: ImageReference) -> Path:
        return self.root / f"{reference.repository}.tar"

    def manifest(self, reference: ImageReference) -> bytes:
        """By tag from the index, by digest from the blobs."""
        try:
            with self._opened(reference, largest_bytes=MAX_DOCUMENT_BYTES) as layout:
                return _manifest_in(layout, reference)
        except BlobMissing as error:
            raise references.does_not_exist(reference.uri) from error
        except (BadDocument, ToolFailure) as error:
            raise references.not_supported(reference.uri) from error
        except OSError as error:
            raise PlatformFault(f"The image {reference.uri} cannot be read: {error}") from error

    def fetch(self, reference: ImageReference, blobs: Path, limits: Limits) -> bytes:
        """Copies, and checks each blob's digest and length."""
        with self._opened(reference, check=limits.check) as layout:
            data = _manifest_in(layout, reference)
            manifest = read_manifest(data)
            for blob in (manifest.config, *manifest.layers):
                limits.check()
                copy_blob(layout / "blobs" / "sha256", blobs, blob, limits.check)
        return data

    @contextmanager
    def _opened(
        self,
        reference: ImageReference,
        *,
        largest_bytes: int | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Iterator[Path]:
        """A layout: the one that is there, or an archive's for as long as it is looked at.

        Of that it has only the blobs up to ``largest_bytes``.
        """
        layout = self._layout(reference)
        if layout.is_dir():
            yield layout
            return
        archive = self._archive(reference)
        if not archive.is_file():
            raise BlobMissing(str(archive))
        scratch = self.scratch / f"archive-{os.urandom(8).hex()}"
        scratch.mkdir()
        try:
            if not take_apart(archive, scratch, largest_bytes=largest_bytes, check=check):
                self._convert(archive, reference, scratch)
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _convert(self, archive: Path, reference: ImageReference, scratch: Path) -> None:
        """An archive of Docker's own format, by skopeo: as an image of the OCI's."""
        number = number_in_archive(archive, reference.tag)
        tag = reference.tag or "image"
        command = ["skopeo", "copy", "--quiet", f"docker-archive:{archive}:@{number}"]
        self.tools.run([*command, f"oci:{scratch}:{tag}"], Limits(_CONVERT_DEADLINE_S))


def _manifest_in(layout: Path, reference: ImageReference) -> bytes:
    """Raises BlobMissing where the layout has none such, BadDocument for what is none."""
    if reference.digest:
        path = layout / "blobs" / "sha256" / reference.digest
        data, sha256 = read_bounded(path), reference.digest
    else:
        found = find_in_index(read_bounded(layout / "index.json"), reference.tag)
        if found is None:
            raise BlobMissing(reference.tag)
        data, sha256 = read_bounded(layout / "blobs" / "sha256" / found.sha256), found.sha256
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BadDocument("the manifest is not what its digest says")
    return data
