"""The tree of an unpacked image made fit to be a root: everything root's, with the places to mount on.

Nothing here follows a link, whatever the image made of its paths: an image is another's.
"""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

_DIRECTORIES = ("proc", "dev", "tmp", "mnt", "etc", "var", "var/task")
_FILES = ("resolv.conf", "hosts")
_EXTENSIONS = ("opt", "extensions")
_SET_IDS = stat.S_ISUID | stat.S_ISGID


def finish(root: Path, *, owned: bool, check: Callable[[], None] = lambda: None) -> None:
    """Makes the places to mount on; no set-user-id bit is left. With ``owned`` everything becomes root's.

    What stands in the way of them goes: a link, say, that leads out of the tree.
    """
    root.chmod(0o755)
    if owned:
        _own(root, check)
    else:
        _clear_bits(root, check)
    for name in _DIRECTORIES:
        _make_directory(root / name)
    for name in _FILES:
        _make_file(root / "etc" / name)


def find_extensions(root: Path) -> tuple[str, ...]:
    """The names of the files in ``/opt/extensions``, in order; none where the way there is not of directories."""
    place = root
    for name in _EXTENSIONS:
        place /= name
        if place.is_symlink() or not place.is_dir():
            return ()
    try:
        with os.scandir(place) as entries:
            return tuple(sorted(e.name for e in entries if not e.is_dir(follow_symlinks=False)))
    except PermissionError:
        return ()


def size_of(root: Path) -> int:
    """The bytes a tree takes on the disk; while it is being written, about."""
    total = 0
    for _, directories, files, fd in os.fwalk(root, onerror=None):
        for name in (*directories, *files):
            try:
                total += os.stat(name, dir_fd=fd, follow_symlinks=False).st_blocks * 512
            except OSError:
                continue
    return total


def remove_tree(tree: Path) -> None:
    """Removes it, directories that not even their owner may write to as well; nothing happens where it is not."""

    def open_up(function: Callable[..., object], path: str, _: object) -> None:
        try:
            os.chmod(os.path.dirname(path), 0o700)  # noqa: PTH101, PTH120 - as shutil gives it
            if not os.path.islink(path):  # noqa: PTH114
                os.chmod(path, 0o700)  # noqa: PTH101
            if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
                shutil.rmtree(path, ignore_errors=True)
            else:
                function(path)
        except OSError:
            return

    shutil.rmtree(tree, onerror=open_up)


def _own(root: Path, check: Callable[[], None]) -> None:
    os.chown(root, 0, 0)
    for _, directories, files, fd in os.fwalk(root):
        check()
        for name in (*directories, *files):
            os.chown(name, 0, 0, dir_fd=fd, follow_symlinks=False)


def _clear_bits(root: Path, check: Callable[[], None]) -> None:
    """Such a file would be ours: another user of this host who gets at it would be us."""
    for _, directories, files, fd in os.fwalk(root):
        check()
        for name in directories:
            mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):  # which is gone through next, whatever the image says
                os.chmod(name, stat.S_IMODE(mode) & ~_SET_IDS | 0o700, dir_fd=fd)
        for name in files:
            mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
            if stat.S_ISREG(mode) and mode & _SET_IDS:
                os.chmod(name, stat.S_IMODE(mode) & ~_SET_IDS, dir_fd=fd)


def _make_directory(path: Path) -> None:
    """With room in it for us: another's permissions are kept, but for its owner's."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        path.unlink()
    if not path.exists():
        path.mkdir()
        path.chmod(0o755)
    path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o700)


def _make_file(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    elif path.is_symlink():
        path.unlink()
    if not path.exists():
        path.touch(0o644)
