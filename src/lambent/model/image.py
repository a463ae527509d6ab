"""Container images: how a function names one, what it changes of it, and what an environment is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

ImageReason = Literal["ImageAccessDenied", "ImageDeleted", "InvalidImage", "InternalError"]
"""Source: ``StateReasonCode`` of botocore's ``lambda`` model, as far as images lead there."""


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """``ImageConfig``: what is run instead of what the image says; empty members change nothing."""

    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_directory: str = ""


@dataclass(frozen=True, slots=True)
class ImageCode:
    """A function's code that is an image: ``uri`` as it was given, ``resolved_uri`` with the manifest's digest."""

    uri: str
    resolved_uri: str
    config: ImageConfig = ImageConfig()


@dataclass(frozen=True, slots=True)
class FoundImage:
    """What an image URI names now: ``sha256`` (hex) of its manifest, and the URI with that digest."""

    sha256: str
    resolved_uri: str


@dataclass(frozen=True, slots=True)
class ImageFailure:
    """Why an image cannot be unpacked, as ``StateReasonCode`` and ``StateReason`` tell it."""

    code: ImageReason
    reason: str


@dataclass(frozen=True, slots=True)
class ContainerImage:
    """An unpacked image as environments start from it, with what the function changes of it.

    ``root`` is its root file system; ``extensions`` are the files in its ``/opt/extensions``.
    """

    root: Path
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_directory: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServingImage:
    """The image a function runs until another one is unpacked: its digest (hex), the revision it belongs to."""

    sha256: str
    image: ImageCode
    config_revision: str
