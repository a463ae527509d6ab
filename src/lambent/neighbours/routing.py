"""Which requests are for neighbours, and how they are rewritten for them. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote_plus, urlsplit

from lambent.model.http import HttpRequest
from lambent.wire import router
from lambent.wire.sigv4_scope import parse_scope

MARK = "x-lambent-neighbour"
_HOP = frozenset(
    [
        *("connection", "content-length", "expect", "host", "http2-settings", "keep-alive"),
        *("te", "trailer", "transfer-encoding", "upgrade", "x-moto-account-id", MARK),
    ]
)
"""Of one connection only, made anew for the next, or ours to say."""
_SIGNATURE = frozenset(["authorization", "x-amz-date", "x-amz-security-token"])
_BUCKET_HOST = re.compile(r"^([a-z0-9][a-z0-9.-]*)\.(?:s3[.-][^:]*|localhost)(?::\d+)?$")
_SERVICE_HOST = re.compile(r"^s3[.-]")
_SERVICE_NAME = re.compile(r"^[a-z0-9][a-z0-9-]*$")
_UNSIGNED = ",unsigned"
_PORTS = {"http": 80, "https": 443}
_BROKER_PORTS = {"amqp": 5672, "amqps": 5671}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A real endpoint. ``signed``: with the operator's credentials; else without any signature.

    A broker (of the service ``mq``) speaks AMQP: nothing of HTTP is sent there.
    """

    url: str
    tls: bool
    host: str
    port: int
    signed: bool = True

    @property
    def is_broker(self) -> bool:
        """Whether it speaks AMQP."""
        return self.url.startswith("amqp")

    @property
    def host_header(self) -> str:
        """As clients write it: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def parse_neighbour(text: str) -> tuple[str, Endpoint]:
    """``s3=https://s3.example:9000[,unsigned]``, ``mq=amqp://rabbit.example:5672`` → service and endpoint.

    Raises ValueError, saying why.
    """
    service, _, url = text.partition("=")
    if not _SERVICE_NAME.match(service):
        raise ValueError(f"{service!r} is no service; like s3=https://minio.example:9000")
    signed = not url.endswith(_UNSIGNED)
    url = url.removesuffix(_UNSIGNED)
    parts = urlsplit(url)
    ports = _PORTS | (_BROKER_PORTS if service == "mq" else {})
    if parts.scheme not in ports or not parts.hostname:
        known = " or ".join(("http", "https") if service != "mq" else ports)
        raise ValueError(f"{url!r} is no {known} URL")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{url!r} has more than a scheme, a host and a port")
    tls = parts.scheme in {"https", "amqps"}
    return service, Endpoint(
        url.rstrip("/"), tls, parts.hostname, parts.port or ports[parts.scheme], signed
    )


def service_of(request: HttpRequest) -> str | None:
    """The service a request is for; None where it does not say."""
    named = router.named_service(request)
    if named is not None:
        return named
    scope = parse_scope(request)
    if scope is not None:  # X-Amz-Target of a service without an entry in the router's table
        return scope.service or None
    target = request.headers.get("x-amz-target", "")
    if target.startswith("AWSCognitoIdentityProviderService."):
        return "cognito-idp"  # AWS: SignUp, InitiateAuth and their like are not signed
    if target.startswith("AWSCognitoIdentityService."):
        return "cognito-identity"
    if "AWSAccessKeyId=" in request.query and "Signature=" in request.query:
        return "s3"  # AWS: S3 alone still takes URLs presigned by version 2 of signatures
    host = request.headers.get("host", "").lower()
    return "s3" if bucket_of_host(host) or _SERVICE_HOST.match(host) else None


def bucket_of_host(host: str) -> str | None:
    """The bucket in ``bucket.s3.…`` or ``bucket.localhost:4566``, which boto3 makes of localhost."""
    found = _BUCKET_HOST.match(host.lower())
    return found[1] if found and found[1] != "s3" and not _SERVICE_HOST.match(host) else None


def in_path_style(service: str, request: HttpRequest) -> HttpRequest:
    """An S3 request with its bucket in the path, where the host named it."""
    bucket = bucket_of_host(request.headers.get("host", "")) if service == "s3" else None
    return replace(request, path=f"/{bucket}{request.path}") if bucket else request


def forwarded_headers(request: HttpRequest, *, signature: bool = True) -> list[tuple[str, str]]:
    """The headers that go on; without those of the client's signature unless ``signature``."""
    dropped = _HOP if signature else _HOP | _SIGNATURE
    return [(name, value) for name, value in request.headers.items() if name not in dropped]


def without_signature(query: str) -> str:
    """A presigned URL's query without the parameters of its signature."""
    names = {
        *("AWSAccessKeyId", "Expires", "Signature", "x-amz-security-token"),
        *(
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-Security-Token",
        ),
        *("X-Amz-Signature", "X-Amz-SignedHeaders"),
    }
    kept = [part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in names]
    return "&".join(kept)


def returned_headers(headers: Iterable[tuple[str, str]], neighbour: str) -> list[tuple[str, str]]:
    """The answer's headers as the client gets them, with who answered."""
    kept = [(name, value) for name, value in headers if name not in _HOP]
    return [*kept, (MARK, neighbour)]


def target_of(request: HttpRequest) -> str:
    """Path and query, as they stand in the request line."""
    return f"{request.path}?{request.query}" if request.query else request.path


def is_of_moto_itself(request: HttpRequest) -> bool:
    """Whether moto would take it as one to itself, not to a service: those are not for clients."""
    return request.path.startswith(("/moto-api", "/latest/meta-data/", "/latest/api/"))


Endpoints = Mapping[str, Endpoint]
