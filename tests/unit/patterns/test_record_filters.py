"""Filters of event source mappings: AWS's table of payload and filter formats."""

import json

import pytest

from lambent.patterns import DYNAMODB, KINESIS, SQS, PatternError, compile_filters

JSON_BODY, PLAIN_BODY = '{"code": "B"}', "Result: B"
ON_JSON = '{"body": {"code": ["B"]}}'
ON_PLAIN = '{"body": [{"prefix": "Result"}]}'
ON_NEITHER = '{"eventSource": ["aws:sqs"]}'
FIELDS = {"eventSource": "aws:sqs"}


@pytest.mark.parametrize(
    ("body", "pattern", "kept"),
    [
        (PLAIN_BODY, ON_PLAIN, True),
        (PLAIN_BODY, ON_NEITHER, True),
        (PLAIN_BODY, ON_JSON, False),
        (JSON_BODY, ON_PLAIN, False),
        (JSON_BODY, ON_NEITHER, True),
        (JSON_BODY, ON_JSON, True),
        ('{"code": "C"}', ON_JSON, False),
    ],
)
def test_the_table_of_sqs(body: str, pattern: str, kept: bool) -> None:
    """Every row of AWS's table."""
    assert compile_filters([pattern], SQS).keeps(FIELDS, body) is kept


def test_a_mismatch_drops_even_what_absence_would_keep() -> None:
    """The formats are compared before the filter is: a negative filter keeps no other format."""
    absent = '{"body": {"code": [{"exists": false}]}}'
    unlike = '{"body": [{"anything-but": "x"}]}'
    assert not compile_filters([absent], SQS).keeps(FIELDS, PLAIN_BODY)
    assert not compile_filters([unlike], SQS).keeps(FIELDS, JSON_BODY)


def test_filters_are_alternatives() -> None:
    """One filter that matches is enough, none at all keeps everything."""
    both = compile_filters([ON_JSON, ON_PLAIN], SQS)
    assert both.keeps(FIELDS, JSON_BODY)
    assert both.keeps(FIELDS, PLAIN_BODY)
    assert compile_filters([], SQS).keeps({}, "anything")


def test_a_filter_of_both_formats_takes_each_in_its_own() -> None:
    """$or may ask JSON of one record and a string of the other."""
    either = compile_filters(
        [json.dumps({"$or": [json.loads(ON_JSON), json.loads(ON_PLAIN)]})], SQS
    )
    assert either.keeps(FIELDS, JSON_BODY)
    assert either.keeps(FIELDS, PLAIN_BODY)
    assert not either.keeps(FIELDS, "x")


def test_streams_take_json_filters_only() -> None:
    """Kinesis data and DynamoDB images are filtered as JSON, beside the record's other fields."""
    kinesis = compile_filters(['{"partitionKey": ["1"], "data": {"code": ["B"]}}'], KINESIS)
    assert kinesis.keeps({"partitionKey": "1"}, JSON_BODY.encode())
    assert not kinesis.keeps({"partitionKey": "2"}, JSON_BODY.encode())
    assert not kinesis.keeps({"partitionKey": "1"}, b"\xff\x00")
    with pytest.raises(PatternError):
        compile_filters(['{"data": ["plain"]}'], KINESIS)
    images = compile_filters(
        ['{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"n": {"N": ["1"]}}}}'], DYNAMODB
    )
    assert images.keeps({"eventName": "INSERT"}, {"NewImage": {"n": {"N": "1"}}})
    assert not images.keeps({"eventName": "REMOVE"}, {"NewImage": {"n": {"N": "1"}}})


def test_five_filters_unless_the_quota_was_raised() -> None:
    """The sixth filter is refused, the sixth of ten is not."""
    with pytest.raises(PatternError):
        compile_filters([ON_JSON] * 6, SQS)
    assert len(compile_filters([ON_JSON] * 6, SQS, max_filters=10).filters) == 6
