"""``lambent up --file-system ARN=/host/dir``: what may stand for an EFS access point."""

import os
from pathlib import Path

from lambent.cli.failures import EXIT_USAGE, CliError


def known_file_systems(texts: list[str]) -> dict[str, Path]:
    """Access point ARN → directory. Raises CliError for what is none, or cannot be shared with functions."""
    from lambent.control.file_systems import ACCESS_POINT  # noqa: PLC0415 - `--help` does without

    found: dict[str, Path] = {}
    for text in texts:
        arn, _, directory = text.partition("=")
        if not ACCESS_POINT.fullmatch(arn):
            raise CliError(
                f"--file-system {text}: that is no ARN of an EFS access point.",
                "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/"
                "fsap-0123456789abcdef0=/host/directory",
                EXIT_USAGE,
            )
        if arn in found:
            raise CliError(f"--file-system {arn} is given twice.", "", EXIT_USAGE)
        found[arn] = _shareable(Path(directory).expanduser())
    return found


def _shareable(directory: Path) -> Path:
    if not directory.is_absolute() or not directory.is_dir():
        raise CliError(f"--file-system: {directory} is no directory here.", "", EXIT_USAGE)
    status = directory.stat()
    if os.geteuid() == 0:
        # As root: a function could leave programs there that make whoever runs them root.
        if 0 in (status.st_uid, status.st_gid):
            raise CliError(
                f"--file-system: {directory} belongs to root; functions would write there as root.",
                f"Give it to an ordinary user and group: chown 1000:1000 {directory}",
                EXIT_USAGE,
            )
    elif status.st_uid != os.geteuid():
        raise CliError(
            f"--file-system: {directory} is not yours, and without root functions run as you.",
            "Use a directory of your own, or run as root: sudo lambent up",
            EXIT_USAGE,
        )
    return directory.resolve()
