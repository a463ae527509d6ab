"""Container images without any tool: known by their URI, unpacked when a test says so."""

import hashlib
from collections.abc import Callable, Collection
from pathlib import Path

from lambent.model.errors import AwsError
from lambent.model.image import ContainerImage, FoundImage, ImageFailure
from lambent.node.images.references import does_not_exist, parse_image_uri

HOST = "000000000000.dkr.ecr.us-east-1.amazonaws.com"


def sha256_of(name: str) -> str:
    """The digest of the image that a repository has under its tag, ``repository:tag``."""
    return hashlib.sha256(name.encode()).hexdigest()


class FakeImages:
    """Every repository is there with every tag, but for those whose name begins with ``no``.

    What is to be unpacked is so at once, or with ``holds`` when :meth:`finish` is called. ``failures``: digest →
    why it cannot be.
    """

    def __init__(self) -> None:
        self.holds = False
        self.failures: dict[str, ImageFailure] = {}
        self.architectures: dict[str, str] = {}
        self.ready: set[str] = set()
        self.released: set[str] = set()
        self._waiting: list[tuple[str, Callable[[ImageFailure | None], None]]] = []

    def find(self, uri: str) -> FoundImage | AwsError:
        """As the service of images does."""
        try:
            reference = parse_image_uri(uri)
        except AwsError as error:
            return error
        if reference.repository.startswith("no"):
            return does_not_exist(uri)
        digest = reference.digest or sha256_of(f"{reference.repository}:{reference.tag}")
        return FoundImage(digest, reference.at(digest).resolved_uri)

    def is_ready(self, sha256: str) -> bool:
        """Whether it was unpacked."""
        return sha256 in self.ready

    def image(self, sha256: str) -> ContainerImage:
        """Of any name."""
        return ContainerImage(Path("/images") / sha256, ("/entry",), ("cmd",), "/work", {"A": "b"})

    def architecture(self, sha256: str) -> str:
        """x86_64 unless the test says otherwise."""
        return self.architectures.get(sha256, "x86_64")

    def prepare(self, sha256: str, uri: str, done: Callable[[ImageFailure | None], None]) -> None:
        """At once, or in :meth:`finish`."""
        del uri
        self._waiting.append((sha256, done))
        if not self.holds:
            self.finish()

    def finish(self) -> None:
        """Unpacks all that waits for it."""
        waiting, self._waiting = self._waiting, []
        for sha256, done in waiting:
            failure = self.failures.get(sha256)
            if failure is None:
                self.ready.add(sha256)
            done(failure)

    def release(
        self,
        released: Collection[str],
        is_used: Callable[[str], bool],
        *,
        now_s: float,
        grace_s: float,
    ) -> None:
        """Notes what nobody uses any longer."""
        del now_s, grace_s
        self.released |= {sha256 for sha256 in released if not is_used(sha256)}

    def collect(self, used: Collection[str]) -> None:
        """Only what is used stays."""
        self.ready &= set(used)
