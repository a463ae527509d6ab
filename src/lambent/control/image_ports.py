"""What the control plane asks of whoever unpacks container images."""

from collections.abc import Callable, Collection
from typing import Protocol

from lambent.model.errors import PlatformFault
from lambent.model.image import ContainerImage, ImageFailure


class Images(Protocol):
    """Unpacked images by the SHA-256 of their manifest."""

    def is_ready(self, sha256: str) -> bool: ...
    def image(self, sha256: str) -> ContainerImage:
        """Of an image that is ready. Raises PlatformFault where it is not."""
        ...

    def architecture(self, sha256: str) -> str:
        """Of an image that is ready, in AWS's words."""
        ...

    def prepare(self, sha256: str, uri: str, done: Callable[[ImageFailure | None], None]) -> None:
        """Has an image unpacked and then calls ``done``, on whichever thread, with what came in the way."""
        ...

    def release(
        self,
        released: Collection[str],
        is_used: Callable[[str], bool],
        *,
        now_s: float,
        grace_s: float,
    ) -> None:
        """As :meth:`lambent.store.code.CodeStore.release`."""
        ...

    def collect(self, used: Collection[str]) -> None:
        """When there are no environments: removes all but these."""
        ...


class NoImages:
    """Where there are none, and never will be: operations are refused before they come here."""

    def is_ready(self, sha256: str) -> bool:
        """None is."""
        del sha256
        return False

    def image(self, sha256: str) -> ContainerImage:
        """Raises PlatformFault."""
        raise PlatformFault(f"The image sha256:{sha256} is not unpacked on this host.")

    def architecture(self, sha256: str) -> str:
        """Of none."""
        del sha256
        return ""

    def prepare(self, sha256: str, uri: str, done: Callable[[ImageFailure | None], None]) -> None:
        """It cannot be."""
        del sha256
        done(ImageFailure("InternalError", f"There is nobody here to unpack {uri}."))

    def release(
        self,
        released: Collection[str],
        is_used: Callable[[str], bool],
        *,
        now_s: float,
        grace_s: float,
    ) -> None:
        """There is nothing to be removed."""

    def collect(self, used: Collection[str]) -> None:
        """There is nothing to be removed."""
