"""Images in a registry, over HTTP or HTTPS, by skopeo and with the credentials of its auth file."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lambent.model.errors import ClientFault, PlatformFault
from lambent.node.images import references
from lambent.node.images.blobs import read_bounded
from lambent.node.images.manifest import BadDocument, find_in_index
from lambent.node.images.references import ImageReference
from lambent.node.images.tools import Limits, ToolFailure, Tools

_INSPECT_DEADLINE_S = 30.0
_DENIED = ("unauthorized", "authentication required", "denied", "forbidden", "invalid username")
_MISSING = ("manifest unknown", "name unknown", "not found", "404")
_TIMES_RETRIED = "2"


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that is asked by skopeo: ``url`` of it, with a prefix of its repositories' names, if any."""

    url: str
    tools: Tools

    def has(self, reference: ImageReference) -> bool:
        """Only it can tell."""
        del reference
        return True

    def manifest(self, reference: ImageReference) -> bytes:
        """By skopeo, with the credentials of its auth file."""
        try:
            command = self._command("inspect", "--raw")
            place = self._place(reference)
            return self.tools.run([*command, place], Limits(_INSPECT_DEADLINE_S))
        except ToolFailure as error:
            raise self._told(reference, str(error)) from error

    def fetch(self, reference: ImageReference, blobs: Path, limits: Limits) -> bytes:
        """By skopeo, which checks every digest, into a layout of its own whose blobs are ``blobs``."""
        layout = blobs.parent / f"layout-{os.urandom(8).hex()}"
        command = self._command("copy", "--quiet", "--retry-times", _TIMES_RETRIED)
        sharing = ["--dest-shared-blob-dir", str(blobs.parent)]
        try:
            place = f"oci:{layout}:image"
            self.tools.run([*command, *sharing, self._place(reference), place], limits)
            found = find_in_index(read_bounded(layout / "index.json"), "image")
            if found is None:
                raise BadDocument("skopeo wrote no such image")
            return read_bounded(blobs / found.sha256)
        except ToolFailure as error:
            fault = self._told(reference, str(error))
            if isinstance(fault, ClientFault):
                raise fault from error
            raise
        finally:
            shutil.rmtree(layout, ignore_errors=True)

    def _command(self, *words: str) -> list[str]:
        safe = "true" if urlsplit(self.url).scheme == "https" else "false"
        flag = "--src-tls-verify" if words[0] == "copy" else "--tls-verify"
        return ["skopeo", *words, f"{flag}={safe}"]

    def _place(self, reference: ImageReference) -> str:
        split = urlsplit(self.url)
        prefix = split.path.strip("/")
        name = f"{prefix}/{reference.repository}" if prefix else reference.repository
        which = f"@sha256:{reference.digest}" if reference.digest else f":{reference.tag}"
        return f"docker://{split.netloc}/{name}{which}"

    def _told(self, reference: ImageReference, said: str) -> ClientFault | PlatformFault:
        """What skopeo says of a registry's answer, as AWS says it."""
        low = said.lower()
        if any(word in low for word in _DENIED):
            return references.access_denied()
        if any(word in low for word in _MISSING):
            return references.does_not_exist(reference.uri)
        return PlatformFault(f"The registry {self.url} cannot be asked: {said}")
