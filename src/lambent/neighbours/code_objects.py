"""Code from S3: the object that a request names, fetched through the neighbour that serves S3.

The texts are AWS's as best known; they were not compared with a recording.
"""

from collections.abc import Mapping
from typing import Any, Final

from lambent.model import limits
from lambent.model.errors import AwsError, ClientFault, PlatformFault, invalid_parameter, not_yet
from lambent.neighbours.api import NeighbourApi

DEADLINE_S: Final = 60.0
_FETCHED: Final = {
    "CreateFunction": "Code",
    "UpdateFunctionCode": "",
    "PublishLayerVersion": "Content",
}
"""Operation → the structure of its input that names an object."""
_HEAD_DEADLINE_S: Final = 15.0


def names_object(operation: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a call's code is to be fetched."""
    return bool(_source(operation, parameters).get("S3Bucket"))


class CodeObjects:
    """Fetches on the loop, never on the control thread."""

    def __init__(self, api: NeighbourApi, *, embedded: bool) -> None:
        self._api = api
        self._embedded = embedded

    async def fetch(
        self, operation: str, parameters: Mapping[str, Any], account_id: str, region: str
    ) -> bytes | AwsError:
        """The object, or the error that the operation is to raise when it comes to its code."""
        source = _source(operation, parameters)
        if not source.get("S3Key"):
            return invalid_parameter("Please provide a source for function code.")
        try:
            if self._embedded:
                await self._check_region(source["S3Bucket"], account_id, region)
            return await self._get(source, account_id, region)
        except PlatformFault as fault:
            return fault
        except AwsError as error:
            return _told(error, source)

    async def _get(self, source: Mapping[str, Any], account_id: str, region: str) -> bytes:
        wanted = {"Bucket": source["S3Bucket"], "Key": source["S3Key"]}
        if source.get("S3ObjectVersion"):
            wanted["VersionId"] = source["S3ObjectVersion"]
        found = await self._api.call(
            "s3",
            "GetObject",
            wanted,
            account_id=account_id,
            region=region,
            deadline_s=DEADLINE_S,
            max_bytes=limits.UNZIPPED.value,
        )
        body: bytes = found["Body"]
        return body

    async def _check_region(self, bucket: str, account_id: str, region: str) -> None:
        """AWS: the bucket is in the function's region. Real endpoints say so themselves."""
        try:
            found = await self._api.call(
                "s3",
                "HeadBucket",
                {"Bucket": bucket},
                account_id=account_id,
                region=region,
                deadline_s=_HEAD_DEADLINE_S,
            )
        except ClientFault:
            return  # GetObject says it in words
        there = found.get("BucketRegion") or region
        if there != region:
            text = f"The bucket is in this region: {there}. Please use this region to retry the request"
            raise ClientFault("PermanentRedirect", text, 301)


def _source(operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    member = _FETCHED.get(operation)
    if member is None:
        return {}
    source: Mapping[str, Any] = parameters.get(member) or {} if member else parameters
    return source


def _told(error: AwsError, source: Mapping[str, Any]) -> AwsError:
    """S3's error in Lambda's words."""
    if error.status == 501:
        return not_yet("S3Bucket without an S3: see `lambent up --neighbour`; it")
    if error.status >= 500:
        return error
    if error.code == "AccessDenied":
        return ClientFault(
            "AccessDeniedException",
            "Your access has been denied by S3, please make sure your request credentials have "
            f"permission to GetObject for {source['S3Bucket']}/{source['S3Key']}. "
            f"S3 Error Code: {error.code}. S3 Error Message: {error.message}",
            403,
        )
    message = error.message
    if message and not message.endswith(".") and error.code == "NoSuchKey":
        message += "."
    return invalid_parameter(
        f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {message}"
    )
