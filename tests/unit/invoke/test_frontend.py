"""The one way in: what is checked, counted, routed and given back."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambent.invoke import lineage
from lambent.invoke.counting import Counting
from lambent.invoke.frontend import MAX_SYNC_PAYLOAD_BYTES, Frontend, check_payload
from lambent.invoke.placement import Placement
from lambent.model.errors import ClientFault, PlatformFault, not_found
from lambent.model.invocation import Target
from lambent.testing.loop import on_loop, turns, until
from lambent.testing.node import FakeNode, make_spec

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip
PLACE = ("000000000000", "us-east-1", "f", None)


class OneFunction:
    """A directory of one function."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def resolve(self, account_id: str, region: str, name: str, qualifier: str | None) -> Target:
        """The target, or AWS's 404."""
        if name != "f":
            raise not_found(f"Function not found: {name}")
        return self.target


@given(st.binary(max_size=100) | st.text("[]{}\",:0123.eE-+truefalsn\\u \xff\ud800").map(
    lambda t: t.encode("utf-8", "surrogatepass")))  # fmt: skip
@example(b'"\xff"')
@example(b'"\xed\xa0\x80"')
@example(b"[" * 100_000)
@example(b"NaN")
@example(b"{} {}")
@example(b"\xef\xbb\xbf{}")
def test_bytes_are_a_client_fault_or_json(payload: bytes) -> None:
    """Any bytes are either passed on untouched, and then JSON in UTF-8, or a ClientFault."""
    refusal, checked = None, b"null"
    try:
        checked = check_payload(payload)
    except ClientFault as fault:
        refusal = (fault.code, fault.status)
    if refusal:
        assert refusal == ("InvalidRequestContentException", 400)
    else:
        assert checked == (payload or b"{}")
        json.loads(checked.decode("utf-8"))


@given(json_values, st.booleans(), st.sampled_from([None, 0, 2]))
def test_json_passes_untouched(value: Any, is_ascii: bool, indent: int | None) -> None:
    """Every JSON document, however it is written, comes through byte for byte."""
    payload = f" {json.dumps(value, ensure_ascii=is_ascii, indent=indent)}\r\n\t".encode()
    assert check_payload(payload) is payload


def test_no_payload_is_an_empty_object() -> None:
    """A call without a body gives the function ``{}``."""
    assert check_payload(b"") == b"{}"


@pytest.mark.parametrize("size", [MAX_SYNC_PAYLOAD_BYTES, MAX_SYNC_PAYLOAD_BYTES + 1])
def test_the_payload_limit_is_exact(size: int) -> None:
    """Six MiB pass, one byte more is 413 with AWS's words."""
    payload = b'"%b"' % (b"a" * (size - 2))
    if size <= MAX_SYNC_PAYLOAD_BYTES:
        assert check_payload(payload) is payload
        return
    with pytest.raises(ClientFault) as caught:
        check_payload(payload)
    assert (caught.value.code, caught.value.status) == ("RequestEntityTooLargeException", 413)
    text = "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    assert caught.value.message == text


def frontend(
    node: FakeNode, target: Target, limit: int = 10, draw: Callable[[], float] = lambda: 0.5
) -> tuple[Frontend, Counting]:
    """A frontend of one function on a fake node."""
    counting = Counting(limit)
    return Frontend(OneFunction(target), counting, Placement(node, 100, 300), draw), counting


@on_loop
async def test_an_event_reaches_the_function_as_it_came() -> None:
    """Payload, request id, client context and the ARN arrive unchanged, the trace with its lineage."""
    trace = "Root=1;Parent=2;Sampled=0"
    node = FakeNode(automatic=True)
    made, _ = frontend(node, Target("arn:qualified", make_spec()))
    answer = made.invoke(*PLACE, b"[1]", request_id="r", client_context="{}", trace_id=trace)
    task = _task(answer)
    await until(lambda: node.by_state() == {"invoking": 1})
    event = node.environments[0].invocation
    assert event is not None
    assert (event.payload, event.request_id, event.invoked_arn) == (b"[1]", "r", "arn:qualified")
    assert event.client_context == "{}"
    assert event.trace_id == lineage.extend(trace, *PLACE[:3])[0]
    node.environments[0].respond()
    assert (await task).payload == b"[1]"


@on_loop
async def test_a_weighted_alias_follows_its_draws() -> None:
    """A scripted sequence of draws decides version by version, and the result names which ran."""
    script = iter([0.29, 0.30, 0.0, 0.99])
    target = Target("arn", make_spec(version="1"), make_spec(version="2"), 0.3)
    node = FakeNode(automatic=True)
    made, _ = frontend(node, target, draw=lambda: next(script))
    ran = []
    for _ in range(4):
        task = _task(made.invoke(*PLACE, b""))
        await until(lambda: node.by_state().get("invoking") == 1)
        for environment in node.environments:
            if environment.state == "invoking":
                environment.respond()
                environment.become_ready()
        ran.append((await task).executed_version)
    assert ran == ["2", "1", "2", "1"]


@on_loop
async def test_every_way_out_gives_its_place_back() -> None:
    """After a result, a failed start and a refusal nothing is counted as running."""
    node = FakeNode()
    made, counting = frontend(node, Target("arn", make_spec()), limit=1)
    task = _task(made.invoke(*PLACE, b""))
    await turns()
    assert counting.in_use(*PLACE[:3]) == 1
    with pytest.raises(ClientFault) as throttled:
        await made.invoke(*PLACE, b"")
    assert throttled.value.status == 429
    assert len(node.starts) == 1
    node.starts[0].fail(OSError("no"))
    await turns()
    node.starts[1].fail(OSError("no"))
    with pytest.raises(PlatformFault):
        await task
    assert counting.in_use(*PLACE[:3]) == 0
    for name, payload in (("g", b""), ("f", b"{")):
        with pytest.raises(ClientFault):
            await made.invoke("000000000000", "us-east-1", name, None, payload)
    assert counting.in_use(*PLACE[:3]) == 0
    assert len(node.starts) == 2


@on_loop
async def test_every_name_of_a_function_counts_as_one() -> None:
    """A reservation holds for all versions and names together, and leaves with the last execution."""
    node = FakeNode(automatic=True)
    made, counting = frontend(node, Target("arn", make_spec()))
    counting.reserve("000000000000", "us-east-1", "f", 2)
    places = ("000000000000", "us-east-1", "f")
    tasks = [_task(made.invoke(*places, qualifier, b"")) for qualifier in (None, "1", "live")]
    await until(lambda: node.by_state() == {"invoking": 2})
    with pytest.raises(ClientFault) as throttled:
        await tasks[2]
    reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert throttled.value.fields["Reason"] == reason
    for environment in node.environments:
        environment.respond()
    await asyncio.gather(*tasks[:2])
    assert counting.in_use(*PLACE[:3]) == 0


@on_loop
async def test_a_dry_run_starts_nothing() -> None:
    """DryRun names the version and refuses what an invocation would refuse, without running it."""
    node = FakeNode()
    made, _ = frontend(node, Target("arn", make_spec(version="7")))
    assert made.check(*PLACE) == "7"
    with pytest.raises(ClientFault):
        made.check("000000000000", "us-east-1", "g", None)
    await turns()
    assert not node.starts


def _task(answer: Any) -> Any:
    return asyncio.get_running_loop().create_task(answer)
