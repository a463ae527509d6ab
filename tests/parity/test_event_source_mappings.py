"""Event source mappings: what AWS answers to creating, reading, listing, changing and deleting them."""

from typing import Any

import pytest

from lambent.testing.lambda_account import FUNCTION, QUEUE
from lambent.testing.lambda_api import NOW, LambdaApi
from lambent.testing.parity import (
    API,
    CONFLICT,
    INVALID,
    MISSING,
    NOWHERE,
    RECORDED,
    UUID,
    Case,
    Like,
    recorded,
    refused,
    seen,
)

NO_MAPPING = {"UUID": "00000000-0000-4000-8000-000000000000"}
GONE = "The resource you requested does not exist."
OTHER_QUEUE = f"{QUEUE}2"
FILTERS = {"FilterCriteria": {"Filters": [{"Pattern": '{"body":["a"]}'}]}}
SETTINGS: dict[str, Any] = {
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 5,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "ScalingConfig": {"MaximumConcurrency": 2},
    **FILTERS,
}


def mapping(**more: Any) -> dict[str, Any]:
    """The shape ``EventSourceMappingConfiguration`` of a queue's."""
    shown = {
        "UUID": UUID,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": QUEUE,
        "FunctionArn": f"{FUNCTION}f",
        "LastModified": NOW,
        "State": "Enabled",
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": [],
        "EventSourceMappingArn": Like(
            "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:[0-9a-f-]{36}"
        ),
    }
    return shown | more


CASES = [
    Case(
        "CreateEventSourceMapping",
        "with every setting of a queue",
        {
            "EventSourceArn": OTHER_QUEUE,
            "FunctionName": "f:live",
            "Enabled": True,
            "Tags": {"a": "b"},
            **SETTINGS,
        },
        API,
        mapping(
            EventSourceArn=OTHER_QUEUE,
            FunctionArn=f"{FUNCTION}f:live",
            State="Creating",
            **SETTINGS,
        ),
        status=202,
    ),
    Case(
        "CreateEventSourceMapping",
        "with the least",
        {"EventSourceArn": QUEUE, "FunctionName": "bare"},
        recorded("TestLambdaEventSourceMappings::test_function_name_variations"),
        mapping(FunctionArn=f"{FUNCTION}bare", State="Creating"),
        status=202,
    ),
    refused(
        "CreateEventSourceMapping",
        "a second one",
        {"EventSourceArn": QUEUE, "FunctionName": "f"},
        seen("failures of CloudFormation stacks"),
        CONFLICT,
        f'An event source mapping with SQS arn (" {QUEUE} ") and function (" f ") already exists. '
        "Please update or delete the existing mapping with UUID <mapping>",
    ),
    refused(
        "CreateEventSourceMapping",
        "no such function",
        {"EventSourceArn": QUEUE, "FunctionName": "nothing"},
        recorded("TestLambdaEventSourceMappings::test_event_source_mapping_exceptions"),
        INVALID,
        "Function does not exist",
    ),
    refused(
        "CreateEventSourceMapping",
        "no source",
        {"FunctionName": "f"},
        recorded("TestLambdaEventSourceMappings::test_event_source_mapping_exceptions"),
        INVALID,
        "Unrecognized event source.",
    ),
    refused(
        "CreateEventSourceMapping",
        "a starting position of a queue",
        {"EventSourceArn": OTHER_QUEUE, "FunctionName": "f", "StartingPosition": "LATEST"},
        recorded(
            "test_create_starting_position_validation_exceptions[sqs]",
            "event_source_mapping/test_api",
        ),
        INVALID,
        "StartingPosition is not valid for SQS event sources.",
    ),
    Case("GetEventSourceMapping", "what is there", {"UUID": "<mapping>"}, API, mapping()),
    Case(
        "ListEventSourceMappings",
        "of a function and a source",
        {"EventSourceArn": QUEUE, "FunctionName": "f", "MaxItems": 100, "Marker": ""},
        API,
        {"EventSourceMappings": [mapping()]},
    ),
    refused(
        "ListEventSourceMappings",
        "a marker that is none",
        {"Marker": "x"},
        "best known",
        INVALID,
        "Invalid Marker",
    ),
    refused(
        "ListEventSourceMappings",
        "no such function",
        {"FunctionName": "nothing"},
        RECORDED,
        MISSING,
        NOWHERE,
    ),
    Case(
        "UpdateEventSourceMapping",
        "every setting of a queue",
        {"UUID": "<mapping>", "FunctionName": "bare", **SETTINGS},
        API,
        mapping(FunctionArn=f"{FUNCTION}bare", State="Updating", **SETTINGS),
        status=202,
    ),
    Case(
        "UpdateEventSourceMapping",
        "to disable it",
        {"UUID": "<mapping>", "Enabled": False},
        API,
        mapping(State="Disabling"),
        status=202,
    ),
    refused(
        "UpdateEventSourceMapping",
        "a batch without a window",
        {"UUID": "<mapping>", "BatchSize": 11},
        seen("failures of terraform apply"),
        INVALID,
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater "
        "than 10",
    ),
    refused(
        "UpdateEventSourceMapping",
        "to another's source and function",
        {"UUID": "<mapping>", "FunctionName": "f:live"},
        seen("failures of CloudFormation stacks"),
        CONFLICT,
        Like(
            rf'An event source mapping with SQS arn \(" {QUEUE} "\) and function \(" f "\) already '
            "exists. Please update or delete the existing mapping with UUID [0-9a-f-]{36}"
        ),
    ).after(("CreateEventSourceMapping", {"EventSourceArn": QUEUE, "FunctionName": "f:live"})),
    Case(
        "DeleteEventSourceMapping",
        "what is there",
        {"UUID": "<mapping>"},
        API,
        mapping(State="Deleting"),
        status=202,
    ),
    *(
        refused(
            operation,
            "no such one",
            NO_MAPPING,
            recorded("TestLambdaEventSourceMappings::test_event_source_mapping_exceptions"),
            MISSING,
            GONE,
        )
        for operation in (
            "GetEventSourceMapping",
            "UpdateEventSourceMapping",
            "DeleteEventSourceMapping",
        )
    ),
    *(
        refused(
            operation,
            "one that is being deleted",
            {"UUID": "<mapping>"},
            seen("several clients of AWS look for this text"),
            "ResourceInUseException",
            f"Cannot {verb} the event source mapping because it is in use.",
        ).after(("DeleteEventSourceMapping", {"UUID": "<mapping>"}))
        for operation, verb in (
            ("UpdateEventSourceMapping", "update"),
            ("DeleteEventSourceMapping", "delete"),
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status and output, member for member, or code and message are AWS's."""
    case.check(api)
