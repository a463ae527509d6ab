"""What this machine has to unpack container images with."""

from collections.abc import Callable

from lambent.cli.doctor_checks import Finding


def check_images(which: Callable[[str], str | None]) -> Finding:
    """skopeo and umoci. Nobody has to have them."""
    from lambent.node.images.tools import NEEDED  # noqa: PLC0415

    missing = [name for name in NEEDED if which(name) is None]
    if missing:
        text = f"no {' and no '.join(missing)}: functions of container images are refused until"
        return Finding("ok", "images", f"{text}: lambent runtimes add images")
    return Finding("ok", "images", "container images are unpacked by umoci, fetched by skopeo")
