"""Where failed and processed events may be sent: destinations and dead-letter targets, by ARN.

AWS checks that the execution role may send there, not that the queue or topic exists. Here nobody is
authorised yet; a target that is gone when it is needed shows as a delivery failure, as on AWS.
"""

import re
import sqlite3
from collections.abc import Collection, Mapping
from typing import Any

from lambent.model.errors import AwsError, ClientFault, invalid_parameter, not_yet
from lambent.model.function import LATEST
from lambent.model.function_name import FunctionName, parse_function_name
from lambent.store import functions

_ARN = re.compile(r"arn:aws[a-zA-Z0-9-]*:(?P<service>[a-z0-9-]+):(?P<rest>.*)", re.DOTALL)
_QUEUE_OR_TOPIC = re.compile(r"[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")
"""Standard ones: ``.fifo`` is no part of the name. AWS: FIFO queues and topics are not supported."""
_BUCKET = re.compile(r"::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_BUS = re.compile(r"[a-z0-9-]+:\d{12}:event-bus/[/.\-_A-Za-z0-9]{1,256}")
_PLACES = {"s3": _BUCKET, "events": _BUS, "sqs": _QUEUE_OR_TOPIC, "sns": _QUEUE_OR_TOPIC}
_DESTINATIONS = frozenset({"lambda", "sqs", "sns", "events", "s3"})
_DEAD_LETTER_TARGETS = frozenset({"sqs", "sns"})


def check_destinations(
    cx: sqlite3.Connection,
    function: FunctionName,
    on_success: str,
    on_failure: str,
    hosted: Collection[str],
) -> None:
    """Raises ``InvalidParameterValueException`` for what is no destination, 501 for one not hosted yet."""
    for arn, is_success in ((on_success, True), (on_failure, False)):
        if not arn:
            continue
        service = _service(arn)
        if service not in _DESTINATIONS or (service == "s3" and is_success):
            raise _invalid(on_success, on_failure)
        if service in _PLACES and not names_place(arn):
            raise _invalid(on_success, on_failure)
        if service == "lambda":
            _check_function(cx, function, arn)
        if service not in hosted:
            raise not_yet(f"the destination {arn}")


def dead_letter_arn(given: Mapping[str, Any], hosted: Collection[str]) -> str:
    """``DeadLetterConfig.TargetArn``, ``""`` for none.

    Raises ``InvalidParameterValueException`` unless it is a standard queue or topic (the text is ours:
    no recording of AWS's is known), 501 for one not hosted yet.
    """
    arn: str = given.get("TargetArn") or ""
    if not arn:
        return ""
    if _service(arn) not in _DEAD_LETTER_TARGETS or not _is_standard(arn):
        raise invalid_parameter(
            f"The provided dead-letter target {arn} is invalid: it must be the ARN of a standard "
            "SQS queue or a standard SNS topic."
        )
    if _service(arn) not in hosted:
        raise not_yet(f"the dead-letter target {arn}")
    return arn


def names_place(arn: str) -> bool:
    """Whether it is an ARN of a standard queue or topic, a bucket, or an event bus."""
    match = _ARN.fullmatch(arn)
    place = _PLACES.get(match["service"]) if match else None
    return match is not None and place is not None and place.fullmatch(match["rest"]) is not None


def _service(arn: str) -> str:
    match = _ARN.fullmatch(arn)
    return match["service"] if match else ""


def _is_standard(arn: str) -> bool:
    match = _ARN.fullmatch(arn)
    return match is not None and _QUEUE_OR_TOPIC.fullmatch(match["rest"]) is not None


def _check_function(cx: sqlite3.Connection, function: FunctionName, arn: str) -> None:
    """Source of both texts: recorded by LocalStack's tests (test_lambda_eventinvokeconfig_exceptions)."""
    try:
        named = parse_function_name(arn, account_id=function.account_id, region=function.region)
    except AwsError:
        named = None
    if named is None or functions.get_version(cx, named, LATEST) is None:
        raise invalid_parameter(f"The destination ARN {arn} is invalid.")
    if named.name == function.name:
        raise invalid_parameter("You can't specify the function as a destination for itself.")


def _invalid(on_success: str, on_failure: str) -> ClientFault:
    """Source: as for :func:`_check_function`."""
    success = f"OnSuccess(destination={on_success})" if on_success else "null"
    failure = f"OnFailure(destination={on_failure})" if on_failure else "null"
    return invalid_parameter(
        "The provided destination config "
        f"DestinationConfig(onSuccess={success}, onFailure={failure}) is invalid."
    )
