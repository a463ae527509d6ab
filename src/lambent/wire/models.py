"""botocore's service models: loaded when first needed, kept for the process; and the names services
go by.

The tables below are what a request shows of a service before its model is loaded: the signing name
of the SigV4 scope, the prefix of ``X-Amz-Target``, the ``Version`` of a query request.
"""

from functools import cache
from types import MappingProxyType
from typing import Any

from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel

from lambent.wire.sqs_query import with_query_names

# Service models are plain data to us; botocore ships no types for them.
Shape = Any

SERVICE_BY_SIGNING_NAME = MappingProxyType(
    {
        "monitoring": "cloudwatch",
        "states": "stepfunctions",
        "tagging": "resourcegroupstaggingapi",
        "elasticfilesystem": "efs",
        "elasticloadbalancing": "elbv2",
        "email": "ses",
        "execute-api": "apigatewaymanagementapi",
        "s3express": "s3",
        "aws-marketplace": "meteringmarketplace",
    }
)
"""Signing name → botocore's name of the service, where the two differ."""

SERVICE_BY_TARGET_PREFIX = MappingProxyType(
    {
        "AmazonSQS": "sqs",
        "AmazonSSM": "ssm",
        "AnyScaleFrontendService": "application-autoscaling",
        "AWSEvents": "events",
        "AWSStepFunctions": "stepfunctions",
        "CodeDeploy_20141006": "codedeploy",
        "DynamoDB_20120810": "dynamodb",
        "DynamoDBStreams_20120810": "dynamodbstreams",
        "Firehose_20150804": "firehose",
        "GraniteServiceVersion20100801": "cloudwatch",
        "Kinesis_20131202": "kinesis",
        "Logs_20140328": "logs",
        "ResourceGroupsTaggingAPI_20170126": "resourcegroupstaggingapi",
        "TrentService": "kms",
        "secretsmanager": "secretsmanager",
    }
)
"""``targetPrefix`` of the model → service."""

SERVICE_BY_QUERY_VERSION = MappingProxyType(
    {
        "2011-06-15": "sts",
        "2010-05-08": "iam",
        "2010-03-31": "sns",
        "2010-08-01": "cloudwatch",
        "2012-11-05": "sqs",
        "2010-05-15": "cloudformation",
    }
)
"""``Version`` of an unsigned query request → service."""


@cache
def _loader() -> Any:
    return Loader()


_loaded: dict[str, Any] = {}


def service_model(service: str, protocol: str = "") -> Any:
    """The ``ServiceModel`` of ``service`` (botocore's name), or None when botocore knows no such
    service. Only models are kept: names come from clients, so misses must not pile up.

    SQS has one of its own for the ``query`` protocol.
    """
    if protocol == "query" and service == "sqs":
        return _sqs_query_model()
    model = _loaded.get(service)
    if model is not None:
        return model
    if not service.replace("-", "").isalnum() or not service.isascii():
        return None  # what a client sends must never reach the file system as a path
    try:
        data = _loader().load_service_model(service, "service-2")
    except (UnknownServiceError, DataNotFoundError):
        return None
    return _loaded.setdefault(service, ServiceModel(data, service_name=service))


@cache
def _sqs_query_model() -> Any:
    data = _loader().load_service_model("sqs", "service-2")
    return ServiceModel(with_query_names(data), service_name="sqs")


def operation_model(service: str, operation: str, protocol: str = "") -> Any:
    """The ``OperationModel``, or None when the service or the operation is unknown."""
    model = service_model(service, protocol)
    if model is None:
        return None
    try:
        return model.operation_model(operation)
    except OperationNotFoundError:
        return None


def protocols_of(model: Any) -> tuple[str, ...]:
    """The protocols a service speaks, its default one first."""
    metadata = model.metadata
    default = metadata["protocol"]
    others = [name for name in metadata.get("protocols", ()) if name != default]
    if model.service_name == "sqs":
        others.append("query")  # it still does; its model only says that it once did
    return (default, *others)


def service_for_signing_name(name: str) -> str | None:
    """botocore's service for the service part of a SigV4 scope, None when there is none."""
    service = SERVICE_BY_SIGNING_NAME.get(name, name)
    return service if service_model(service) is not None else None


__all__ = [
    "SERVICE_BY_QUERY_VERSION",
    "SERVICE_BY_TARGET_PREFIX",
    "OperationModel",
    "Shape",
    "operation_model",
    "protocols_of",
    "service_for_signing_name",
    "service_model",
]
