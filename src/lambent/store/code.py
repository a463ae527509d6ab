"""Code by content: uploaded zips, their unpacked trees, and layers merged for ``/opt``.

``<root>/zips/<sha256>.zip`` is the truth, written durably before a record may refer to it;
``unpacked/<sha256>/`` and ``merged/<key>/`` are made from it, each whole or absent (made in
``tmp``, renamed).

Contract: 1. :meth:`CodeStore.put` has the zip on the disk and unpacked when it returns. 2. Trees
never change once they stand, so any number of environments may share them. 3. :meth:`task_dir` and
:meth:`opt_dir` make what is missing; several threads may ask at once. 4. Only :meth:`release`,
:meth:`collect` and :meth:`clear` remove.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from lambent.model import limits
from lambent.model.errors import ClientFault, PlatformFault
from lambent.model.function import CodeRef
from lambent.store.unpacking import merge, unpack
from lambent.store.zip_safety import check_zip, open_zip

CodeKey = str | tuple[str, ...]
"""Code by the SHA-256 of its zip, or a set of layers by those of theirs, in order."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class CodeStore:
    """Everything below ``root``. Opening removes what a crash left half made."""

    def __init__(self, root: Path) -> None:
        self._zips, self._unpacked = root / "zips", root / "unpacked"
        self._merged, self._tmp = root / "merged", root / "tmp"
        self._boot = root / "boot_id"
        for directory in (root, self._unpacked, self._merged):
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o755)  # functions run as another user and must get through
        for directory in (self._zips, self._tmp):
            directory.mkdir(exist_ok=True)
            directory.chmod(0o700)
        _empty(self._tmp)
        self._distrust_after_reboot()
        self._fresh: set[str] = set()
        self._unused_since: dict[CodeKey, float] = {}

    def put(self, content: bytes, operation: str | None) -> CodeRef:
        """Keeps a zip and unpacks it, at next to no cost when it is there already.

        Raises ``InvalidParameterValueException`` for what is no safe zip,
        ``RequestEntityTooLargeException`` for more than 50 MiB; nothing is left behind then.
        ``operation`` is named in AWS's message; None for what no request carried, which may be larger.
        """
        known = self._known(content)
        if known is not None:
            return known
        code, tree = self._unpack_new(content, operation)
        _publish(tree, self._unpacked / code.sha256)
        if not self.zip_path(code.sha256).is_file():
            self._write_zip(code.sha256, content)
        self._fresh.add(code.sha256)
        return code

    def check(self, content: bytes, operation: str | None) -> CodeRef:
        """What :meth:`put` would answer or raise, but keeps nothing."""
        code, tree = self._unpack_new(content, operation)
        shutil.rmtree(tree)
        return code

    def zip_path(self, sha256: str) -> Path:
        """Where a zip lies, if it is kept."""
        return self._zips / f"{sha256}.zip"

    def task_dir(self, sha256: str) -> Path:
        """The unpacked tree of a kept zip, for ``/var/task``."""
        tree = self._unpacked / sha256
        if not tree.is_dir():
            self._unpack_again(sha256)
        return tree

    def opt_dir(self, layers: tuple[str, ...]) -> Path | None:
        """The merged tree of layers, in their order, for ``/opt``; None without layers."""
        if not layers:
            return None
        if len(layers) == 1:
            return self.task_dir(layers[0])
        merged = self._merged / _merged_name(layers)
        if not merged.is_dir():
            tree = self._tmp / uuid.uuid4().hex
            merge([self.task_dir(layer) for layer in layers], tree)
            _publish(tree, merged)
        return merged

    def release(
        self,
        released: Collection[CodeKey],
        is_used: Callable[[CodeKey], bool],
        *,
        now_s: float,
        grace_s: float,
    ) -> None:
        """Looks at what has just been ``released``, and at what came since and may never have been used.

        The zips of it that are not used go at once; trees go at the first call ``grace_s`` after their
        release, for environments still running from them. Costs nothing for all the other code.
        """
        for key in (*released, *self._fresh):
            self._unused_since.pop(key, None)  # the dictionary is in the order of release
            self._unused_since[key] = now_s
            if isinstance(key, str) and not is_used(key):
                self.zip_path(key).unlink(missing_ok=True)
        self._fresh.clear()
        for key, since_s in tuple(self._unused_since.items()):
            if now_s - since_s < grace_s:
                break
            del self._unused_since[key]
            if not is_used(key):
                self._remove(self._tree(key))

    def collect(self, code: Collection[str], layer_sets: Collection[tuple[str, ...]]) -> None:
        """At start: removes, at once, all that neither ``code`` (SHA-256) nor ``layer_sets`` names."""
        for path in self._zips.iterdir():
            if path.stem not in code:
                path.unlink()
        keep = {self._unpacked / sha256 for sha256 in code}
        keep |= {self._tree(layers) for layers in layer_sets if layers}
        for tree in (*self._unpacked.iterdir(), *self._merged.iterdir()):
            if tree not in keep:
                self._remove(tree)
        self._fresh.clear()
        self._unused_since.clear()

    def clear(self) -> None:
        """Removes everything, at once."""
        self.collect((), ())

    def _tree(self, key: CodeKey) -> Path:
        if isinstance(key, str):
            return self._unpacked / key
        return self._merged / _merged_name(key)

    def _known(self, content: bytes) -> CodeRef | None:
        """The reference to a zip that is kept and unpacked already, and so was checked before."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.zip_path(sha256).is_file() or not (self._unpacked / sha256).is_dir():
            return None
        with open_zip(content) as archive:
            unzipped_bytes = sum(info.file_size for info in archive.infolist())
        return CodeRef(sha256, len(content), unzipped_bytes)

    def _unpack_new(self, content: bytes, operation: str | None) -> tuple[CodeRef, Path]:
        """A checked zip unpacked in ``tmp``: the only way to know that it can be unpacked."""
        if operation is not None:
            _check_upload_size(len(content), operation)
        tree = self._tmp / uuid.uuid4().hex
        with open_zip(content) as archive:
            unzipped_bytes = unpack(archive, check_zip(archive), tree)
        return CodeRef(hashlib.sha256(content).hexdigest(), len(content), unzipped_bytes), tree

    def _write_zip(self, sha256: str, content: bytes) -> None:
        draft = self._tmp / uuid.uuid4().hex
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.zip_path(sha256))
        directory = os.open(self._zips, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _unpack_again(self, sha256: str) -> None:
        try:
            content = self.zip_path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise PlatformFault(f"The code {sha256} is missing from the code store.") from error
        with open_zip(content) as archive:
            tree = self._tmp / uuid.uuid4().hex
            unpack(archive, check_zip(archive), tree)
        _publish(tree, self._unpacked / sha256)

    def _remove(self, tree: Path) -> None:
        grave = self._tmp / uuid.uuid4().hex
        with suppress(FileNotFoundError):
            tree.rename(grave)  # a tree must never be seen half removed
            shutil.rmtree(grave)

    def _distrust_after_reboot(self) -> None:
        """Has trees made anew after a reboot.

        Only zips are synced, so a power cut may leave a tree that stands, but with empty files.
        """
        boot_id = _BOOT_ID.read_text() if _BOOT_ID.exists() else ""
        known = self._boot.read_text() if self._boot.exists() else None
        if boot_id == known:
            return
        for tree in (*self._unpacked.iterdir(), *self._merged.iterdir()):
            self._remove(tree)
        self._boot.write_text(boot_id)


def _check_upload_size(size_bytes: int, operation: str) -> None:
    in_base64 = (size_bytes + 2) // 3 * 4
    if in_base64 > limits.REQUEST.value:
        most = limits.REQUEST.value
        message = f"Request must be smaller than {most} bytes for the {operation} operation"
    elif size_bytes > limits.ZIP_UPLOAD.value:
        message = f"Zipped size must be smaller than {limits.ZIP_UPLOAD.value} bytes"
    else:
        return
    # AWS: without a Type. Source: recorded by LocalStack's tests
    # (TestLambdaSizeLimits::test_oversized_request_create_lambda).
    raise ClientFault("RequestEntityTooLargeException", message, 413)


def _publish(tree: Path, place: Path) -> None:
    try:
        tree.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        shutil.rmtree(tree)  # another thread made the same tree first


def _merged_name(layers: tuple[str, ...]) -> str:
    return hashlib.sha256("".join(layers).encode()).hexdigest()


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
