"""The URIs of images, as Lambda takes them: of a repository in Amazon ECR, with a tag or a digest. Pure."""

import re
from dataclasses import dataclass, replace

from lambent.model.errors import ClientFault, invalid_parameter

_COMPONENT = "[a-z0-9]+(?:(?:\\.|_{1,2}|-+)[a-z0-9]+)*"
_URI = re.compile(
    r"(?P<host>\d{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]{1,40}\.amazonaws\.com(?:\.cn)?)"
    rf"/(?P<repository>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@sha256:(?P<digest>[0-9a-f]{64}))?"
)
"""Source: the grammar of references of the distribution specification, behind the host names of ECR."""
_MAX_URI = 1_024
_MAX_REPOSITORY = 256
"""Source: ECR's ``CreateRepository``."""


@dataclass(frozen=True, slots=True)
class ImageReference:
    """The parts of a URI; ``digest`` is the SHA-256 in hex, and counts where a tag is given too."""

    uri: str
    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def resolved_uri(self) -> str:
        """By digest, as ``ResolvedImageUri`` has it."""
        return f"{self.host}/{self.repository}@sha256:{self.digest}"

    def at(self, digest: str) -> "ImageReference":
        """The manifest of that digest in the same repository."""
        return replace(self, digest=digest)


def parse_image_uri(uri: str) -> ImageReference:
    """Raises ``InvalidParameterValueException`` for what names no image in ECR.

    AWS: without a tag and a digest a URI is not valid either. Source of the text: many reports
    (hashicorp/terraform#27963, among others).
    """
    match = _URI.fullmatch(uri) if len(uri) <= _MAX_URI else None
    if match is None or not (match["tag"] or match["digest"]):
        raise not_valid(uri)
    if len(match["repository"]) > _MAX_REPOSITORY:
        raise not_valid(uri)
    parts = (match["host"], match["repository"], match["tag"] or "", match["digest"] or "")
    return ImageReference(uri, *parts)


def not_valid(uri: str) -> ClientFault:
    """What the URI is, is no image."""
    return invalid_parameter(f"Source image {uri} is not valid. Provide a valid source image.")


def does_not_exist(uri: str) -> ClientFault:
    """Source: aws/aws-cdk#24648."""
    return invalid_parameter(f"Source image {uri} does not exist. Provide a valid source image.")


def not_supported(uri: str) -> ClientFault:
    """An index of several images, or a manifest of some other kind. Source: reports of Docker's users."""
    return invalid_parameter(
        "The image manifest, config or layer media type for the source image "
        f"{uri} is not supported."
    )


def access_denied() -> ClientFault:
    """Source: reports of ECR's users."""
    return ClientFault(
        "AccessDeniedException",
        "Lambda does not have permission to access the ECR image. Check the ECR permissions.",
        403,
    )
