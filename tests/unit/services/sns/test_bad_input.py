"""Whatever a caller sends, an operation answers or refuses: never a fault of the platform's."""

from collections.abc import Awaitable
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambent.model.errors import AwsError
from lambent.services.sns.registry import OPERATIONS
from lambent.testing.loop import on_loop

MODEL = ServiceModel(Loader().load_service_model("sns", "service-2"))
TOPICS = ["arn:aws:sns:us-east-1:000000000000:t", "arn:aws:sns:us-east-1:000000000000:t.fifo"]
NASTY = [
    "", "{}", "[]", "{", "null", "true", "0", "-1", "json", "sqs", "http", "lambda", "a" * 300, "\x00", "é\ud7ff",
    "arn:aws:sns:::", "arn:aws:sqs:us-east-1:000000000000:q", "http://h/", '{"a": [{"numeric": [">"]}]}',
    '{"deadLetterTargetArn": 3}', '{"http": []}', "[" * 5000, '{"default": {}}', *TOPICS, TOPICS[0] + ":x",
    "FilterPolicy", "FilterPolicyScope", "RedrivePolicy", "DeliveryPolicy", "Policy", "RawMessageDelivery",
    "MaximumMessageSize", "FifoTopic", "MessageBody",
    '{"Version": "2012-10-17", "Statement": []}', '{"Statement": {"Effect": "Allow"}}',
]  # fmt: skip


def _values(shape: Any) -> st.SearchStrategy[Any]:
    """Values as the wire would hand them over: of the right type, whatever is in them."""
    match shape.type_name:
        case "structure":
            required = {name: _values(shape.members[name]) for name in shape.required_members}
            others = {n: _values(one) for n, one in shape.members.items() if n not in required}
            return st.fixed_dictionaries(required, optional=others)
        case "list":
            return st.lists(_values(shape.member), max_size=3)
        case "map":
            return st.dictionaries(st.sampled_from(NASTY), _values(shape.value), max_size=3)
        case "boolean":
            return st.booleans()
        case "blob":
            return st.binary(max_size=4)
        case _:
            return st.sampled_from(NASTY)


async def _refusal(asked: Awaitable[Any]) -> AwsError | None:
    try:
        await asked
    except AwsError as error:
        return error
    return None


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_operation_answers_or_refuses(
    open_world: Any, operation: str, data: st.DataObject
) -> None:
    """Arbitrary members of the right types give an output of the model's shape, or an AWS error."""
    parameters = data.draw(_values(MODEL.operation_model(operation).input_shape))
    parameters |= (
        {"TopicArn": data.draw(st.sampled_from([*TOPICS, "x"]))} if "TopicArn" in parameters else {}
    )

    @on_loop
    async def run() -> None:
        async with open_world() as world:
            await world.topic()
            await world.topic("t.fifo", FifoTopic="true", ContentBasedDeduplication="true")
            await world.queue(TOPICS[0])
            refused = await _refusal(world.ask(operation, **parameters))
            assert refused is None or refused.status in {400, 403, 404, 501}
            # What was let in does not break what comes after, nor a start from what was kept.
            for topic in set(TOPICS) & set(world.sns.directory.topics):
                refused = await _refusal(
                    world.ask("Publish", TopicArn=topic, Message="m", MessageGroupId="g")
                )
                assert refused is None or refused.status in {400, 403}
            store = world.store
        async with open_world(store):
            pass

    run()
