"""The Lambda Runtime API, version 2018-06-01: which request is which move of the environment.

Wrong order is 403 ``InvalidStateTransition`` and changes nothing; an answer for another request id is 400
``InvalidRequestID``, for one already given up 410; too large an answer is 413.

Source: "Using the Lambda runtime API" (AWS Lambda) and its OpenAPI description.
"""

from typing import Protocol

from lambent.http1.exchange import Exchange
from lambent.model.invocation import Invocation
from lambent.node.lifecycle import InvalidStateTransitionError

PREFIX = b"/2018-06-01/runtime/"
_INVOCATION = PREFIX + b"invocation/"
_NEXT = PREFIX + b"invocation/next"
_INIT_ERROR = PREFIX + b"init/error"
_RESTORE_NEXT, _RESTORE_ERROR = PREFIX + b"restore/next", PREFIX + b"restore/error"
_RESPONSE = b"/response"
_JSON = b"content-type: application/json\r\n"
_ACCEPTED = b'{"status":"OK"}\n'
_ERROR_TYPE = b"lambda-runtime-function-error-type"


class RuntimeSide(Protocol):
    """What the endpoints ask of an environment. Each may raise InvalidStateTransitionError."""

    request_id: bytes | None
    past_request_id: bytes | None
    response_target: bytes
    """Where the runtime posts its response to; nothing where none is awaited."""

    def on_next(self, exchange: Exchange) -> None: ...
    def on_response(self, exchange: Exchange) -> None: ...
    def on_error(self, exchange: Exchange, error_type: str) -> None: ...
    def on_init_error(self, exchange: Exchange, error_type: str) -> None: ...
    def on_restore_next(self, exchange: Exchange) -> None: ...
    def on_restore_error(self, exchange: Exchange, error_type: str) -> None: ...
    def on_other(self, exchange: Exchange) -> bool:
        """What is not the Runtime API's; False where it is nobody's."""
        ...


def handle(environment: RuntimeSide, exchange: Exchange) -> None:
    """Serves one request of the runtime."""
    target, method = exchange.target, exchange.method
    try:
        # First, and without looking further: the two requests that an invocation is made of.
        if target == environment.response_target and method == b"POST":
            environment.on_response(exchange)
        elif target == _NEXT and method == b"GET" and not exchange.streamed:
            environment.on_next(exchange)
        else:
            _serve_other(environment, exchange)
    except InvalidStateTransitionError as error:
        refuse(exchange, 403, "InvalidStateTransition", f"State transition is not allowed: {error}")


def response_target(request_id: bytes) -> bytes:
    """Where a response to this invocation is posted to."""
    return _INVOCATION + request_id + _RESPONSE


def _serve_other(environment: RuntimeSide, exchange: Exchange) -> None:
    target = exchange.target
    if exchange.streamed and not target.endswith(_RESPONSE):
        refuse(exchange, 400, "InvalidRequest", "Only responses are streamed")
    elif target == _NEXT:
        if _method_is(exchange, b"GET"):
            environment.on_next(exchange)
    elif target.startswith(_INVOCATION):
        if _method_is(exchange, b"POST"):
            _answer(environment, exchange, target[len(_INVOCATION) :])
    elif target == _INIT_ERROR:
        if _method_is(exchange, b"POST"):
            environment.on_init_error(exchange, _error_type(exchange))
    elif target in {_RESTORE_NEXT, _RESTORE_ERROR}:
        _restore(environment, exchange, target)
    elif not environment.on_other(exchange):
        refuse(exchange, 404, "NotFound", f"No such path: {target.decode(errors='replace')}")


def _restore(environment: RuntimeSide, exchange: Exchange, target: bytes) -> None:
    """What a runtime asks that was restored from a snapshot, and posts when a hook failed then."""
    if target == _RESTORE_NEXT:
        if _method_is(exchange, b"GET"):
            environment.on_restore_next(exchange)
    elif _method_is(exchange, b"POST"):
        environment.on_restore_error(exchange, _error_type(exchange))


def _answer(environment: RuntimeSide, exchange: Exchange, rest: bytes) -> None:
    request_id, _, kind = rest.partition(b"/")
    if request_id != environment.request_id:
        if request_id == environment.past_request_id:
            refuse(exchange, 410, "Gone", "The invocation was already answered or given up")
        else:
            refuse(exchange, 400, "InvalidRequestID", "Invalid request ID")
    elif kind == b"response":
        environment.on_response(exchange)
    elif kind == b"error":
        environment.on_error(exchange, _error_type(exchange))
    else:
        refuse(exchange, 404, "NotFound", "No such path")


def _method_is(exchange: Exchange, method: bytes) -> bool:
    if exchange.method == method:
        return True
    refuse(exchange, 405, "MethodNotAllowed", f"Use {method.decode()}")
    return False


def _error_type(exchange: Exchange) -> str:
    return exchange.headers.get(_ERROR_TYPE, b"").decode("latin-1") or "Unhandled"


def accept(exchange: Exchange) -> None:
    """202, as every post is answered."""
    exchange.respond_raw(202, _JSON, _ACCEPTED)


def refuse(exchange: Exchange, status: int, error_type: str, message: str) -> None:
    """An error in the Runtime API's own form."""
    text = message.replace("\\", "\\\\").replace('"', '\\"')
    body = f'{{"errorMessage":"{text}","errorType":"{error_type}"}}\n'.encode()
    exchange.respond_raw(status, _JSON, body)


def event_head(invocation: Invocation, deadline_ms: int) -> bytes:
    """The headers that come with an event."""
    head = (
        f"content-type: application/json\r\nLambda-Runtime-Aws-Request-Id: {invocation.request_id}\r\n"
        f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\n"
        f"Lambda-Runtime-Invoked-Function-Arn: {invocation.invoked_arn}\r\n"
    )
    if invocation.trace_id:
        head += f"Lambda-Runtime-Trace-Id: {invocation.trace_id}\r\n"
    if invocation.spec.tenant_id is not None:
        head += f"Lambda-Runtime-Aws-Tenant-Id: {invocation.spec.tenant_id}\r\n"
    if invocation.client_context:
        head += f"Lambda-Runtime-Client-Context: {invocation.client_context}\r\n"
    if invocation.cognito_identity:
        head += f"Lambda-Runtime-Cognito-Identity: {invocation.cognito_identity}\r\n"
    return head.encode("utf-8")
