"""Every request's way: which thread, in which order, and what comes of errors."""

import asyncio
import json
import threading
from typing import Any

import pytest

from lambent.model.call import Call, Result
from lambent.model.errors import conflict
from lambent.server import edge as edges
from lambent.testing.ask import ask
from lambent.testing.loop import on_loop

SETTINGS = ("GET", "/2016-08-19/account-settings/")
STS = ("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15")
FORM = {"content-type": "application/x-www-form-urlencoded"}


@on_loop
async def test_lambda_runs_on_the_control_thread_and_others_beside_it(place: Any) -> None:
    """Lambda's operations share one thread, other services' have theirs, neither is the loop's."""
    names: dict[str, str] = {}

    def remember(_: Any, call: Call) -> Result:
        names[call.operation] = threading.current_thread().name
        return Result({"Account": "1"} if call.service == "sts" else {})

    place.operations["GetAccountSettings"] = remember
    place.services["GetCallerIdentity"] = remember
    assert (await place.ask(*SETTINGS)).status == 200
    assert (await place.ask(*STS, headers=FORM)).status == 200
    assert names["GetAccountSettings"].startswith("control")
    assert names["GetCallerIdentity"].startswith("lambent-service")


@on_loop
async def test_control_operations_run_one_after_the_other(place: Any) -> None:
    """Of many at once each runs alone, with the work it left, before the next begins and is answered."""
    log: list[str] = []

    def note(_: Any, call: Call) -> Result:
        log.append("run")
        return Result()

    place.operations["GetAccountSettings"] = note
    place.after = lambda: log.append("after")
    await asyncio.gather(*(place.ask(*SETTINGS) for _ in range(20)))
    assert log == ["run", "after"] * 20


@on_loop
async def test_an_answer_survives_the_work_that_fails_after_it(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """When what an operation left cannot be done the client has its answer, and the log the reason."""
    place.operations["GetAccountSettings"] = lambda *_: Result()

    def fail() -> None:
        raise ValueError("left undone")

    place.after = fail
    assert (await place.ask(*SETTINGS)).status == 200
    assert "left undone" in caplog.text


@on_loop
async def test_a_clients_fault_is_its_answer(place: Any) -> None:
    """An AwsError goes out with its status, code, message and request id."""

    def refuse(_: Any, call: Call) -> Result:
        raise conflict("It is there already.")

    place.operations["GetAccountSettings"] = refuse
    answer = await place.ask(*SETTINGS)
    assert answer.status == 409
    assert answer.headers["x-amzn-errortype"].startswith("ResourceConflictException")
    assert answer.headers["x-amzn-requestid"]
    document = {k.lower(): v for k, v in json.loads(answer.body).items()}
    assert document["message"] == "It is there already."


@on_loop
async def test_a_bug_is_500_without_its_inside(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected exception is ServiceException with the request id; its text stays in our log."""

    def fail(_: Any, call: Call) -> Result:
        raise RuntimeError("secret detail")

    place.operations["GetAccountSettings"] = fail
    answer = await place.ask(*SETTINGS)
    assert answer.status == 500
    assert answer.headers["x-amzn-errortype"].startswith("ServiceException")
    assert b"secret detail" not in answer.body
    assert answer.headers["x-amzn-requestid"].encode() in answer.body
    assert "secret detail" in caplog.text


@on_loop
async def test_what_is_not_served_is_501(place: Any) -> None:
    """An operation of AWS's that this platform lacks, and a path of nobody's, are refused by name."""
    answer = await place.ask(*SETTINGS)
    assert (answer.status, b"GetAccountSettings" in answer.body) == (501, True)
    assert (await place.ask("GET", "/2015-03-31/nothing")).status in (404, 501)


@on_loop
async def test_minted_credentials_say_who_calls(place: Any) -> None:
    """A key the platform minted gives account and principal, one of 12 digits the account."""
    callers = []

    def who(_: Any, call: Call) -> Result:
        callers.append(call.caller)
        return Result()

    place.operations["GetAccountSettings"] = who
    for key in ("ASIAMINTED", "123456789012", "AKIAOTHER"):
        scope = f"AWS4-HMAC-SHA256 Credential={key}/20260131/eu-west-1/lambda/aws4_request"
        await place.ask(*SETTINGS, headers={"authorization": scope})
    assert [c.account_id for c in callers] == ["111122223333", "123456789012", "000000000000"]
    assert {c.region for c in callers} == {"eu-west-1"}
    assert callers[0].principal_arn == "arn:aws:sts::111122223333:assumed-role/r/f"
    assert callers[1].principal_arn is None


@on_loop
async def test_a_full_queue_is_503_at_once(place: Any) -> None:
    """Beyond MAX_WAITING a request is refused without a thread, and one less makes room again."""
    place.operations["GetAccountSettings"] = lambda *_: Result()
    place.edge._waiting = edges.MAX_WAITING
    assert (await place.ask(*SETTINGS)).status == 503
    place.edge._waiting -= 1
    assert (await place.ask(*SETTINGS)).status == 200
    assert place.edge._waiting == edges.MAX_WAITING - 1


@on_loop
async def test_a_body_that_was_discarded_is_413(place: Any) -> None:
    """Too large a request is refused in AWS's words, whatever it asked for."""
    answer = await place.ask("POST", "/2015-03-31/functions", b"x" * 11, max_body_bytes=10)
    assert answer.status == 413
    assert answer.headers["x-amzn-errortype"].startswith("RequestEntityTooLargeException")
    assert b"CreateFunction" in answer.body


@on_loop
async def test_health_and_reset(place: Any) -> None:
    """The platform's own endpoints answer to their methods and to nothing else."""
    health = await place.ask("GET", "/_lambent/health?x=1")
    assert (health.status, json.loads(health.body)) == (200, {"status": "ok"})
    assert (await place.ask("GET", "/_lambent/reset")).status == 404
    assert place.resets == 0
    assert (await place.ask("POST", "/_lambent/reset")).status == 200
    assert place.resets == 1
    assert (await place.ask("POST", "/_lambent/health")).status == 404


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("a" * 64, 200),
        ("b" * 64, 404),
        ("A" * 64, 404),
        ("a" * 63, 404),
        ("../" + "a" * 61, 404),
        ("a" * 64 + "/", 404),
    ],
)
@on_loop
async def test_code_is_given_by_its_digest_only(place: Any, name: str, status: int) -> None:
    """A stored zip comes by 64 hex digits; nothing else is even looked for."""
    answer = await place.ask("GET", f"/_lambent/code/{name}")
    assert answer.status == status
    assert (answer.body == b"zip") == (status == 200)


@on_loop
async def test_reset_must_be_allowed(place: Any) -> None:
    """Where it was not allowed at the start it is 403 and says how to."""
    place.edge._internal._reset = None
    answer = await place.ask("POST", "/_lambent/reset")
    assert (answer.status, b"--allow-reset" in answer.body) == (403, True)


@on_loop
async def test_a_function_gets_the_api_and_not_the_platform(place: Any) -> None:
    """Inside an environment AWS's operations answer, and the platform's own endpoints do not."""
    place.operations["GetAccountSettings"] = lambda *_: Result()
    inside = place.edge.handle_inside
    assert (await ask(inside, *SETTINGS)).status == 200
    for method, path in (("POST", "reset"), ("GET", "health"), ("GET", "code/" + "a" * 64)):
        assert (await ask(inside, method, f"/_lambent/{path}")).status == 403
    assert place.resets == 0


class Urls:
    """Answers what reaches function URLs."""

    async def serve(self, exchange: Any) -> None:
        exchange.respond(299, [], exchange.target)


@on_loop
async def test_requests_for_function_urls_go_by_their_host(place: Any) -> None:
    """Whatever their path, they reach the function URLs; others never do, from inside as from outside."""
    place.operations["GetAccountSettings"] = lambda *_: Result()
    edge = place.edge
    host = {"host": f"{'a' * 32}.lambda-url.us-east-1.localhost:4566"}
    assert (await place.ask(*SETTINGS, headers=host)).status == 200  # none are served here
    edge._function_urls = Urls()
    for path in ("/", "/2015-03-31/functions/f/invocations", SETTINGS[1], "/_lambent/health"):
        assert (await place.ask("POST", path, headers=host)).status == 299
    assert (await ask(edge.handle_inside, "POST", "/", headers=host)).status == 299
    assert (await ask(edge.handle_inside, "GET", "/_lambent/health", headers=host)).status == 403
    assert (await place.ask(*SETTINGS)).status == 200


@on_loop
async def test_metrics_are_scraped_as_text(place: Any) -> None:
    """``GET /_lambent/metrics`` has Prometheus' content type; other methods are not known."""
    answer = await place.ask("GET", "/_lambent/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert (await place.ask("POST", "/_lambent/metrics")).status == 404
