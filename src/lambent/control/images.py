"""``PackageType`` Image: what may be set of such a function, and the image that is its code.

Source: "Create a Lambda function using a container image" (AWS Lambda); texts from where each says.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lambent.control.plane import ControlPlane
from lambent.model.call import Call
from lambent.model.errors import AwsError, ClientFault, invalid_parameter
from lambent.model.function import CodeRef, FunctionVersion
from lambent.model.image import (
    ContainerImage,
    FoundImage,
    ImageCode,
    ImageConfig,
    ImageFailure,
    ServingImage,
)


def is_image(parameters: Mapping[str, Any]) -> bool:
    """Whether ``CreateFunction`` is to make a function of an image."""
    return parameters.get("PackageType") == "Image"


def check_settings(parameters: Mapping[str, Any], *, of_image: bool) -> None:
    """Raises ``InvalidParameterValueException`` for settings that go with the other type of package."""
    if of_image:
        if any(parameters.get(member) for member in ("Handler", "Runtime", "Layers")):
            # Source: pulumi/pulumi-aws#5439.
            raise invalid_parameter(
                "Please don't provide Handler or Runtime or Layer when the intended function "
                "PackageType is Image."
            )
        if parameters.get("CodeSigningConfigArn"):
            # Source of the rule: "Code signing … isn't supported for functions defined as
            # container images". The text is the best known.
            raise invalid_parameter(
                "Code signing is not supported for functions created with container images."
            )
    elif image_config(parameters) not in (None, ImageConfig()):
        raise invalid_parameter(  # best known
            "Please don't provide ImageConfig when the intended function PackageType is Zip."
        )


def check_update(latest: FunctionVersion, parameters: Mapping[str, Any]) -> None:
    """Raises ``InvalidParameterValueException`` for code of the other type of package.

    Source: appleboy/lambda-action#28; umihico/pythonista-chromeless#19.
    """
    has_uri = bool(parameters.get("ImageUri"))
    if latest.image is None and has_uri:
        raise invalid_parameter(
            "Please don't provide ImageUri when updating a function with packageType Zip."
        )
    if latest.image is not None and not has_uri:
        raise invalid_parameter(
            "Please provide ImageUri when updating a function with packageType Image."
        )


def image_code(
    call: Call, source: Mapping[str, Any], config: ImageConfig | None = None
) -> tuple[CodeRef, ImageCode]:
    """The image that a request names, as it was looked up before; with what the function changes of it.

    Raises ``InvalidParameterValueException`` where it names none, and what looking it up met.
    """
    found, uri = call.fetched_code, source.get("ImageUri")
    if isinstance(found, AwsError):
        raise found
    if not uri or not isinstance(found, FoundImage):
        raise invalid_parameter("Please provide a source for function code.")
    if any(source.get(member) for member in ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion")):
        raise invalid_parameter(  # best known
            "Please do not provide other FunctionCode parameters when providing an ImageUri."
        )
    # AWS: the size of an image is not told.
    return CodeRef(found.sha256, 0, 0), ImageCode(
        uri, found.resolved_uri, config or image_config(call.parameters) or ImageConfig()
    )


def image_config(parameters: Mapping[str, Any]) -> ImageConfig | None:
    """``ImageConfig`` as it is given; None where it is not."""
    given = parameters.get("ImageConfig")
    if given is None:
        return None
    return ImageConfig(
        tuple(given.get("EntryPoint") or ()),
        tuple(given.get("Command") or ()),
        given.get("WorkingDirectory") or "",
    )


def shown_image_config(config: ImageConfig) -> dict[str, Any]:
    """``ImageConfigResponse`` as answers have it; empty where nothing is changed."""
    members = {
        "EntryPoint": list(config.entry_point),
        "Command": list(config.command),
        "WorkingDirectory": config.working_directory,
    }
    shown = {member: value for member, value in members.items() if value}
    return {"ImageConfig": shown} if shown else {}


def started_image(image: ContainerImage, config: ImageConfig) -> ContainerImage:
    """An unpacked image as a function starts it: each setting that is given takes the place of the image's."""
    return replace(
        image,
        entry_point=config.entry_point or image.entry_point,
        command=config.command or image.command,
        working_directory=config.working_directory or image.working_directory,
    )


def still_serving(latest: FunctionVersion) -> ServingImage | None:
    """What a function goes on running while its next image is being unpacked; None where it runs nothing."""
    if latest.serving is not None or latest.image is None:
        return latest.serving
    if latest.state != "Active":
        return None
    return ServingImage(latest.code.sha256, latest.image, latest.config_revision)


def wrong_architecture(plane: ControlPlane, version: FunctionVersion) -> ImageFailure | None:
    """Why an unpacked image cannot be this function's. AWS finds out when it starts it; the text is ours."""
    found = plane.images.architecture(version.code.sha256)
    if found == version.architecture:
        return None
    return ImageFailure(
        "InvalidImage",
        f"The image is for {found or 'no architecture'}, the function for {version.architecture}.",
    )


def not_signed(version: FunctionVersion) -> ClientFault | None:
    """Why a function cannot be given a code signing configuration."""
    if version.image is None:
        return None
    return invalid_parameter(
        "Code signing is not supported for functions created with container images."
    )
