"""CORS as a function URL's configuration wants it: preflight answers, and headers of the others.

Pure. Source: "Cross-origin resource sharing (CORS)" in
https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
"""

from collections.abc import Mapping, Sequence

from lambent.model.function_url import Cors

Headers = Sequence[tuple[str, str]]
_OF_CORS = "access-control-"


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks what it may do, before it does it."""
    asks = "origin" in headers and "access-control-request-method" in headers
    return method == "OPTIONS" and asks


def preflight_headers(cors: Cors, origin: str) -> Headers:
    """The answer to a preflight request; empty where the origin is not allowed."""
    found = list(_of_origin(cors, origin))
    if not found:
        return ()
    for name, values in (("methods", cors.allow_methods), ("headers", cors.allow_headers)):
        if values:
            found.append((f"access-control-allow-{name}", ",".join(values)))
    if cors.max_age_s is not None:
        found.append(("access-control-max-age", str(cors.max_age_s)))
    return found


def with_cors(cors: Cors | None, origin: str | None, headers: Headers) -> Headers:
    """The headers of an answer to ``origin``.

    AWS: the configuration takes precedence over what the function says of CORS.
    """
    if cors is None:
        return headers
    own = [(name, value) for name, value in headers if not name.lower().startswith(_OF_CORS)]
    if origin is None:
        return own
    found = list(_of_origin(cors, origin))
    if found and cors.expose_headers:
        found.append(("access-control-expose-headers", ",".join(cors.expose_headers)))
    return own + found


def _of_origin(cors: Cors, origin: str) -> Headers:
    if not _allows(cors.allow_origins or (), origin):
        return ()
    with_credentials = bool(cors.allow_credentials)
    if "*" in (cors.allow_origins or ()) and not with_credentials:
        return (("access-control-allow-origin", "*"),)
    # A browser does not take "*" with credentials, so the origin is named.
    found = [("access-control-allow-origin", origin), ("vary", "Origin")]
    if with_credentials:
        found.append(("access-control-allow-credentials", "true"))
    return found


def _allows(allowed: Sequence[str], origin: str) -> bool:
    scheme = origin.partition("://")[0]
    return any(
        one in ("*", f"{scheme}://*") or one.rstrip("/").lower() == origin.lower()
        for one in allowed
    )
