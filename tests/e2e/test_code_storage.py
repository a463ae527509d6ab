"""The account's quota of code storage, as `lambent up --code-storage` sets it."""

import os
from collections.abc import Callable
from typing import Any

import pytest

MIB = 1024 * 1024
SETTINGS = {
    "Runtime": "python3.11",
    "Role": "arn:aws:iam::000000000000:role/r",
    "Handler": "app.handler",
}


def test_what_does_not_fit_is_refused_and_what_goes_makes_room(
    start_platform: Callable[..., Any], zip_of: Callable[..., bytes]
) -> None:
    """Beyond the quota AWS's error, with nothing kept; after a deletion the same upload fits."""
    functions = start_platform(None, "--code-storage", "1").client("lambda")
    assert functions.get_account_settings()["AccountLimit"]["TotalCodeSize"] == MIB

    def create(name: str) -> None:
        files = {"app.py": "", "ballast": os.urandom(600_000)}
        code = {"ZipFile": zip_of(files)}
        functions.create_function(FunctionName=name, Code=code, **SETTINGS)

    create("one")
    with pytest.raises(functions.exceptions.CodeStorageExceededException) as refused:
        create("two")
    assert refused.value.response["Error"]["Message"] == "Code storage limit exceeded."
    assert [one["FunctionName"] for one in functions.list_functions()["Functions"]] == ["one"]
    functions.delete_function(FunctionName="one")
    create("two")
