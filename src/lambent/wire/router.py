"""Which service and operation a request asks for, and in which protocol.

In order: rpc-v2-cbor's path, ``X-Amz-Target``, and then by the service (of the SigV4 scope, the
host, the query ``Version`` or Lambda's dated paths) its REST routes or the ``Action`` of a query
request.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lambent.model.http import HttpRequest
from lambent.wire import models
from lambent.wire.bindings import parse_query
from lambent.wire.faults import unknown_operation
from lambent.wire.routes import route_table
from lambent.wire.sigv4_scope import parse_scope

_RPC_V2 = re.compile(r"/service/([^/]+)/operation/([^/]+)/?$")
_DATED_PATH = re.compile(r"^/20\d\d-\d\d-\d\d/")
_HOST_SERVICE = re.compile(
    r"^(?:[a-z0-9.-]+\.)?([a-z0-9-]+)\.(?:[a-z]{2}-[a-z-]+-\d\.)?(?:amazonaws\.com|localhost)"
)
_VIRTUAL_BUCKET = re.compile(r"^(.+)\.s3[.-]")
_LINKED_ACTIONS = frozenset({"ConfirmSubscription", "Unsubscribe"})
"""AWS: the links in SNS's messages tell no version."""
_HEAD_BYTES = 1024
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for. ``operation`` is "" when only the service is known (see
    ``guess``)."""

    service: str
    operation: str
    protocol: str
    path_params: Mapping[str, str] = field(default_factory=dict)


def identify(request: HttpRequest) -> Target:
    """The operation ``request`` asks for.

    Raises 501 ``UnknownOperationException``, naming the operation or the method and path.
    """
    headers = request.headers
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return _by_rpc_path(request)
    wanted = headers.get("x-amz-target")
    if wanted is not None:
        return _by_target_header(request, wanted)
    service = _service(request)
    model = models.service_model(service) if service is not None else None
    if model is None or service is None:
        raise unknown_operation(f"{request.method} {request.path}")
    protocols = models.protocols_of(model)
    if protocols[0].startswith("rest-"):
        return _by_route(request, service, model, protocols[0])
    action = _query_parameters(request).get("Action")
    if action is None or not {"query", "ec2"} & set(protocols):
        raise unknown_operation(action or f"{request.method} {request.path}")
    protocol = "query" if "query" in protocols else "ec2"
    return _known(service, action, protocol)


def guess(request: HttpRequest) -> Target | None:
    """The service and protocol an unidentified request seems to speak, for the shape of its
    error."""
    headers = request.headers
    service = _service_of_scope(request)
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return Target(service or "cloudwatch", "", "smithy-rpc-v2-cbor")
    wanted = headers.get("x-amz-target")
    if wanted is not None:
        service = models.SERVICE_BY_TARGET_PREFIX.get(wanted.rpartition(".")[0]) or service
        return Target(service or "", "", "json")
    service = service or _service(request)
    model = models.service_model(service) if service is not None else None
    if model is None or service is None:
        return None
    protocols = models.protocols_of(model)
    if "query" in protocols and not headers.get("content-type", "").startswith("application/x-amz"):
        return Target(service, "", "query")
    return Target(service, "", protocols[0])


def named_service(request: HttpRequest) -> str | None:
    """The service ``request`` names, read off tables only: no model is loaded, so none may exist.

    Of a form's body only the beginning is looked at, where every SDK puts ``Action`` and ``Version``.
    """
    wanted = request.headers.get("x-amz-target")
    if wanted is not None:
        return models.SERVICE_BY_TARGET_PREFIX.get(wanted.rpartition(".")[0])
    scope = parse_scope(request)
    if scope is not None:
        return models.SERVICE_BY_SIGNING_NAME.get(scope.service, scope.service)
    return _service_of_query(replace(request, body=request.body[:_HEAD_BYTES]))


def _by_rpc_path(request: HttpRequest) -> Target:
    found = _RPC_V2.search(request.path)
    if found is None:
        raise unknown_operation(f"{request.method} {request.path}")
    prefix, operation = found[1], found[2]
    service = models.SERVICE_BY_TARGET_PREFIX.get(prefix) or _service_of_scope(request)
    model = models.service_model(service) if service is not None else None
    if service is None or model is None or "smithy-rpc-v2-cbor" not in models.protocols_of(model):
        raise unknown_operation(f"{prefix}.{operation}")
    return _known(service, operation, "smithy-rpc-v2-cbor")


def _by_target_header(request: HttpRequest, wanted: str) -> Target:
    prefix, _, operation = wanted.rpartition(".")
    service = models.SERVICE_BY_TARGET_PREFIX.get(prefix) or _service_of_scope(request)
    model = models.service_model(service) if service is not None else None
    if (
        service is None
        or model is None
        or model.metadata.get("targetPrefix") != prefix
        or "json" not in models.protocols_of(model)
    ):
        raise unknown_operation(wanted)
    return _known(service, operation, "json")


def _known(service: str, operation: str, protocol: str) -> Target:
    if models.operation_model(service, operation) is None:
        raise unknown_operation(operation)
    return Target(service, operation, protocol)


def _by_route(request: HttpRequest, service: str, model: Any, protocol: str) -> Target:
    path = _with_bucket(request) if service == "s3" else request.path
    found = route_table(model).match(request.method, path, request.query, request.headers)
    if found is None:
        raise unknown_operation(f"{request.method} {request.path}")
    operation, labels = found
    return Target(service, operation, protocol, labels)


def _with_bucket(request: HttpRequest) -> str:
    """The path with the bucket in front that a virtual-hosted request names in its host."""
    bucket = _VIRTUAL_BUCKET.match(request.headers.get("host", ""))
    return f"/{bucket[1]}{request.path}" if bucket else request.path


def _service(request: HttpRequest) -> str | None:
    return (
        _service_of_scope(request)
        or _service_of_host(request)
        or _service_of_query(request)
        or ("lambda" if _DATED_PATH.match(request.path) else None)
    )


def _service_of_scope(request: HttpRequest) -> str | None:
    scope = parse_scope(request)
    return models.service_for_signing_name(scope.service) if scope is not None else None


def _service_of_host(request: HttpRequest) -> str | None:
    """``lambda.us-east-1.amazonaws.com`` and ``lambda.localhost:4566`` name their service."""
    found = _HOST_SERVICE.match(request.headers.get("host", "").lower())
    return models.service_for_signing_name(found[1]) if found else None


def _service_of_query(request: HttpRequest) -> str | None:
    found = _query_parameters(request)
    version = found.get("Version")
    if version is None:
        return "sns" if found.get("Action") in _LINKED_ACTIONS else None
    return models.SERVICE_BY_QUERY_VERSION.get(version)


def _query_parameters(request: HttpRequest) -> dict[str, str]:
    """``Action`` and ``Version`` of a query request, from its form body or its query string."""
    text = request.query
    if request.headers.get("content-type", "").startswith(_FORM):
        text = (
            f"{text}&{request.body.decode('utf-8', 'replace')}"
            if text
            else request.body.decode("utf-8", "replace")
        )
    if "Action=" not in text:
        return {}
    return {name: value for name, value in parse_query(text) if name in ("Action", "Version")}
