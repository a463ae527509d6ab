"""Every member of every operation with values AWS does not take: a refusal in AWS's form, never a failure of ours.

The account is populated, and what is around the bad value is a request that works: so operations get past
their look-ups. What a bug raises comes through and fails the test.
"""

import asyncio
import base64
import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambent.control.registry import OPERATIONS
from lambent.model.http import HttpRequest, HttpResponse
from lambent.server.invoke_route import OPERATIONS as INVOCATIONS
from lambent.testing.invocation_api import invocations
from lambent.testing.lambda_api import LambdaApi, filled, serialized
from lambent.testing.parity import Case
from lambent.wire.models import operation_model

MemberPath = tuple[str | int, ...]
Members = Iterator[tuple[MemberPath, Any]]

DEEP: Any = json.loads("[" * 300 + "]" * 300)
HOSTILE = (
    *(
        base64.b64encode(text).decode()
        for text in (b"[" * 5_000, b"[99999999999999999999]", b'["a", 1]')
    ),
    f"arn:aws:lambda:us-east-1:000000000000:layer:l:{'9' * 30}",
    f"arn:aws:lambda:us-east-1:000000000000:function:f:{'9' * 30}",
    f"f:{'9' * 30}",
    "9" * 30,
)
"""Texts that are taken for markers, versions and names, and hold more than there is room for."""
WRONG: Mapping[str, tuple[Any, ...]] = {
    "string": (5, True, [], {}, DEEP),
    "integer": ("x", "", True, [], {}, 10**400),
    "long": ("x", "", True, [], {}, 10**400),
    "double": ("x", True, [], {}),
    "float": ("x", True, [], {}),
    "boolean": ("x", 1, [], {}),
    "timestamp": ("x", True, [], {}, 1e300),
    "blob": (5, True, [], {}, "!"),
    "list": ("x", 5, True, {}),
    "map": ("x", 5, True, []),
    "structure": ("x", 5, True, [], DEEP),
}
"""JSON values that are not of a type: always refused."""
STRANGE: Mapping[str, tuple[Any, ...]] = {
    "string": (
        "",
        "x" * 70_000,
        "\0",
        "é😀",
        "9" * 120,
        "../..",
        "%2e%2e/",
        "a:b:c:d:e:f:g:h",
        "[" * 5_000,
    ),
    "integer": (0, -1, 2**31, 2**63, -(2**63) - 1, 2**200, 1.5),
    "long": (0, -1, 2**31, 2**63 - 1, 2**63, 2**200, 1.5),
    "double": (0, -1, 1e308, 2**2000),
    "float": (0, -1, 1e308),
    "timestamp": (0, -1, 1e18, "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59"),
    "blob": (b"", b"PK", b"PK\5\6" + b"\0" * 18, b"PK\3\4" + b"\xff" * 40),
    "list": ([], [None]),
    "map": ({}, {"": ""}, {"k": None}),
    "structure": ({}, {"Unknown": 1}),
}
"""Values some members take and some do not: answered in either case."""
MISMATCH = (
    "can not be converted to|found where not expected|^Expected |^Unexpected |nested too deeply|"
    "^Invalid base64"
)
CONSTRAINT = (
    r"^\d+ validation errors? detected: .* failed to satisfy constraint: (Member|Map (keys|value)) must "
    "|^Value .* at 'runtime' failed to satisfy constraint: Member must satisfy enum value set"
)
TEXT_WRONG = ("", "abc", "1e3", "٣", "0x10")
"""What is no number or truth value in a path or a query."""


def members(shape: Any, prefix: MemberPath = (), inside: tuple[str, ...] = ()) -> Members:
    """Every member below ``shape`` by its path; 0 stands for an element of a list."""
    if shape is None or shape.name in inside:
        return
    inside = (*inside, shape.name)
    for name, member in shape.members.items() if shape.type_name == "structure" else ():
        yield (*prefix, name), member
        yield from members(member, (*prefix, name), inside)
    if shape.type_name == "list":
        yield (*prefix, 0), shape.member
        yield from members(shape.member, (*prefix, 0), inside)
    if shape.type_name == "map":
        yield (*prefix, "key"), shape.value
        yield from members(shape.value, (*prefix, "key"), inside)


def least(shape: Any) -> Any:
    """A small value of a shape."""
    match shape.type_name:
        case "structure":
            return {name: least(shape.members[name]) for name in shape.required_members}
        case "list":
            return [least(shape.member)]
        case "map":
            return {"key": least(shape.value)}
        case "string":
            return (
                shape.metadata.get("enum") or ["x" * max(1, int(shape.metadata.get("min", 1)))]
            )[0]
        case "boolean":
            return True
        case "blob":
            return "eA=="
        case _:
            return int(shape.metadata.get("min", 1))


def put(parameters: dict[str, Any], shape: Any, path: MemberPath, value: Any) -> dict[str, Any]:
    """A copy with ``value`` at ``path``, and small valid values where nothing was on the way."""
    changed: dict[str, Any] = copy.deepcopy(parameters)
    at: Any = changed
    for step in path[:-1]:
        shape = _below(shape, step)
        if isinstance(step, int):
            if not at:
                at.append(least(shape))
        elif at.get(step) is None:
            at[step] = least(shape)
        at = at[step]
    last = path[-1]
    if isinstance(last, int):
        at[:] = [value]
    else:
        at[last] = value
    return changed


def _below(shape: Any, step: str | int) -> Any:
    if shape.type_name == "list":
        return shape.member
    return shape.value if shape.type_name == "map" else shape.members[step]


def breaking(shape: Any) -> Iterator[Any]:
    """Values of the right type that break the model's constraints for ``shape``."""
    metadata, kind = shape.metadata, shape.type_name
    low, high = metadata.get("min"), metadata.get("max")
    if kind in ("integer", "long", "double", "float"):
        yield from (() if high is None else (high + 1,))
        yield from (() if low is None else (low - 1,))
    if kind == "string":
        yield from (() if high is None else ("x" * (high + 1),))
        yield from ("",) if low else ()
        yield from ("no such value",) if metadata.get("enum") else ()
        yield from _against(metadata.get("pattern"))
    if kind == "list":
        yield from ([],) if low else ()
        yield from () if high is None else ([least(shape.member)] * (high + 1),)


def _against(pattern: str | None) -> Iterator[str]:
    """Texts that a pattern does not match, as far as Python reads it as Java does."""
    try:
        compiled = re.compile(pattern) if pattern else None
    except re.error:
        return
    if compiled is not None:
        yield from (text for text in ("!", " ", "é", "\n") if not compiled.fullmatch(text))


class Sweep:
    """Bad requests of one operation, each on an account as it was at first."""

    def __init__(self, operation: str, template: Any, folder: Path, baselines: list[Any]) -> None:
        self.operation = operation
        self.model = operation_model("lambda", operation)
        self.shape = self.model.input_shape
        source, self.ids = template
        self._source: Path = source
        self._folder = folder
        self._api: LambdaApi | None = None
        self.is_invocation = operation in INVOCATIONS
        self._baselines = [filled(parameters, self.ids) for parameters in baselines]

    def around(self, path: MemberPath) -> dict[str, Any]:
        """The request a bad value is put into: one that has the member, if any does."""
        having = (each for each in self._baselines if path[0] in each)
        found: dict[str, Any] = next(having, self._baselines[0])
        return found

    def request(self, path: MemberPath, value: Any) -> HttpRequest:
        """The request with a bad value; botocore writes it, but for JSON's own types in a body."""
        parameters = self.around(path)
        if self.in_body(path) and not isinstance(value, bytes):
            sent = serialized(self.operation, parameters)
            body = put(json.loads(sent.body or b"{}"), self.shape, path, value)
            return replace(sent, body=json.dumps(body).encode())
        return serialized(self.operation, put(parameters, self.shape, path, value))

    def is_label(self, path: MemberPath) -> bool:
        """Whether a member is a part of the path; AWS: an empty one makes another path."""
        location: str | None = self.shape.members[path[0]].serialization.get("location")
        return location == "uri"

    def in_body(self, path: MemberPath) -> bool:
        """Whether a member travels in the JSON body; an invocation's body is its event, and no member's."""
        member = self.shape.members[path[0]]
        return member.serialization.get("location") is None and not self.is_invocation

    def answer(self, path: MemberPath, value: Any) -> HttpResponse:
        """What is answered to a bad value."""
        return self.send(self.request(path, value), f"{path} {_short(value)}")

    def send(self, request: HttpRequest, what: str) -> HttpResponse:
        """What is answered. The account is made anew after what changed it."""
        if self._api is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            shutil.copytree(self._source, self._folder)
            self._api = LambdaApi.on(self._folder, self.ids)
        try:
            answer = self._answer(self._api, request)
        except Exception as error:
            raise AssertionError(f"{self.operation} {what} raised {error!r}") from error
        if answer.status < 300 and not self.operation.startswith(("Get", "List", "Invoke")):
            self.close()
        return answer

    def _answer(self, api: LambdaApi, request: HttpRequest) -> HttpResponse:
        if self.is_invocation:
            return asyncio.run(_invoke(api, request))
        return api.answer(request)

    def close(self) -> None:
        """Closes the account."""
        if self._api is not None:
            self._api.close()
            self._api = None


async def _invoke(api: LambdaApi, request: HttpRequest) -> HttpResponse:
    async with invocations(api) as place:
        return await place.answer(request)


@pytest.fixture
def sweep(template: Any, tmp_path: Path, all_cases: list[Case]) -> Iterator[Callable[[str], Sweep]]:
    """``sweep(operation)``, around the operation's cases that succeed."""
    made: list[Sweep] = []

    def make(operation: str) -> Sweep:
        working = [
            case.parameters
            for case in all_cases
            if case.operation == operation and case.error is None
            if not case.before and not case.settings
        ]
        if not working:
            working = [case.parameters for case in all_cases if case.operation == operation]
        made.append(Sweep(operation, template, tmp_path / "swept", working))
        return made[0]

    yield make
    for each in made:
        each.close()


def _short(value: Any) -> str:
    return repr(value)[:60]


def refusals(
    sweep: Sweep, values: Callable[[Any], Any], *, body_only: bool
) -> Iterator[tuple[str, HttpResponse]]:
    """The answers to every bad value of every member, each with what was sent."""
    for path, shape in members(sweep.shape):
        if body_only and not sweep.in_body(path):
            continue
        for value in values(shape):
            if value == "" and sweep.is_label(path):
                continue
            yield f"{sweep.operation} {path} {_short(value)}", sweep.answer(path, value)


def message_of(answer: HttpResponse) -> str:
    """The error's text; AWS: some shapes spell the member with a capital."""
    body = json.loads(answer.body)
    return str(body.get("message") or body.get("Message") or "")


def headers_of(answer: HttpResponse) -> Mapping[str, str]:
    """Its headers, by lower-case names."""
    return {name.lower(): value for name, value in answer.headers}


def code_of(answer: HttpResponse) -> str:
    """The error's code."""
    return headers_of(answer).get("x-amzn-errortype", "")


def is_http_refusal(answer: HttpResponse) -> bool:
    """Whether it came no further than HTTP: a header that is too long, or is none."""
    is_text = headers_of(answer).get("content-type") == "text/plain"
    return is_text and answer.status in {400, 431}


EVERY = sorted(
    name
    for name in (*OPERATIONS, *INVOCATIONS)
    if operation_model("lambda", name).input_shape is not None
)


@pytest.mark.parametrize("operation", EVERY)
def test_a_wrong_type_is_refused(operation: str, sweep: Callable[[str], Sweep]) -> None:
    """A JSON value of another type is a 400 SerializationException in Coral's words."""
    wrong = refusals(sweep(operation), lambda shape: WRONG[shape.type_name], body_only=True)
    for sent, answer in wrong:
        assert (answer.status, code_of(answer)) == (400, "SerializationException"), sent
        text = message_of(answer)
        assert re.search(MISMATCH, text), (sent, text)


@pytest.mark.parametrize("operation", EVERY)
def test_what_breaks_a_constraint_is_refused(operation: str, sweep: Callable[[str], Sweep]) -> None:
    """Over-long, empty, out of range, no such value, against the pattern: 400, saying which constraint."""
    for sent, answer in refusals(sweep(operation), breaking, body_only=False):
        if is_http_refusal(answer):
            continue
        assert answer.status == 400, (sent, answer)
        assert code_of(answer) in {"ValidationException", "InvalidParameterValueException"}, sent
        text = message_of(answer)
        assert re.search(CONSTRAINT, text, re.DOTALL), (sent, text)


@pytest.mark.parametrize("operation", EVERY)
def test_strange_values_are_answered(operation: str, sweep: Callable[[str], Sweep]) -> None:
    """Whatever a value of the right type holds, there is an answer, and it is no failure of ours."""
    for sent, answer in refusals(
        sweep(operation), lambda shape: STRANGE.get(shape.type_name, ()), body_only=False
    ):
        assert answer.status < 500 or answer.status == 501, (sent, answer)
        if answer.status >= 400 and not is_http_refusal(answer):
            assert code_of(answer), (sent, answer)
            assert message_of(answer), (sent, answer)


@pytest.mark.parametrize("operation", EVERY)
def test_numbers_in_paths_and_queries_are_numbers(
    operation: str, sweep: Callable[[str], Sweep]
) -> None:
    """What is no number where one belongs is refused as JSON's would be."""
    swept = sweep(operation)
    for path, shape in members(swept.shape):
        if swept.in_body(path) or shape.type_name not in ("integer", "long", "boolean"):
            continue
        for text in TEXT_WRONG[swept.is_label(path) :]:
            answer = swept.answer(path, text)
            assert (answer.status, code_of(answer)) == (400, "SerializationException"), (path, text)


@pytest.mark.parametrize("operation", EVERY)
def test_null_is_absence(operation: str, sweep: Callable[[str], Sweep]) -> None:
    """A required member that is null is missing; another that is null is as if not given."""
    swept = sweep(operation)
    for name in swept.shape.members:
        if not swept.in_body((name,)):
            continue
        answer = swept.answer((name,), None)
        assert answer.status < 500 or answer.status == 501, (name, answer)
        if name in swept.shape.required_members:
            message = message_of(answer)
            wanted = f"Value null at '{name[0].lower()}{name[1:]}' failed to satisfy constraint"
            assert (answer.status, wanted in message) == (400, True), (name, message)


@pytest.mark.parametrize("operation", EVERY)
def test_an_unknown_member_is_ignored(operation: str, sweep: Callable[[str], Sweep]) -> None:
    """AWS does so: an SDK that is newer than the service still works with it."""
    swept = sweep(operation)
    body_members = [name for name in swept.shape.members if swept.in_body((name,))]
    if not body_members:
        return
    request = serialized(operation, swept.around((body_members[0],)))
    body = json.loads(request.body or b"{}") | {"NoSuchMember": {"a": [1]}}
    expected = swept.send(request, "as it is").status
    swept.close()
    found = swept.send(replace(request, body=json.dumps(body).encode()), "with more").status
    assert found == expected < 300
