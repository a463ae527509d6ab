"""What a control operation names as its code, got before the operation takes its turn on the control thread."""

import asyncio
from typing import Protocol

from lambent.model.call import Call
from lambent.model.errors import AwsError
from lambent.model.http import HttpRequest
from lambent.model.image import FoundImage
from lambent.neighbours.code_objects import CodeObjects, names_object

MAX_FETCHING = 2
"""POLICY: code fetched from S3 at once; each may take 250 MB of memory."""
_MAX_NAMING_BYTES = 256 * 1024


class ImageFinder(Protocol):
    """Knows container images by their URI."""

    async def find(self, uri: str) -> FoundImage | AwsError:
        """The image, or the error that the operation is to raise."""
        ...


class CodeSources:
    """Objects in S3, and container images. What is wrong is for the operation to raise, in its turn."""

    def __init__(self, objects: CodeObjects, images: ImageFinder) -> None:
        self._objects = objects
        self._images = images
        self._fetching = asyncio.Semaphore(MAX_FETCHING)

    async def fetch(self, call: Call) -> bytes | FoundImage | AwsError | None:
        """The code; None for a call that names none."""
        uri = image_uri(call)
        if uri:
            return await self._images.find(uri)
        if names_object(call.operation, call.parameters):
            place = (call.caller.account_id, call.caller.region)
            async with self._fetching:
                return await self._objects.fetch(call.operation, call.parameters, *place)
        return None


def may_name_code(request: HttpRequest) -> bool:
    """Whether it is worth decoding on the loop: a request with a zip is not, and names none."""
    body = request.body
    return len(body) <= _MAX_NAMING_BYTES and (b"S3Bucket" in body or b"ImageUri" in body)


def image_uri(call: Call) -> str:
    """The image that a call names; empty where it names none, or will be refused before that matters."""
    if call.operation == "CreateFunction" and call.parameters.get("PackageType") == "Image":
        return (call.parameters.get("Code") or {}).get("ImageUri") or ""
    if call.operation == "UpdateFunctionCode":
        return call.parameters.get("ImageUri") or ""
    return ""
