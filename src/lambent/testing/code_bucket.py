"""A bucket with code in it, for the platform's own :class:`lambent.neighbours.code_objects.CodeObjects`.

``code`` holds ``f.zip`` in the version ``v1``; S3's errors are as moto and AWS word them.
"""

from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar, cast

from lambent.model.errors import AwsError, ClientFault
from lambent.neighbours.api import NeighbourApi
from lambent.neighbours.code_objects import CodeObjects

T = TypeVar("T")


class CodeBucket:
    """Is the part of :class:`lambent.neighbours.api.NeighbourApi` that is asked for objects."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any], **more: Any
    ) -> Mapping[str, Any]:
        """``GetObject``. Raises S3's errors."""
        del service, more
        if operation != "GetObject":
            raise AssertionError(operation)
        if parameters["Bucket"] != "code":
            raise ClientFault("NoSuchBucket", "The specified bucket does not exist", 404)
        if parameters["Key"] != "f.zip":
            raise ClientFault("NoSuchKey", "The specified key does not exist.", 404)
        if parameters.get("VersionId", "v1") != "v1":
            raise ClientFault("NoSuchVersion", "The specified version does not exist.", 404)
        return {"Body": self._content}

    def fetch(self, operation: str, parameters: Mapping[str, Any]) -> bytes | AwsError:
        """What the edge fetches for a call that names an object."""
        objects = CodeObjects(cast("NeighbourApi", self), embedded=False)
        return _at_once(objects.fetch(operation, parameters, "000000000000", "us-east-1"))


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waited")
