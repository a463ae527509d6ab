"""An environment whose root is a container image's: entered once everything is mounted, and what is run in it.

The image is a tree that never changes, read-only, without device nodes or set-user-id programs; what is mounted on
it (``/tmp``, ``/proc``, ``/dev``, how names are resolved) is what every environment has. Nothing of the root that
the zygote built is left inside: it is what :func:`enter` puts away.
"""

import os
import stat
from typing import Any

from lambent.node.linux import syscalls as sys_
from lambent.node.zygote.root import HIDDEN

IMAGES = HIDDEN + "/images"
"""Where the zygote's root has all images, by their digests."""
_PLACE = "/mnt"
"""Empty in the zygote's root: where an image is put together."""
_FILES = ("etc/resolv.conf", "etc/hosts")
_SAFE = sys_.MS_NOSUID | sys_.MS_NODEV


def mount_image(root: "str | None") -> str:
    """Mounts an image's tree, and gives its place; without one nothing, and the way to all images is cut."""
    if root is None:
        try:
            sys_.umount(IMAGES, sys_.MNT_DETACH)
        except OSError:
            return ""  # a host without images
        return ""
    sys_.mount(root, _PLACE, "", sys_.MS_BIND)
    read_only = sys_.MS_REMOUNT | sys_.MS_BIND | sys_.MS_RDONLY
    sys_.mount("", _PLACE, "", read_only | _SAFE)
    return _PLACE


def enter(place: str) -> None:
    """Takes over what the environment has mounted for itself, and leaves the zygote's root for good."""
    for name in ("dev", "proc", "tmp"):
        sys_.mount(f"/{name}", f"{place}/{name}", "", sys_.MS_BIND | sys_.MS_REC)
    for name in _FILES:
        sys_.mount(f"/{name}", f"{place}/{name}", "", sys_.MS_BIND)
    os.chdir(place)
    sys_.pivot_root(".", ".")
    sys_.umount(".", sys_.MNT_DETACH)
    os.chdir("/")


def execute(entry: "dict[str, Any]", environ: "dict[str, str]") -> str:
    """Replaces this process. Returns only when it could not, with the reason in AWS's words.

    Those are in the log too, as AWS puts them there. Source: aws/aws-lambda-base-images#34, grafana/loki#7078.
    """
    reason = _attempt(entry, environ)
    entry_point, command = " ".join(entry["entry_point"]), " ".join(entry["arguments"])
    said = f"Entrypoint: [{entry_point}]\tCmd: [{command}]\tWorkingDir: [{entry['directory']}]"
    os.write(1, f"IMAGE\tLaunch error: {reason}\t{said}\n".encode())
    return reason


def _attempt(entry: "dict[str, Any]", environ: "dict[str, str]") -> str:
    """Source of the words: AWS's runtime interface emulator (``bootstrap.go`` of ``rapidcore``), and Go's own."""
    reason = _enter_directory(entry["directory"] or "/")
    if reason:
        return reason
    command = [*entry["entry_point"], *entry["arguments"]]
    if not command or not command[0]:
        return "Couldn't find valid bootstrap(s): []"
    program = _look_up(command[0], environ.get("PATH", ""))
    if program is None:
        return f'exec: "{command[0]}": executable file not found in $PATH'
    try:
        os.execve(program, command, environ)  # noqa: S606 - that is what this is for
    except OSError as error:
        return f"fork/exec {program}: {os.strerror(error.errno or 0).lower()}"
    except ValueError as error:
        return f"fork/exec {program}: {error}"


def _enter_directory(directory: str) -> str:
    """Why it is not the working directory now; empty when it is."""
    if not directory.startswith("/"):
        return f"the working directory '{directory}' is invalid, it needs to be an absolute path"
    try:
        os.chdir(directory)
    except PermissionError:
        return f"the working directory cannot be entered: {directory}"
    except (OSError, ValueError):
        return f"the working directory doesn't exist: {directory}"
    return ""


def _look_up(name: str, path: str) -> "str | None":
    """As Go does: a name with a slash is a path; else the first program of that name in ``$PATH``."""
    if "/" in name:
        return name
    for directory in path.split(":"):
        candidate = f"{directory or '.'}/{name}"
        try:
            mode = os.stat(candidate).st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) and mode & 0o111:
            return candidate
    return None
