"""What may be subscribed to what: protocols and their endpoints. Pure."""

from lambent.model.errors import not_yet
from lambent.services.sns import faults
from lambent.services.sns.arns import Arn, is_fifo, split_arn
from lambent.services.sns.destinations import parse_destination
from lambent.services.sns.topic import Topic

SERVED = frozenset({"sqs", "lambda", "http", "https"})
_AWS_ONLY = frozenset({"email", "email-json", "sms", "application", "firehose"})


def check_endpoint(topic: Topic, protocol: str, endpoint: str | None) -> None:
    """Raises ``InvalidParameter`` for what AWS does not take, 501 for what only Lambent has not."""
    if protocol not in SERVED | _AWS_ONLY:
        raise faults.invalid(f"Amazon SNS does not support this protocol string: {protocol}")
    if topic.fifo and protocol != "sqs":
        raise faults.invalid(f"Invalid protocol type: {protocol}")
    if protocol not in SERVED:
        raise not_yet(f"subscriptions by {protocol}")
    if protocol in {"http", "https"}:
        parse_destination(protocol, endpoint or "")
    elif protocol == "sqs":
        if _arn(endpoint, "sqs") is None:
            raise faults.invalid("SQS endpoint ARN")
        if is_fifo(endpoint or "") and not topic.fifo:
            # AWS: the words are doubled there too.
            raise faults.invalid(
                "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to"
                " standard SNS topics"
            )
    else:
        arn = _arn(endpoint, "lambda")
        if arn is None or not arn.resource.startswith("function:"):
            raise faults.invalid("Lambda endpoint ARN")  # best known


def endpoint_account(endpoint: str) -> str | None:
    """The account of a queue or a function; None of a URL."""
    arn = split_arn(endpoint)
    return arn.account_id if arn else None


def _arn(endpoint: str | None, service: str) -> Arn | None:
    arn = split_arn(endpoint or "")
    good = arn is not None and arn.service == service and arn.region and arn.account_id
    return arn if good else None
