"""What is asked of a place that images come from."""

from pathlib import Path
from typing import Protocol

from lambent.node.images.references import ImageReference
from lambent.node.images.tools import Limits


class Source(Protocol):
    """A place that images come from."""

    def has(self, reference: ImageReference) -> bool:
        """Whether it has the repository, or may have it."""
        ...

    def manifest(self, reference: ImageReference) -> bytes:
        """The manifest that a reference names now.

        Raises ClientFault, as AWS answers it, or PlatformFault where the place cannot be asked.
        """
        ...

    def fetch(self, reference: ImageReference, blobs: Path, limits: Limits) -> bytes:
        """Puts all blobs of the image (by digest) into ``blobs``, those there already excepted; its manifest then.

        That may be another one than :meth:`manifest` gave, of another format. Raises BlobMissing, BadDocument,
        ToolFailure, OSError, and what ``limits.check`` raises.
        """
        ...
