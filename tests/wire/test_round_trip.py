"""Whatever botocore sends we decode to what its caller said; whatever we answer it parses to what
we said."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambent.model.call import Result
from lambent.model.http import HttpRequest, HttpResponse
from lambent.wire import codec, models, router

OPERATIONS = [
    ("lambda", "CreateFunction", None),
    ("lambda", "Invoke", None),
    ("lambda", "UpdateFunctionConfiguration", None),
    ("lambda", "CreateEventSourceMapping", None),
    ("lambda", "ListFunctions", None),
    ("lambda", "TagResource", None),
    ("lambda", "AddPermission", None),
    ("scheduler", "CreateSchedule", None),
    ("logs", "PutLogEvents", None),
    ("logs", "FilterLogEvents", None),
    ("sqs", "SendMessage", None),
    ("sqs", "ReceiveMessage", None),
    ("dynamodb", "PutItem", None),
    ("sts", "AssumeRole", None),
    ("sns", "Publish", None),
    ("iam", "CreateRole", None),
    ("cloudwatch", "PutMetricData", None),
    ("cloudwatch", "PutMetricData", "query"),
    ("cloudwatch", "PutMetricData", "json"),
    ("cloudwatch", "GetMetricData", None),
    ("cloudwatch", "GetMetricData", "query"),
    ("s3", "PutObject", None),
    ("s3", "DeleteObjects", None),
    ("s3", "PutBucketLifecycleConfiguration", None),
    ("s3", "ListObjectsV2", None),
    ("s3", "CopyObject", None),
    ("s3", "UploadPart", None),
]
IDS = [f"{service}.{operation}-{protocol or ''}" for service, operation, protocol in OPERATIONS]
FEW = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def _decode_unchecked(request: HttpRequest) -> tuple[router.Target, dict[str, Any]]:
    """Drawn values keep types, not patterns: so decode without validation."""
    target = router.identify(request)
    operation = models.operation_model(target.service, target.operation)
    decoder = codec.codec_of(target.protocol)
    return target, decoder.decode_input(operation, request, target.path_params)


def comparable(value: Any, protocol: str) -> Any:
    """``value`` without what XML and form fields cannot tell from nothing: empty lists and maps."""
    if protocol not in ("query", "rest-xml"):
        return value
    if isinstance(value, dict):
        kept = {name: comparable(item, protocol) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in ({}, [])}
    if isinstance(value, list):
        return [
            item for item in (comparable(one, protocol) for one in value) if item not in ({}, [])
        ]
    return value


@pytest.mark.parametrize(("service", "operation", "protocol"), OPERATIONS, ids=IDS)
@given(data=st.data())
@FEW
def test_decode_inverts_botocores_serializer(
    service: str,
    operation: str,
    protocol: str | None,
    data: st.DataObject,
    serialize: Callable[..., HttpRequest],
    params_of: Callable[..., st.SearchStrategy[dict[str, Any]]],
) -> None:
    """Decoding what botocore serialised gives the parameters it was given, and the right
    operation."""
    params = data.draw(params_of(service, operation))
    target, found = _decode_unchecked(serialize(service, operation, params, protocol))
    assert (target.service, target.operation) == (service, operation)
    assert comparable(found, target.protocol) == comparable(params, target.protocol)


@pytest.mark.parametrize(("service", "operation", "protocol"), OPERATIONS, ids=IDS)
@given(data=st.data())
@FEW
def test_botocore_parses_what_we_encode(
    service: str,
    operation: str,
    protocol: str | None,
    data: st.DataObject,
    parse: Callable[..., dict[str, Any]],
    outputs_of: Callable[..., st.SearchStrategy[dict[str, Any]]],
) -> None:
    """An encoded result, parsed by botocore, is the result, beside the request id."""
    output = data.draw(outputs_of(service, operation))
    name = protocol or models.protocols_of(models.service_model(service))[0]
    target = router.Target(service, operation, name)
    answer: HttpResponse = codec.encode_result(target, Result(output), "the-id")
    parsed = parse(service, operation, answer, protocol)
    metadata = parsed.pop("ResponseMetadata")
    if name != "smithy-rpc-v2-cbor":  # there botocore takes it from answers with an output only
        assert metadata["RequestId"] == "the-id"
    assert comparable(parsed, name) == comparable(output, name)
