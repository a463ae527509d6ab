"""The AWS client behind the commands: boto3 against one Lambent, and its errors in words.

1. The endpoint is ``--endpoint``, else ``AWS_ENDPOINT_URL``, else ``http://127.0.0.1:4566``.
2. Credentials are the caller's own; ``test``/``test`` where none are set. Instance metadata is
   never asked.
3. Connecting is given two seconds and no retry: a platform on this machine answers at once
   or is not there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from lambent.cli.failures import EXIT_USAGE, CliError
from lambent.cli.options import DEFAULT_ENDPOINT

DEFAULT_REGION = "us-east-1"
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 60.0
INVOKE_READ_TIMEOUT_S = 930.0
"""The longest function timeout (900 s) and its cold start."""


def checked_endpoint(url: str) -> str:
    """``url`` without its last slash. Raises CliError when it is no http(s) URL."""
    try:
        split = urlsplit(url)
        usable = split.scheme in {"http", "https"} and bool(split.hostname) and split.port != 0
    except ValueError:  # a port that is none
        usable = False
    if not usable:
        raise CliError(
            f"{url} is not an endpoint.", f"Give a URL such as {DEFAULT_ENDPOINT}.", EXIT_USAGE
        )
    return url.rstrip("/")


@contextmanager
def connected(service: str, endpoint: str, read_timeout_s: float = READ_TIMEOUT_S) -> Iterator[Any]:
    """A boto3 client of ``service`` (``lambda``, ``logs``), closed at the end."""
    import boto3  # noqa: PLC0415 - 160 ms that `lambent up` and `--help` do not need
    import botocore.session  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    core = botocore.session.get_session()
    core.get_component("credential_provider").remove("iam-role")
    session = boto3.Session(botocore_session=core)
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"total_max_attempts": 1},
        proxies={},  # a proxy for the internet has no way back to this machine
    )
    if session.get_credentials() is None:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    else:
        keys = {}
    client = session.client(
        service,
        endpoint_url=checked_endpoint(endpoint),
        region_name=session.region_name or DEFAULT_REGION,
        config=config,
        **keys,
    )
    client.meta.events.register("after-call", _refuse_strangers)
    try:
        yield client
    finally:
        client.close()


def signed_headers(url: str, method: str = "GET", body: bytes = b"") -> dict[str, str]:
    """The headers of a call of the platform's own endpoint: signed with the caller's credentials, none without."""
    import botocore.session  # noqa: PLC0415
    from botocore.auth import SigV4Auth  # noqa: PLC0415
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415

    core = botocore.session.get_session()
    core.get_component("credential_provider").remove("iam-role")
    credentials = core.get_credentials()
    if credentials is None:
        return {}
    request = AWSRequest(method, url, data=body)
    region = core.get_config_variable("region") or DEFAULT_REGION
    SigV4Auth(credentials, "lambda", region).add_auth(request)
    return dict(request.headers.items())


def _refuse_strangers(http_response: Any, **_: object) -> None:
    """AWS: every answer has a request id; what sends none is some other server at that port."""
    if "x-amzn-requestid" not in http_response.headers:
        http_response.raw.close()  # a payload nobody will read
        raise CliError(
            f"What answers at {_origin(http_response.url)} is not Lambent.",
            "Check --endpoint and AWS_ENDPOINT_URL.",
            EXIT_USAGE,
        )


def no_platform(url: str) -> CliError:
    """Nothing answers at ``url``."""
    return CliError(f"No Lambent at {url}. Start it with: lambent up")


def explain(error: Exception) -> CliError | None:
    """An SDK error in words; None for what the SDK did not raise."""
    from botocore import exceptions as sdk  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    failure: CliError | None = None
    match error:
        case (
            sdk.ConnectTimeoutError() | sdk.EndpointConnectionError() | sdk.ConnectionClosedError()
        ):
            url = str(error.kwargs.get("endpoint_url", DEFAULT_ENDPOINT))
            failure = no_platform(_origin(url))
        case sdk.ReadTimeoutError():
            remedy = "See whether it is well: lambent doctor"
            failure = CliError("The platform did not answer in time.", remedy)
        case sdk.ClientError():
            failure = _refusal(error.response, str(error))
        case sdk.ParamValidationError():
            failure = CliError(str(error), exit_code=EXIT_USAGE)
        case sdk.HTTPClientError() | sdk.SSLError() | ResponseParserError():
            failure = CliError(str(error), "Check --endpoint and AWS_ENDPOINT_URL.")
        case sdk.BotoCoreError():
            failure = CliError(str(error), "Check AWS_PROFILE, AWS_REGION and ~/.aws.")
    return failure


def _refusal(response: Any, text: str) -> CliError:
    """AWS's code and message, and the remedy where we know one."""
    code = str(response.get("Error", {}).get("Code", ""))
    message = str(response.get("Error", {}).get("Message", text))
    remedies = {
        "ResourceNotFoundException": "See what there is: lambent ls",
        "TooManyRequestsException": "All environments are busy. Try again.",
        "RequestEntityTooLargeException": "Keep the data elsewhere and pass a reference to it.",
    }
    return CliError(f"{code}: {message}", remedies.get(code, ""))


def _origin(url: str) -> str:
    """``http://host:port`` of a URL."""
    return "/".join(url.split("/")[:3])
