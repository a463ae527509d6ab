"""What AWS refuses before an operation runs, in its words."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.model.errors import ClientFault
from lambent.model.http import HttpRequest
from lambent.wire import codec, models
from lambent.wire.constraints import constraints
from lambent.wire.validation import validate

ROLE = "arn:aws:iam::123456789012:role/r"
FUNCTION = {"FunctionName": "f", "Role": ROLE, "Code": {"ZipFile": b"x"}, "Runtime": "python3.12"}


def refusal(service: str, operation: str, params: dict[str, Any]) -> ClientFault:
    """The fault ``params`` meet."""
    shape = models.operation_model(service, operation).input_shape
    with pytest.raises(ClientFault) as caught:
        validate(shape, params, service)
    return caught.value


@pytest.mark.parametrize(
    ("change", "at", "constraint"),
    [
        ({"Timeout": 0}, "'0' at 'timeout'", "have value greater than or equal to 1"),
        ({"MemorySize": 64}, "'64' at 'memorySize'", "have value greater than or equal to 128"),
        ({"Role": None}, "null at 'role'", "not be null"),
        ({"PackageType": "Tar"}, "'Tar' at 'packageType'", "satisfy enum value set: [Zip, Image]"),
        (
            {"Description": "x" * 257},
            f"'{'x' * 257}' at 'description'",
            "have length less than or equal to 256",
        ),
        (
            {"KMSKeyArn": "k"},
            "'k' at 'kMSKeyArn'",
            "satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()",
        ),
        (
            {"Architectures": ["x86"]},
            "'[x86]' at 'architectures'",
            (
                "satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], "
                "Member must not be null]"
            ),
        ),
        (
            {"EphemeralStorage": {"Size": 1}},
            "'1' at 'ephemeralStorage.size'",
            "have value greater than or equal to 512",
        ),
    ],
)
def test_lambda_refuses_in_awss_words(change: dict[str, Any], at: str, constraint: str) -> None:
    """One broken constraint gives one error with AWS's text and path."""
    params = {key: value for key, value in {**FUNCTION, **change}.items() if value is not None}
    fault = refusal("lambda", "CreateFunction", params)
    assert (fault.code, fault.status) == ("ValidationException", 400)
    assert fault.message == (
        f"1 validation error detected: Value {at} failed to satisfy constraint: "
        f"Member must {constraint}"
    )


@pytest.mark.parametrize(
    ("operation", "params", "text"),
    [
        (
            "TagResource",
            {"Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "Tags": {"k": None}},
            "'{k=null}' at 'tags' failed to satisfy constraint: Map value must",
        ),
        (
            "CreateEventSourceMapping",
            {"FunctionName": "f", "FilterCriteria": {"Filters": [None]}},
            "'[null]' at 'filterCriteria.filters' failed to satisfy constraint: Member must",
        ),
    ],
)
def test_null_is_no_element(operation: str, params: dict[str, Any], text: str) -> None:
    """A null in a map, or in a list of structures, is refused at the map or list."""
    message = refusal("lambda", operation, params).message
    assert message.startswith(f"1 validation error detected: Value {text} satisfy constraint: [")
    assert message.endswith("Member must not be null]")


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**60])
def test_a_number_has_64_bits(number: int) -> None:
    """One that has more is refused as no number, in a body and in a query, before anything keeps it."""
    path = "/2015-03-31/functions"
    for request in (
        HttpRequest("GET", path, f"MaxItems={number}", {"host": "lambda.localhost"}, b""),
        HttpRequest("POST", path, "", {"host": "lambda.localhost"}, b'{"Timeout": %d}' % number),
    ):
        with pytest.raises(ClientFault) as caught:
            codec.decode(request, "the-id")
        assert caught.value.code == "SerializationException"


def test_sensitive_values_are_not_repeated() -> None:
    """Environment variables are sensitive: the message names the place and the rule only."""
    params = {**FUNCTION, "Environment": {"Variables": {"1": "x"}}}
    assert refusal("lambda", "CreateFunction", params).message == (
        "1 validation error detected: Value at 'environment.variables' failed to satisfy "
        "constraint: Map keys must satisfy constraint: [Member must satisfy regular expression "
        "pattern: [a-zA-Z]([a-zA-Z0-9_])+]"
    )


def test_several_errors_are_counted_and_joined() -> None:
    """Two broken constraints are reported together."""
    fault = refusal("lambda", "CreateFunction", {**FUNCTION, "FunctionName": "a b", "Timeout": 0})
    assert fault.message.startswith(
        "2 validation errors detected: Value 'a b' at 'functionName' failed"
    )
    assert "; Value '0' at 'timeout' failed" in fault.message


def test_lambda_reports_a_wrong_runtime_by_its_own_error() -> None:
    """``Runtime`` outside the set is ``InvalidParameterValueException``, and an ARN is let
    through."""
    fault = refusal("lambda", "CreateFunction", {**FUNCTION, "Runtime": "python2.9"})
    assert fault.code == "InvalidParameterValueException"
    assert fault.message.startswith(
        "Value python2.9 at 'runtime' failed to satisfy constraint: "
        "Member must satisfy enum value set: [nodejs"
    )
    assert fault.message.endswith("] or be a valid ARN")
    shape = models.operation_model("lambda", "CreateFunction").input_shape
    validate(shape, {**FUNCTION, "Runtime": "arn:aws:lambda:eu-west-1::runtime:x"}, "lambda")


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [
        ("logs", "CreateLogGroup", {"logGroupName": "a b"}, "InvalidParameterException"),
        ("sts", "AssumeRole", {"RoleArn": "short", "RoleSessionName": "s"}, "ValidationError"),
        ("stepfunctions", "DescribeExecution", {}, "ValidationException"),
    ],
)
def test_services_name_the_error_differently(
    service: str, operation: str, params: dict[str, Any], code: str
) -> None:
    """The code is the service's own."""
    assert refusal(service, operation, params).code == code


def test_members_of_structures_in_lists_are_numbered() -> None:
    """An element's member is reported at ``.N.member``, counted from one."""
    events = [{"timestamp": 1, "message": "m"}, {"timestamp": 1, "message": ""}]
    params = {"logGroupName": "g", "logStreamName": "s", "logEvents": events}
    fault = refusal("logs", "PutLogEvents", params)
    assert "Value '' at 'logEvents.2.member.message'" in fault.message


def test_good_parameters_pass(signed: Callable[..., HttpRequest]) -> None:
    """What AWS takes is taken, ARNs, Unicode tags and empty optional texts included."""
    body = {
        **FUNCTION,
        "Code": {"ZipFile": "eA=="},
        "KMSKeyArn": "",
        "Tags": {"é key": "ü value"},
        "Layers": ["arn:aws:lambda:eu-west-1:123456789012:layer:l:1"],
    }
    call = codec.decode(signed("lambda", "POST", "/2015-03-31/functions", body), "id")
    assert call.parameters["Tags"] == {"é key": "ü value"}


def test_unicode_classes_still_refuse_what_they_exclude() -> None:
    """A tag key with a control character fails Java's ``\\p{L}`` class here as well."""
    assert "tags" in refusal("lambda", "CreateFunction", {**FUNCTION, "Tags": {"a*b": "x"}}).message


@pytest.mark.parametrize("service", ["lambda", "logs", "events", "iam", "ssm", "sqs", "dynamodb"])
@given(text=st.text("a- .:/\x00\t", max_size=400))
@settings(max_examples=8, deadline=2000)
def test_patterns_never_take_long(service: str, text: str) -> None:
    """Every pattern of a model, on any text, ends soon."""
    model = models.service_model(service)
    for name in model.shape_names:
        shape = model.shape_for(name)
        if shape.type_name == "string" and shape.metadata.get("pattern"):
            for holds, _ in constraints(shape):
                holds(text)


@pytest.mark.parametrize(
    "text", ["a" * 250, " \t" * 120 + "\x00", "-" * 250 + "!", "a." * 120 + "!"]
)
def test_hostile_texts_are_matched_soon(text: str) -> None:
    """Texts made to make patterns backtrack do not."""
    for service in (
        "events",
        "lambda",
        "scheduler",
        "secretsmanager",
        "iam",
        "kms",
        "cloudformation",
    ):
        model = models.service_model(service)
        for name in model.shape_names:
            shape = model.shape_for(name)
            if shape.type_name == "string" and shape.metadata.get("pattern"):
                for holds, _ in constraints(shape):
                    holds(text)
