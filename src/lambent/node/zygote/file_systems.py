"""Directories of the host that functions share, mounted on ``/mnt/NAME`` read-write.

Contract:
1. Only an environment whose function asks for one sees it; of the others it sees nothing, nor does any other.
2. Its files belong to the directory's owner on the host, whichever environment writes them: the mount maps that
   owner to the environment's user. Files of other owners belong to nobody inside.
3. No set-user-id programs, no device nodes; ``/mnt`` itself and the root around it stay read-only.
"""

import os
import signal

from lambent.node.linux import syscalls as sys_

_SAFE = sys_.MS_NOSUID | sys_.MS_NODEV


class MountError(Exception):
    """The file system cannot be mounted: the environment is of no use."""


def bind_sources(sources: str, directories: "list[str]") -> None:
    """Keeps the host's directories under ``sources``, by number. What is not there any more is left out."""
    if not directories:
        return
    sys_.mount("tmpfs", sources, "tmpfs", _SAFE, "size=1m,mode=700")
    for number, directory in enumerate(directories):
        target = f"{sources}/{number}"
        os.mkdir(target)
        try:
            sys_.mount(directory, target, "", sys_.MS_BIND)
        except OSError:
            os.rmdir(target)  # else the empty directory would stand for it


def mount_shared(source: str, name: str, uid: int, root: str = "") -> None:
    """Mounts one of them on ``/mnt/name``, below ``root`` where that is where the root is put together.

    ``uid``: the user that the directory's owner is to be inside; 0: it is the owner already. Needs the
    environment's own ``/proc``. Raises MountError with the reason.
    """
    try:
        _mount(source, f"{root}/mnt", name, uid)
    except OSError as error:
        raise MountError(str(error)) from error


def _mount(source: str, place: str, name: str, uid: int) -> None:
    target = f"{place}/{name}"
    try:
        found = os.stat(source)
    except FileNotFoundError as error:
        raise MountError("its directory was not there when the platform started") from error
    if found.st_nlink == 0:
        raise MountError("its directory was removed; a new one is seen after lambent up")
    sys_.mount("tmpfs", place, "tmpfs", _SAFE, "size=64k,mode=755")
    os.mkdir(target)
    if uid:
        _mount_mapped(source, target, (found.st_uid, found.st_gid), uid)
    else:
        sys_.mount(source, target, "", sys_.MS_BIND)
        sys_.mount("", target, "", sys_.MS_REMOUNT | sys_.MS_BIND | _SAFE)
    sys_.mount("", place, "", sys_.MS_REMOUNT | sys_.MS_BIND | sys_.MS_RDONLY | _SAFE)


def _mount_mapped(source: str, target: str, owner: "tuple[int, int]", uid: int) -> None:
    if 0 in owner:
        # A function could leave programs there that make whoever runs them on the host root.
        raise MountError("its directory belongs to root, or to root's group")
    namespace = _user_namespace(owner, uid)
    tree = sys_.clone_mount(source)
    sys_.set_mount_attributes(tree, sys_.MOUNT_ATTR_NOSUID | sys_.MOUNT_ATTR_NODEV, namespace)
    sys_.attach_mount(tree, target)
    os.close(tree)
    os.close(namespace)


def _user_namespace(owner: "tuple[int, int]", uid: int) -> int:
    """A user namespace that serves as a table alone: the owner outside is ``uid`` inside."""
    pid = sys_.fork(sys_.CLONE_NEWUSER)
    if pid == 0:
        while True:
            signal.pause()
    try:
        for name, outside in zip(("uid_map", "gid_map"), owner, strict=True):
            with open(f"/proc/{pid}/{name}", "w") as file:
                file.write(f"{outside} {uid} 1")
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
