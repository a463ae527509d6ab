"""``FileSystemConfigs``: a directory of the host stands for an EFS access point.

AWS mounts EFS over the network of a VPC and therefore demands a ``VpcConfig``; here the directory is on this
host, and none is needed. Source: the shape ``FileSystemConfig`` of botocore's ``lambda`` model.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lambent.model.errors import invalid_parameter, mount_failure, not_yet
from lambent.model.function import FileSystemConfig, FunctionVersion

MissingFileSystem = Callable[[str], str | None]
"""Why an access point (ARN) is not on this host; None where it is."""
ACCESS_POINT = re.compile(
    r"arn:aws[a-zA-Z-]*:elasticfilesystem:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d:"
    r"\d{12}:access-point/fsap-[a-f0-9]{17}"
)
"""Source: the first half of the pattern of ``FileSystemArn``; the other is S3 Files."""
_LOCAL_MOUNT_PATH = re.compile(r"/mnt/[a-zA-Z0-9_.-]{1,155}")
_DIRECTORY_NAMES = ("/mnt/.", "/mnt/..")


def missing_file_system(directories: Mapping[str, Path]) -> MissingFileSystem:
    """What there is to say of access points where these, by ARN, are on this host."""

    def missing(arn: str) -> str | None:
        if arn in directories:
            return None
        return f"no directory stands for it here: lambent up --file-system {arn}=/host/directory"

    return missing


NO_FILE_SYSTEMS = missing_file_system({})


def file_system_config(
    configs: Sequence[Mapping[str, Any]], missing: MissingFileSystem
) -> FileSystemConfig | None:
    """The file system asked for; None for none.

    Raises ``InvalidParameterValueException`` for a path that is none or an access point that is not there, 501
    for what is not EFS.
    """
    if not configs:
        return None
    if len(configs) > 1:
        raise invalid_parameter("A function can have one file system configuration.")
    config = configs[0]
    arn, path = config["Arn"], config["LocalMountPath"]
    if config.get("S3FilesConfig") is not None:
        raise not_yet("FileSystemConfigs.S3FilesConfig")
    if not ACCESS_POINT.fullmatch(arn):
        raise not_yet(f"the file system {arn}")
    if not _LOCAL_MOUNT_PATH.fullmatch(path) or path in _DIRECTORY_NAMES:
        raise invalid_parameter(f"The local mount path {path} is invalid.")
    reason = missing(arn)
    if reason is not None:
        # Best known: no recording of AWS's text is known; what follows the colon is ours in any case.
        raise invalid_parameter(f"EFS file system access point {arn} not found: {reason}")
    return FileSystemConfig(arn, path)


def check_file_system(version: FunctionVersion, missing: MissingFileSystem) -> None:
    """Raises ``EFSMountFailureException`` for a version whose access point is no longer on this host."""
    config = version.file_system
    reason = missing(config.arn) if config is not None else None
    if config is not None and reason is not None:
        raise mount_failure(config.arn, config.local_mount_path, reason)


def shown_file_systems(config: FileSystemConfig) -> list[dict[str, str]]:
    """``FileSystemConfigs`` as answers have it."""
    return [{"Arn": config.arn, "LocalMountPath": config.local_mount_path}]
