"""Who calls: the fast reading of a credential scope agrees with the wire's, and nothing makes it fail."""

from dataclasses import dataclass
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from lambent.http1.exchange import Exchange
from lambent.server.callers import account_and_region, refine, to_request
from lambent.wire.codec import caller_of

part = st.text(
    st.characters(codec="latin-1", exclude_characters=" ,/\t\r\n\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0"),
    max_size=15,
)
keys = st.from_regex(r"[0-9]{12}", fullmatch=True) | st.builds(
    "/".join, st.lists(part, min_size=1, max_size=2)
)
scopes = st.builds(lambda *p: "/".join(p), keys, part, part, part)


@dataclass
class Minted:
    account_id: str = "111122223333"
    principal_arn: str = "arn:aws:sts::111122223333:assumed-role/r/f"


def look_up(key: str) -> Minted | None:
    return Minted() if key == "ASIAMINTED" else None


def exchange(**headers: bytes) -> Exchange:
    given = {name.encode(): value for name, value in headers.items()}
    return Exchange(None, b"POST", b"/a%20b?c=d&e", given)  # type: ignore[arg-type]


@given(scopes)
@example("123456789012/20260131/eu-west-1/lambda")
@example("ASIAMINTED/20260131/eu-west-1/lambda")
@example("local/key/20260131//lambda")
def test_the_fast_reading_agrees_with_the_wire(scope: str) -> None:
    """Account and region are the same as from the full reading, minted credentials included."""
    signed = f"AWS4-HMAC-SHA256 Credential={scope}/aws4_request, SignedHeaders=host, Signature=ab"
    made = exchange(authorization=signed.encode("latin-1"))
    caller = refine(caller_of(to_request(made), ""), look_up)
    assert account_and_region(made, look_up) == (caller.account_id, caller.region)


@given(st.none() | st.binary(max_size=80) | st.binary(max_size=30).map(
    lambda b: b"Credential=" + b + b"/aws4_request"))  # fmt: skip
def test_any_header_gives_an_account_and_a_region(value: bytes | None) -> None:
    """An unreadable scope is the default place, never an error."""
    made = exchange(authorization=value) if value is not None else exchange()
    account_id, region = account_and_region(made, look_up)
    assert len(account_id) == 12
    assert account_id.isascii()
    assert account_id.isdecimal()
    assert region


def test_a_presigned_request_names_its_caller_too() -> None:
    """Without a header the scope is read from the query."""
    scope = "123456789012%2F20260131%2Feu-west-1%2Flambda%2Faws4_request"
    made: Any = exchange()
    made.target = f"/?X-Amz-Credential={scope}".encode()
    assert account_and_region(made, look_up) == ("123456789012", "eu-west-1")


def test_an_exchange_becomes_a_request() -> None:
    """Path and query are split and stay raw; headers are text."""
    request = to_request(exchange(a=b"\xe9"))
    assert (request.method, request.path, request.query) == ("POST", "/a%20b", "c=d&e")
    assert request.headers == {"a": "é"}
