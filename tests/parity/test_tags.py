"""Tags: what AWS answers to setting, listing and removing them."""

import pytest

from lambent.testing.lambda_account import FUNCTION
from lambent.testing.lambda_api import LambdaApi
from lambent.testing.parity import (
    API,
    INVALID,
    MISSING,
    NOWHERE,
    Case,
    recorded,
    refused,
)

F = {"Resource": f"{FUNCTION}f"}
QUALIFIED = (
    "Tags on function aliases and versions are not supported. Please specify a function ARN."
)
CASES = [
    Case(
        "TagResource",
        "of a function",
        {**F, "Tags": {"a": "b"}},
        recorded("TestLambdaTag::test_tag_lifecycle"),
        status=204,
    ),
    Case(
        "TagResource",
        "of a code signing configuration",
        {"Resource": "<csc>", "Tags": {"a": "b"}},
        API,
        status=204,
    ),
    refused(
        "TagResource",
        "with nothing",
        {**F, "Tags": {}},
        recorded("TestLambdaTags::test_tag_exceptions"),
        INVALID,
        "An error occurred and the request cannot be processed.",
    ),
    refused(
        "TagResource",
        "more than fifty",
        {**F, "Tags": {f"k{number}": "v" for number in range(50)}},
        recorded("TestLambdaTags::test_tag_limits"),
        INVALID,
        "Number of tags exceeds resource tag limit.",
    ),
    Case(
        "ListTags",
        "of a function",
        F,
        recorded("TestLambdaTag::test_tag_lifecycle"),
        {"Tags": {"team": "blue"}},
    ),
    Case(
        "ListTags",
        "none",
        {"Resource": f"{FUNCTION}bare"},
        recorded("TestLambdaTag::test_tag_lifecycle"),
        {"Tags": {}},
    ),
    Case(
        "UntagResource",
        "of a function",
        {**F, "TagKeys": ["team", "no"]},
        recorded("TestLambdaTag::test_tag_lifecycle"),
        status=204,
    ),
    *(
        refused(
            operation,
            "of an alias",
            {"Resource": f"{FUNCTION}f:live", **more},
            recorded("TestLambdaTags::test_tag_versions"),
            INVALID,
            QUALIFIED,
        )
        for operation, more in (("ListTags", {}), ("UntagResource", {"TagKeys": ["a"]}))
    ),
    *(
        refused(
            operation,
            "no such function",
            {"Resource": f"{FUNCTION}nothing", **more},
            recorded("TestLambdaTag::test_tag_nonexisting_resource"),
            MISSING,
            NOWHERE,
        )
        for operation, more in (
            ("TagResource", {"Tags": {"a": "b"}}),
            ("ListTags", {}),
            ("UntagResource", {"TagKeys": ["a"]}),
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_aws_answers_so(case: Case, api: LambdaApi) -> None:
    """Status and output, member for member, or code and message are AWS's."""
    case.check(api)
