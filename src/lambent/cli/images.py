"""``lambent up --images DIR --registry URL``: where container images come from; and what unpacks them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from lambent.cli.failures import EXIT_USAGE, CliError
from lambent.cli.runtimes import Runner

NAME = "images"
"""What ``lambent runtimes add`` calls the programs."""


def known_images(directory: Path | None) -> Path | None:
    """The directory. Raises CliError where there is none."""
    if directory is None:
        return None
    found = directory.expanduser().absolute()
    if not found.is_dir():
        raise CliError(f"--images: {directory} is no directory here.", "", EXIT_USAGE)
    return found


def known_registry(url: str | None) -> str:
    """The registry's URL, empty for none. Raises CliError for what is none."""
    if not url:
        return ""
    split = urlsplit(url)
    try:
        usable = split.scheme in ("http", "https") and bool(split.hostname) and split.port != 0
    except ValueError:
        usable = False
    if not usable or split.query or split.fragment or "@" in split.netloc:
        raise CliError(
            f"--registry: {url} is not the URL of a registry.",
            "Such as https://registry.example/prefix. Credentials: skopeo login registry.example",
            EXIT_USAGE,
        )
    return url.rstrip("/")


def prepare_images(
    run: Runner, which: Callable[[str], str | None] = shutil.which, *, is_root: bool | None = None
) -> bool:
    """Installs the programs that unpack images; False when they are there. Raises CliError where it cannot."""
    from lambent.node.images.tools import NEEDED  # noqa: PLC0415

    missing = [name for name in NEEDED if which(name) is None]
    if not missing:
        return False
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    said = " ".join(command)
    if which("apt-get") is None:
        raise CliError(
            f"{' and '.join(missing)} are not on this machine.", "Install them with its packages."
        )
    if not (os.geteuid() == 0 if is_root is None else is_root):
        raise CliError(f"Only root can install {' and '.join(missing)}.", f"Run: sudo {said}")
    code, words = run(command)
    if code != 0:
        raise CliError(f"This did not work: {said}\n{words.strip()}", "Try: apt-get update")
    return True
