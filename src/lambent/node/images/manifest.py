"""Manifests and configurations of images: JSON from outside, read into what is needed of it. Pure.

Contract: whatever the bytes are, a reader returns a value that keeps its promises or raises :class:`BadDocument`.
Source: the OCI image specification; "Container image settings" (AWS Lambda): one image, not an index of several.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
"""Source: the distribution specification's advice for manifests."""
_MAX_LAYERS = 1_000
"""POLICY: builders stop at 127."""
_DEFAULT_KIND = "application/vnd.oci.image.manifest.v1+json"
_MANIFESTS = frozenset(
    {
        _DEFAULT_KIND,
        "application/vnd.docker.distribution.manifest.v2+json",
    }
)
_CONFIGS = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)
_LAYERS = frozenset(
    {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    }
)
_DIGEST = re.compile("sha256:([0-9a-f]{64})")
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}
_VARIABLE = re.compile("[^=\0]+=[^\0]*")
REF_NAME = "org.opencontainers.image.ref.name"
"""The annotation that holds a tag in a layout's index."""


class BadDocument(Exception):
    """No such document, or of a kind that is not supported."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob: its kind, SHA-256 in hex, and length."""

    media_type: str
    sha256: str
    size_bytes: int

    @property
    def is_packed(self) -> bool:
        """Whether a layer is compressed."""
        return self.media_type.endswith("gzip")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image: its configuration, and its layers from the lowest up."""

    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def size_bytes(self) -> int:
        """Of all layers, as they are packed."""
        return sum(layer.size_bytes for layer in self.layers)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What an image says of itself; ``architecture`` in AWS's words, or the image's where AWS has none."""

    architecture: str
    os: str
    entry_point: tuple[str, ...]
    command: tuple[str, ...]
    working_directory: str
    environment: dict[str, str]


def read_manifest(data: bytes, media_type: str = "") -> Manifest:
    """``media_type``: what a descriptor said of it, where the document is silent."""
    document = _object(data)
    if document.get("schemaVersion") != 2:
        raise BadDocument("no manifest of version 2")
    kind = _text(document.get("mediaType")) or media_type or _DEFAULT_KIND
    if kind not in _MANIFESTS or "manifests" in document:
        raise BadDocument(f"the manifest's media type {kind}")
    config = _descriptor(document.get("config"), _CONFIGS)
    layers = document.get("layers")
    if not isinstance(layers, list) or len(layers) > _MAX_LAYERS:
        raise BadDocument("the manifest's layers")
    return Manifest(config, tuple(_descriptor(layer, _LAYERS) for layer in layers))


def read_configuration(data: bytes) -> Configuration:
    """The image's configuration."""
    document = _object(data)
    inner = document.get("config") or {}
    if not isinstance(inner, dict):
        raise BadDocument("the configuration")
    architecture = _text(document.get("architecture"))
    variables = _texts(inner.get("Env"))
    if not all(map(_VARIABLE.fullmatch, variables)):
        raise BadDocument("the environment variables")
    return Configuration(
        _ARCHITECTURES.get(architecture, architecture),
        _text(document.get("os")),
        _texts(inner.get("Entrypoint")),
        _texts(inner.get("Cmd")),
        _text(inner.get("WorkingDir")),
        dict(variable.split("=", 1) for variable in variables),
    )


def find_in_index(data: bytes, tag: str) -> Descriptor | None:
    """The manifest that a layout's index has under a tag.

    Raises BadDocument for what is no index, and for a tag on something of another kind.
    """
    manifests = _object(data).get("manifests")
    if not isinstance(manifests, list):
        raise BadDocument("the index")
    for entry in manifests:
        notes = entry.get("annotations") if isinstance(entry, dict) else None
        if isinstance(notes, dict) and _is_tag(notes.get(REF_NAME), tag):
            return _descriptor(entry, _MANIFESTS)
    return None


def _is_tag(name: Any, tag: str) -> bool:
    """Archives have the whole name there, layouts the tag alone."""
    return isinstance(name, str) and (name == tag or name.rpartition(":")[2] == tag)


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_DOCUMENT_BYTES:
        raise BadDocument("a document that is too long")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadDocument("no JSON") from error
    if not isinstance(document, dict):
        raise BadDocument("no JSON object")
    return document


def _descriptor(value: Any, kinds: frozenset[str]) -> Descriptor:
    if not isinstance(value, dict):
        raise BadDocument("a descriptor")
    media_type = _text(value.get("mediaType"))
    if media_type not in kinds:
        raise BadDocument(f"the media type {media_type}")
    match = _DIGEST.fullmatch(_text(value.get("digest")))
    size = value.get("size")
    if match is None or isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise BadDocument("a descriptor")
    return Descriptor(media_type, match[1], size)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise BadDocument("a text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadDocument("a list of texts")
    return tuple(_text(item) for item in value)
