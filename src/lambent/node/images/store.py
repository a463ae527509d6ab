"""Unpacked images by the digest of their manifest.

``<root>/blobs/sha256/`` holds the layers and configurations of all images kept, each once;
``trees/<digest>/`` an image unpacked: ``rootfs/`` and ``image.json``, whole or absent (made in ``tmp``, renamed).

Contract: 1. :meth:`ImageStore.prepare` has the tree on the disk for good when it returns. 2. Trees never change,
so any number of environments may share one. 3. What an image does to the tool that unpacks it, it does as a user
who owns nothing, without a network (:mod:`lambent.node.linux.jail`). 4. :meth:`is_ready`, :meth:`image` and
:meth:`forget` may be called from any thread; the others from one at a time, and never from the loop's.
"""

import ctypes
import hashlib
import json
import os
import shutil
import sys
import uuid
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from lambent.model.errors import PlatformFault
from lambent.model.image import ContainerImage
from lambent.node.images.blobs import keep_only, read_bounded
from lambent.node.images.manifest import (
    REF_NAME,
    Configuration,
    Descriptor,
    Manifest,
    read_configuration,
    read_manifest,
)
from lambent.node.images.references import ImageReference
from lambent.node.images.rootfs import find_extensions, finish, remove_tree, size_of
from lambent.node.images.source import Source
from lambent.node.images.tools import Limits, Tools
from lambent.node.linux import jail

MAX_BYTES = 10 * 1024**3
"""AWS: "Container image code package size … 10 GB (maximum uncompressed image size, including all layers)"."""
_MAX_FILES = 2_000_000
"""POLICY: files cost a disk something even when they are empty."""
_SCARCE_BYTES = 256 * 1024**2
"""POLICY: what unpacking leaves of a disk at least."""
_MEASURE_EVERY_BYTES = 1024**3
_FETCH_DEADLINE_S = 1_800.0
_UNPACK_DEADLINE_S = 900.0
"""POLICY: an image that takes longer is not served."""
_UNPACKER_UID = 1_899_999_999
"""POLICY: far from any host's users, and below those that functions run as."""
_JAIL = jail.__file__
_PACKAGES = str(Path(_JAIL).parents[3])
_PUBLIC = 0o755


class TooLarge(Exception):
    """Unpacked it is more than Lambda allows."""


class NoRoom(Exception):
    """This host's disk is full before it is unpacked."""


@dataclass(frozen=True, slots=True)
class KeptImage:
    """What ``image.json`` holds: the image's own settings, the files it starts, and the blobs it came from."""

    configuration: Configuration
    extensions: tuple[str, ...]
    blobs: tuple[str, ...]


class ImageStore:
    """Everything below ``root``. Opening removes what a crash left half made."""

    def __init__(self, root: Path, tools: Tools, *, max_bytes: int = MAX_BYTES) -> None:
        self.trees, self.tmp = root / "trees", root / "tmp"
        self.blobs = root / "blobs" / "sha256"
        self._tools = tools
        self._max_bytes = max_bytes
        self._lock = Lock()
        for directory in (root, self.trees, self.tmp, root / "blobs", self.blobs):
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(_PUBLIC if directory in (root, self.trees) else 0o700)
        for path in self.tmp.iterdir():
            remove_tree(path)
        self._ready: dict[str, KeptImage] = {}
        for tree in self.trees.iterdir():
            with suppress(OSError, LookupError, TypeError, ValueError):  # else it is swept
                self._ready[tree.name] = _read_kept(tree)

    def is_ready(self, sha256: str) -> bool:
        """Whether an image is unpacked."""
        return sha256 in self._ready

    def image(self, sha256: str) -> ContainerImage:
        """An unpacked image as it says itself that it is started. Raises PlatformFault where there is none."""
        kept = self._ready.get(sha256)
        if kept is None:
            raise PlatformFault(f"The image sha256:{sha256} is not unpacked on this host.")
        own = kept.configuration
        return ContainerImage(
            self.trees / sha256 / "rootfs",
            own.entry_point,
            own.command,
            own.working_directory,
            own.environment,
            kept.extensions,
        )

    def platform(self, sha256: str) -> tuple[str, str]:
        """Architecture and operating system of an unpacked image."""
        own = self._ready[sha256].configuration
        return own.architecture, own.os

    def prepare(self, sha256: str, reference: ImageReference, source: Source) -> None:
        """Fetches and unpacks an image, unless it is there.

        Raises BlobMissing, BadDocument, ToolFailure, TooLarge, NoRoom, Stopped, ClientFault, OSError; then nothing
        is left of it but blobs that are whole.
        """
        if self.is_ready(sha256):
            return
        room = _Room(self.tmp, self._max_bytes, self._tools)
        work = self.tmp / uuid.uuid4().hex
        work.mkdir(mode=0o700)
        try:
            data = source.fetch(reference, self.blobs, Limits(_FETCH_DEADLINE_S, room.check))
            manifest = read_manifest(data)
            if manifest.size_bytes > self._max_bytes:
                raise TooLarge
            configuration = read_configuration(read_bounded(self.blobs / manifest.config.sha256))
            self._unpack(manifest, work, room)
            needed = tuple(b.sha256 for b in (manifest.config, *manifest.layers))
            extensions = find_extensions(work / "tree" / "rootfs")
            kept = KeptImage(configuration, extensions, needed)
            (work / "tree" / "image.json").write_text(json.dumps(asdict(kept)))
            _sync(work)
            (work / "tree").rename(self.trees / sha256)
        finally:
            remove_tree(work)
        with self._lock:
            self._ready[sha256] = kept

    def forget(self, sha256: str) -> None:
        """An image that nobody refers to is not there any more, for whoever asks from here on."""
        with self._lock:
            self._ready.pop(sha256, None)

    def sweep(self) -> None:
        """Removes the trees that were forgotten, and the blobs no other image needs."""
        for tree in tuple(self.trees.iterdir()):
            if tree.name not in self._ready:
                grave = self.tmp / uuid.uuid4().hex
                tree.rename(grave)  # a tree must never be seen half removed
                remove_tree(grave)
        kept_images = tuple(self._ready.values())  # others may forget one meanwhile
        keep_only(self.blobs, {blob for kept in kept_images for blob in kept.blobs})

    def known(self) -> Collection[str]:
        """The digests of all that is unpacked."""
        return tuple(self._ready)

    def _unpack(self, manifest: Manifest, work: Path, room: "_Room") -> None:
        """``work/layout`` → ``work/tree/rootfs``."""
        is_root = os.geteuid() == 0
        _make_layout(manifest, self.blobs, work / "layout")
        (work / "tree").mkdir(mode=_PUBLIC)
        (work / "tree").chmod(_PUBLIC)
        work.chmod(_PUBLIC)  # below ``tmp``, which nobody else may enter
        if is_root:
            os.chown(work / "tree", _UNPACKER_UID, _UNPACKER_UID)
        uid = str(_UNPACKER_UID if is_root else 0)
        umoci = shutil.which("umoci") or "/usr/bin/umoci"
        limits = Limits(_UNPACK_DEADLINE_S, lambda: room.check(work / "tree"))
        command = [umoci, "raw", "unpack", "--rootless", "--image", "layout:image", "tree/rootfs"]
        jailed = [
            sys.executable,
            "-I",
            "-S",
            _JAIL,
            _PACKAGES,
            str(work),
            uid,
            str(self._max_bytes),
        ]
        self._tools.run([*jailed, *command], limits)
        if size_of(work / "tree") > self._max_bytes:
            raise TooLarge
        if is_root:
            os.chown(work / "tree", 0, 0)
        finish(work / "tree" / "rootfs", owned=is_root, check=self._tools.check)


class _Room:
    """Watches the disk: a tree is measured when so much was written that it may be too large."""

    def __init__(self, place: Path, max_bytes: int, tools: Tools) -> None:
        self._place = place
        self._tools = tools
        self._max_bytes = max_bytes
        self._step = min(_MEASURE_EVERY_BYTES, max_bytes)
        self._first = os.statvfs(place)
        self._next = self._step

    def check(self, tree: Path | None = None) -> None:
        """``tree``: what grows; without one all that is written here counts.

        Raises TooLarge, NoRoom, Stopped.
        """
        self._tools.check()
        now = os.statvfs(self._place)
        if now.f_bavail * now.f_frsize < _SCARCE_BYTES:
            raise NoRoom(f"fewer than {_SCARCE_BYTES} bytes are free on this host")
        if self._first.f_ffree - now.f_ffree > _MAX_FILES:
            raise TooLarge
        written = (self._first.f_bfree - now.f_bfree) * now.f_frsize
        if written > self._next:
            self._next = written + self._step
            if (written if tree is None else size_of(tree)) > self._max_bytes:
                raise TooLarge


def _make_layout(manifest: Manifest, blobs: Path, layout: Path) -> None:
    """An OCI layout of one image, ``image``; its blobs are links to ours.

    Its manifest is of our own making: of the image's it says what is needed to unpack it, in the OCI's words.
    """
    place = layout / "blobs" / "sha256"
    place.mkdir(parents=True)
    for directory in (layout, layout / "blobs", place):
        directory.chmod(_PUBLIC)
    for blob in {b.sha256 for b in (manifest.config, *manifest.layers)}:
        (blobs / blob).chmod(0o644)
        os.link(blobs / blob, place / blob)
    data = json.dumps(
        {
            "schemaVersion": 2,
            "config": _described(manifest.config, "config.v1+json"),
            "layers": [
                _described(layer, f"layer.v1.tar{'+gzip' if layer.is_packed else ''}")
                for layer in manifest.layers
            ],
        }
    ).encode()
    digest = hashlib.sha256(data).hexdigest()
    own = _described(Descriptor("", digest, len(data)), "manifest.v1+json")
    entry = {**own, "annotations": {REF_NAME: "image"}}
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]})
    for path, text in (
        (place / digest, data),
        (layout / "index.json", index.encode()),
        (layout / "oci-layout", b'{"imageLayoutVersion": "1.0.0"}'),
    ):
        path.write_bytes(text)
        path.chmod(0o644)


def _described(blob: Descriptor, kind: str) -> dict[str, Any]:
    media_type = f"application/vnd.oci.image.{kind}"
    return {"mediaType": media_type, "digest": f"sha256:{blob.sha256}", "size": blob.size_bytes}


def _read_kept(tree: Path) -> KeptImage:
    document = json.loads((tree / "image.json").read_text())
    own = document["configuration"]
    configuration = Configuration(
        own["architecture"],
        own["os"],
        tuple(own["entry_point"]),
        tuple(own["command"]),
        own["working_directory"],
        own["environment"],
    )
    return KeptImage(configuration, tuple(document["extensions"]), tuple(document["blobs"]))


def _sync(place: Path) -> None:
    """Has everything on the disk: an image may be gone from where it came from, so a tree is the truth."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if libc.syncfs(fd):
            raise OSError(ctypes.get_errno(), "the tree cannot be written to the disk")
    finally:
        os.close(fd)
