"""Recursive loops: the lineage in the trace header, by which a function that keeps invoking itself is known.

``Lineage=REQUESTS:HASH:PASSES`` stands in the ``X-Amzn-Trace-Id`` that a function is given; SDKs inside it
send the header along with what they ask for, and queues and topics keep it. AWS shows the three fields
(``Lineage=1:01bc76f7:0`` in what functions log) and their ranges (255 and 32,767, in the X-Ray propagators
of OpenTelemetry), not how it moves them. Here, without I/O:

1. HASH is one function of the chain, the anchor: 8 hex digits of SHA-256 of its ARN. PASSES counts how often
   the chain came back to it, REQUESTS its invocations.
2. The 17th time the chain comes to the anchor it is stopped. AWS: "approximately 16 times in the same chain".
3. A loop need not begin where the chain does. So at powers of two, where the anchor has not been met often
   enough to be in a loop of up to 16 functions, the function at hand becomes the anchor (as in Brent's search
   for cycles); after 255 requests a chain begins anew. A chain that never meets a function twice is never stopped.
"""

import re
from functools import lru_cache
from hashlib import sha256

from lambent.model.errors import ClientFault

MAX_PASSES = 16
MAX_REQUESTS = 255
_MARK = "Lineage="
_LINEAGE = re.compile(r";?Lineage=(?:(\d{1,3}):([0-9a-f]{8}):(\d{1,5})(?=;|$))?[^;]*")
_LOOP_LENGTH = 16


def extend(trace: str, account_id: str, region: str, name: str) -> tuple[str, int]:
    """The trace header as the function gets it, and how often its chain came back to it before.

    One that carries no lineage begins a chain.
    """
    start = _start(account_id, region, name)
    if _MARK not in trace:
        return trace + start, 0
    found = _LINEAGE.search(trace)
    rest = _LINEAGE.sub("", trace)
    if found is None or found[1] is None:
        return rest + start, 0
    anchor, passes = _advance(
        int(found[1]), found[2], int(found[3]), _hash(account_id, region, name)
    )
    requests = int(found[1]) % MAX_REQUESTS + 1
    return f"{rest};Lineage={requests}:{anchor}:{passes}", passes


def stopped() -> ClientFault:
    """What the caller of a function in a loop is told. Source: shape ``RecursiveInvocationException``.

    Best known: the model has this text as the error's description; no recording of the message is known.
    """
    return ClientFault(
        "RecursiveInvocationException",
        "Lambda has detected your function being invoked in a recursive loop with other Amazon Web "
        "Services resources and stopped your function's invocation.",
        400,
        fields={"Type": "User"},
    )


def _advance(requests: int, anchor: str, passes: int, here: str) -> tuple[str, int]:
    """The anchor and its passes after one more invocation, of the function ``here``."""
    requests += 1
    if here == anchor:
        return anchor, passes + 1
    is_power = requests & (requests - 1) == 0
    if requests > MAX_REQUESTS or (is_power and passes * _LOOP_LENGTH < requests):
        return here, 0
    return anchor, passes


@lru_cache(maxsize=4096)
def _start(account_id: str, region: str, name: str) -> str:
    return f";Lineage=1:{_hash(account_id, region, name)}:0"


@lru_cache(maxsize=4096)
def _hash(account_id: str, region: str, name: str) -> str:
    arn = f"arn:aws:lambda:{region}:{account_id}:function:{name}"
    return sha256(arn.encode()).hexdigest()[:8]
