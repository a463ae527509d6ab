"""AWS's own protocol compliance cases, run from the server's side (skipped where they are not at
hand)."""

import base64
import math
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from botocore.awsrequest import HeadersDict
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import create_parser

from lambent.model.call import Result
from lambent.model.http import HttpRequest, HttpResponse
from lambent.wire import codec
from lambent.wire.routes import RouteTable

Golden = Callable[[str, str], list[dict[str, Any]]]

PROTOCOLS = {
    "json": "json",
    "json_1_0": "json",
    "query": "query",
    "rest-json": "rest-json",
    "rest-xml": "rest-xml",
    "smithy-rpc-v2-cbor": "smithy-rpc-v2-cbor",
}

COMPRESSED = "the case gives no body"
TOKEN = "the client makes up a token"
ABSENT = "absent and empty look alike on the wire"
PRECEDENCE = "a client's choice between two values; a server sees one"
REPEATED = "the case repeats in a map what is bound by name; we give each value once"
DATES = "botocore splits dates at their commas"
JSON_VALUE = "the case gives JSON as text, a jsonvalue is the value"

SKIPPED_INPUT = {
    "SDKAppliedContentEncoding_awsJson1_1": COMPRESSED,
    "SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_1": COMPRESSED,
    "SDKAppliedContentEncoding_awsJson1_0": COMPRESSED,
    "SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_0": COMPRESSED,
    "SDKAppliedContentEncoding_awsQuery": COMPRESSED,
    "SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsQuery": COMPRESSED,
    "SDKAppliedContentEncoding_restJson1": COMPRESSED,
    "SDKAppendedGzipAfterProvidedEncoding_restJson1": COMPRESSED,
    "SDKAppliedContentEncoding_restXml": COMPRESSED,
    "SDKAppendedGzipAfterProvidedEncoding_restXml": COMPRESSED,
    "QueryProtocolIdempotencyTokenAutoFill": TOKEN,
    "RestJsonQueryIdempotencyTokenAutoFill": TOKEN,
    "QueryIdempotencyTokenAutoFill": TOKEN,
    "QueryEmptyQueryMaps": ABSENT,
    "RestJsonHttpPrefixHeadersAreNotPresent": ABSENT,
    "HttpPrefixHeadersAreNotPresent": ABSENT,
    "RestJsonOmitsEmptyListQueryValues": ABSENT,
    "RestJsonHttpWithEmptyStructurePayload": ABSENT,
    "RestJsonHttpWithHeadersButNoPayload": ABSENT,
    "RestJsonQueryPrecedence": PRECEDENCE,
    "RestXmlQueryPrecedence": PRECEDENCE,
    "MediaTypeHeaderInputBase64": JSON_VALUE,
    "RestJsonAllQueryStringTypes": REPEATED,
    "RestJsonQueryStringEscaping": REPEATED,
    "RestJsonSupportsNaNFloatQueryValues": REPEATED,
    "RestJsonSupportsInfinityFloatQueryValues": REPEATED,
    "RestJsonSupportsNegativeInfinityFloatQueryValues": REPEATED,
    "RestJsonZeroAndFalseQueryValues": REPEATED,
    "RestJsonHostWithPath": "the client's endpoint has a path of its own",
}
SKIPPED_OUTPUT = {
    "RestJsonHttpPayloadWithUnsetUnion": "botocore refuses the case's own bytes",
    "RestXmlHttpPayloadWithUnsetUnion": "botocore refuses the case's own bytes",
    "HttpPrefixHeadersResponse": "a map of all headers holds those we add",
    "RestJsonHttpPayloadTraitsWithNoBlobBody": ABSENT,
    "HttpPayloadTraitsWithNoBlobBody": ABSENT,
    "RestJsonInputAndOutputWithTimestampHeaders": DATES,
    "InputAndOutputWithTimestampHeaders": DATES,
    "QueryXmlLists": "botocore looks for flattened lists under another name than the case",
    "RestJsonInputAndOutputWithQuotedStringHeaders": "botocore splits inside quotes",
    "MediaTypeHeaderOutputBase64": JSON_VALUE,
    "XmlLists": "botocore looks for flattened lists under another name than the case",
}


def _cases(suites: list[dict[str, Any]]) -> Iterator[tuple[OperationModel, dict[str, Any]]]:
    for suite in suites:
        for case in suite["cases"]:
            description = {
                "metadata": suite["metadata"],
                "operations": {case["given"]["name"]: case["given"]},
                "shapes": suite["shapes"],
            }
            if suite["metadata"]["protocol"] == "query" and "output" in case["given"]:
                case["given"]["output"]["resultWrapper"] = f"{case['given']['name']}Result"
            model = ServiceModel(description, "golden")
            yield model.operation_model(case["given"]["name"]), case


def plain(value: Any) -> Any:
    """Values as the cases write them: moments as seconds, bytes as text, special floats by name."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def _request(operation: OperationModel, case: dict[str, Any], protocol: str) -> HttpRequest:
    sent = case["serialized"]
    path, _, query = sent["uri"].partition("?")
    body = sent.get("body", "")
    raw = base64.b64decode(body) if protocol.endswith("cbor") else body.encode()
    headers = {name.lower(): value for name, value in sent.get("headers", {}).items()}
    method = sent.get("method") or operation.http.get("method", "POST")
    return HttpRequest(method, path, query, headers, raw)


@pytest.mark.parametrize("suite", PROTOCOLS)
def test_requests_decode_to_the_parameters_of_the_case(suite: str, golden: Golden) -> None:
    """The bytes of every input case decode to its parameters."""
    protocol = PROTOCOLS[suite]
    wrong = []
    for operation, case in _cases(golden("input", suite)):
        if case["id"] in SKIPPED_INPUT:
            continue
        request = _request(operation, case, protocol)
        labels: dict[str, str] = {}
        if protocol.startswith("rest"):
            found = RouteTable(operation.service_model).match(
                request.method, request.path, request.query, request.headers
            )
            assert found is not None, case["id"]
            labels = found[1]
        got = codec.codec_of(protocol).decode_input(operation, request, labels)
        if plain(got) != plain(case["params"]):
            wrong.append((case["id"], got, case["params"]))
    assert not wrong


def typed(shape: Any, value: Any) -> Any:
    """A case's value as an operation would say it: floats by name become floats, blobs bytes."""
    if value is None:
        return None
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            return {key: typed(shape.members[key], item) for key, item in value.items()}
        case "list":
            return [typed(shape.member, item) for item in value]
        case "map":
            return {key: typed(shape.value, item) for key, item in value.items()}
        case "float" | "double":
            return float(value)
        case "blob":
            return value.encode()
        case _:
            return value


def _parsed(operation: OperationModel, protocol: str, answer: HttpResponse) -> Any:
    headers = HeadersDict(dict(answer.headers))
    response = {"status_code": answer.status, "headers": headers, "body": answer.body}
    parsed = create_parser(protocol).parse(response, operation.output_shape)
    parsed.pop("ResponseMetadata", None)
    return plain(parsed)


@pytest.mark.parametrize("suite", PROTOCOLS)
def test_answers_parse_to_the_result_of_the_case(suite: str, golden: Golden) -> None:
    """Botocore parses what we encode for the result of every output case to that result."""
    protocol = PROTOCOLS[suite]
    wrong = []
    for operation, case in _cases(golden("output", suite)):
        shape = operation.output_shape
        if case["id"] in SKIPPED_OUTPUT or "result" not in case or shape is None:
            continue
        result = typed(shape, case["result"])
        answer = codec.codec_of(protocol).encode_output(operation, Result(result), "id")
        got = _parsed(operation, protocol, answer)
        if got != plain(result):
            wrong.append((case["id"], got, plain(result)))
    assert not wrong
