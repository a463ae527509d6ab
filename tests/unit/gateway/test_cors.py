"""CORS: which origins are let in, and with which headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.gateway.cors import is_preflight, preflight_headers, with_cors
from lambent.model.function_url import Cors

ORIGIN = "https://example.com"


def test_a_preflight_is_asked_by_its_headers() -> None:
    """OPTIONS alone is an ordinary request."""
    asks = {"origin": ORIGIN, "access-control-request-method": "PUT"}
    assert is_preflight("OPTIONS", asks)
    assert not is_preflight("GET", asks)
    assert not is_preflight("OPTIONS", {"origin": ORIGIN})


def test_a_preflight_answer_has_all_that_is_configured() -> None:
    """Methods, headers, age and credentials, each as configured; nothing for another origin."""
    cors = Cors(True, ("x-a", "x-b"), ("GET", "PUT"), (ORIGIN,), ("x-c",), 60)
    assert dict(preflight_headers(cors, ORIGIN)) == {
        "access-control-allow-origin": ORIGIN,
        "vary": "Origin",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,PUT",
        "access-control-allow-headers": "x-a,x-b",
        "access-control-max-age": "60",
    }
    assert preflight_headers(cors, "https://other.example") == ()


@pytest.mark.parametrize(
    ("allowed", "origin", "named"),
    [
        (("*",), ORIGIN, "*"),
        ((ORIGIN,), ORIGIN, ORIGIN),
        ((f"{ORIGIN}/",), ORIGIN, ORIGIN),
        (("https://*",), ORIGIN, ORIGIN),
        (("http://*",), ORIGIN, None),
        (("http://example.com",), ORIGIN, None),
        ((ORIGIN,), f"{ORIGIN}.evil.example", None),
        (("example.com",), ORIGIN, None),
        ((), ORIGIN, None),
        (None, ORIGIN, None),
    ],
)
def test_which_origins_are_let_in(
    allowed: tuple[str, ...] | None, origin: str, named: str | None
) -> None:
    """All, one by its whole name, or all of a scheme."""
    found = dict(with_cors(Cors(allow_origins=allowed), origin, ()))
    assert found.get("access-control-allow-origin") == named


def test_with_credentials_all_origins_are_named_one_by_one() -> None:
    """A browser takes no * with credentials."""
    found = dict(with_cors(Cors(True, allow_origins=("*",)), ORIGIN, ()))
    assert found["access-control-allow-origin"] == ORIGIN


def test_the_configuration_takes_precedence() -> None:
    """What the function says of CORS is replaced; without a configuration it is left alone."""
    own = [("Access-Control-Allow-Origin", "https://evil.example"), ("x", "1")]
    cors = Cors(allow_origins=("*",), expose_headers=("x",))
    assert list(with_cors(cors, ORIGIN, own)) == [
        ("x", "1"),
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", "x"),
    ]
    assert list(with_cors(cors, None, own)) == [("x", "1")]
    assert with_cors(None, ORIGIN, own) == own


@given(st.lists(st.text(max_size=20)), st.text(max_size=20), st.booleans())
def test_an_origin_not_allowed_is_never_named(
    allowed: list[str], origin: str, credentials: bool
) -> None:
    """A named origin is one of those allowed, or all are."""
    cors = Cors(credentials, allow_origins=tuple(allowed))
    found = dict(with_cors(cors, origin, ()))
    if "access-control-allow-origin" in found:
        names = [one.rstrip("/").lower() for one in allowed]
        wild = any(one == "*" or one.endswith("://*") for one in allowed)
        assert wild or origin.lower() in names
