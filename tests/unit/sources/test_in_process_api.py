"""The AWS API of hosted services, called without the wire."""

import pytest

from lambent.model.errors import ClientFault
from lambent.services.sqs.registry import OPERATIONS
from lambent.sources.in_process_api import InProcessApi
from lambent.sources.sqs import describe_queue
from lambent.testing.loop import on_loop
from lambent.testing.sqs import FakeSqs, queue_arn


@on_loop
async def test_a_call_is_the_account_owners() -> None:
    """The operation runs for the account and region given; another account is refused."""
    sqs = FakeSqs()
    await sqs.queue("q", VisibilityTimeout="77")
    api = InProcessApi({"sqs": (OPERATIONS, sqs.service)})
    facts = await describe_queue(api, queue_arn("q"), "000000000000", "us-east-1")
    assert facts == {"VisibilityTimeout": 77}
    for account, region in (("111111111111", "us-east-1"), ("000000000000", "eu-west-1")):
        with pytest.raises(ClientFault):
            await describe_queue(api, queue_arn("q"), account, region)


@on_loop
async def test_what_is_not_hosted_is_refused() -> None:
    """A service or operation nobody serves is 501, by name."""
    api = InProcessApi({"sqs": (OPERATIONS, None)})
    for service, operation in (("kinesis", "GetRecords"), ("sqs", "Nonsense")):
        with pytest.raises(ClientFault, match=f"{service}:{operation}") as refused:
            await api.call(service, operation, {}, account_id="000000000000", region="us-east-1")
        assert refused.value.status == 501
