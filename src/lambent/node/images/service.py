"""Container images for the rest of the platform: what a URI names, and an unpacked root when that is wanted.

Contract: 1. :meth:`ContainerImages.find` is awaited on the loop and waits elsewhere. 2. Images are unpacked on a
thread of its own, one after the other; ``done`` is called there, once, unless the platform stops. 3. An image
nobody refers to goes ``grace_s`` after it was released, for environments that still run from it.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from lambent.model.errors import AwsError, ClientFault, PlatformFault, not_yet
from lambent.model.image import ContainerImage, FoundImage, ImageFailure
from lambent.node.images import references
from lambent.node.images.blobs import BlobMissing
from lambent.node.images.manifest import BadDocument, read_manifest
from lambent.node.images.references import ImageReference, parse_image_uri
from lambent.node.images.source import Source
from lambent.node.images.store import ImageStore, NoRoom, TooLarge
from lambent.node.images.tools import Stopped, ToolFailure, Tools
from lambent.node.images.tools import obstacle as missing_tools

_FINDING = 2
"""POLICY: URIs that are looked up at once."""
_NOWHERE = (
    "container images on a platform that was told of none (run: lambent up --images DIRECTORY, or "
    "--registry URL);"
)
_TOO_LARGE = "SizeLimitExceeded: Uncompressed container image size exceeds 10 GiB limit"
"""Source: aws-samples/aws-genai-llm-chatbot#59."""
_log = logging.getLogger("lambent.images")

Done = Callable[[ImageFailure | None], None]


class ContainerImages:
    """See the module. ``sources`` are asked in their order; the first that has a repository is the one."""

    def __init__(
        self,
        store: ImageStore,
        sources: Sequence[Source],
        tools: Tools,
        obstacle: Callable[[], str | None] = missing_tools,
    ) -> None:
        self._store = store
        self._sources = sources
        self._tools = tools
        self._obstacle = obstacle
        self.not_isolated: str | None = None
        """Set where functions are plain processes, which have no root of their own."""
        self._finders = ThreadPoolExecutor(_FINDING, "lambent-image-find")
        self._worker = ThreadPoolExecutor(1, "lambent-image")
        self._waiting: dict[str, list[Done]] = {}
        self._lock = Lock()
        self._unused_since: dict[str, float] = {}

    def obstacle(self) -> str | None:
        """Why functions cannot be made of images here; None where they can."""
        return self.not_isolated or self._obstacle() or (None if self._sources else _NOWHERE)

    async def find(self, uri: str) -> FoundImage | AwsError:
        """What a URI names now, or what the operation is to raise that was given it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._finders, self._find, uri)

    def _find(self, uri: str) -> FoundImage | AwsError:
        try:
            return self._found(uri)
        except AwsError as error:
            return error
        except Stopped:
            return PlatformFault("The platform stops.")

    def _found(self, uri: str) -> FoundImage:
        """Raises what AWS answers where there is none, or none that is supported."""
        obstacle = self.obstacle()
        if obstacle:
            raise not_yet(obstacle)
        reference = parse_image_uri(uri)
        data = self._source(reference).manifest(reference)
        sha256 = hashlib.sha256(data).hexdigest()
        if reference.digest and reference.digest != sha256:
            raise references.not_valid(uri)
        try:
            read_manifest(data)
        except BadDocument as error:
            raise references.not_supported(uri) from error
        return FoundImage(sha256, reference.at(sha256).resolved_uri)

    def _source(self, reference: ImageReference) -> Source:
        for source in self._sources:
            if source.has(reference):
                return source
        raise references.does_not_exist(reference.uri)

    def is_ready(self, sha256: str) -> bool:
        """Whether an image is unpacked."""
        return self._store.is_ready(sha256)

    def image(self, sha256: str) -> ContainerImage:
        """Of an image that is unpacked. Raises PlatformFault where it is not."""
        return self._store.image(sha256)

    def architecture(self, sha256: str) -> str:
        """Of an image that is unpacked; an operating system other than Linux is told with it."""
        architecture, system = self._store.platform(sha256)
        return architecture if system in ("linux", "") else f"{system}/{architecture}"

    def prepare(self, sha256: str, uri: str, done: Done) -> None:
        """Has an image unpacked and then ``done`` called, with what came in the way, if anything did."""
        with self._lock:
            waiting = self._waiting.setdefault(sha256, [])
            waiting.append(done)
            if len(waiting) > 1:
                return
        self._worker.submit(self._prepare, sha256, uri)

    def _prepare(self, sha256: str, uri: str) -> None:
        try:
            failure = self._attempt(sha256, uri)
        except Stopped:
            return
        except Exception:
            _log.exception("an image could not be unpacked")
            failure = ImageFailure("InternalError", "The image could not be unpacked.")
        with self._lock:
            waiting = self._waiting.pop(sha256, [])
        for done in waiting:
            done(failure)

    def _attempt(self, sha256: str, uri: str) -> ImageFailure | None:
        """Unpacks. Raises Stopped, and what nobody expects."""
        try:
            reference = parse_image_uri(uri).at(sha256)
            self._store.prepare(sha256, reference, self._source(reference))
        except (ClientFault, BlobMissing) as error:
            return _refused(uri, error)
        except TooLarge:
            return ImageFailure("InvalidImage", _TOO_LARGE)
        except (BadDocument, ToolFailure) as error:
            return ImageFailure("InvalidImage", f"The image cannot be unpacked: {error}")
        except (PlatformFault, NoRoom, OSError) as error:
            return ImageFailure("InternalError", str(error))
        return None

    def release(
        self,
        released: Collection[str],
        is_used: Callable[[str], bool],
        *,
        now_s: float,
        grace_s: float,
    ) -> None:
        """Looks at what was just ``released``, and removes what was ``grace_s`` ago and is not used."""
        for sha256 in released:
            self._unused_since.pop(sha256, None)  # the dictionary is in the order of release
            self._unused_since[sha256] = now_s
        gone = False
        for sha256, since_s in tuple(self._unused_since.items()):
            if now_s - since_s < grace_s:
                break
            del self._unused_since[sha256]
            if not is_used(sha256):
                self._store.forget(sha256)
                gone = True
        if gone:
            self._worker.submit(self._store.sweep)

    def collect(self, used: Collection[str]) -> None:
        """When there are no environments: removes all that is not ``used``."""
        for sha256 in self._store.known():
            if sha256 not in used:
                self._store.forget(sha256)
        self._unused_since.clear()
        self._worker.submit(self._store.sweep)

    def close(self) -> None:
        """Ends what runs. Waits for it; not on the loop's thread."""
        self._tools.stop()
        self._worker.shutdown(cancel_futures=True)
        self._finders.shutdown(cancel_futures=True)


def _refused(uri: str, error: ClientFault | BlobMissing) -> ImageFailure:
    """The image was there when the function was made of it."""
    if isinstance(error, ClientFault) and error.code == "AccessDeniedException":
        return ImageFailure("ImageAccessDenied", error.message)
    return ImageFailure("ImageDeleted", references.does_not_exist(uri).message)
