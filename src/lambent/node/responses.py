"""What a runtime answers an invocation with: a result or an error, whole or piece by piece.

Which answers are possible when is the environment's table; what of a streamed one was sent cannot be taken back.
"""

import asyncio
from functools import partial
from typing import Protocol

from lambent.http1.exchange import Exchange
from lambent.model.invocation import EnvironmentSpec, Invocation
from lambent.node import outcomes
from lambent.node.lifecycle import Event, InvalidStateTransitionError, State
from lambent.node.outcomes import Failure
from lambent.node.runtime_api import endpoints
from lambent.node.streamed_response import (
    MAX_STREAMED_BYTES,
    MODE,
    StreamedResponse,
    error_in_trailers,
    is_streaming,
)

LAST_WORDS_S = 0.5
"""POLICY: a runtime that told its initialisation's error, or broke a response off, has this long to end by
itself."""
_PLATFORM_ERRORS = ("Runtime.", "Sandbox.", "Function.")


class Answered(Protocol):
    """The environment whose invocation is answered."""

    spec: EnvironmentSpec
    state: State

    @property
    def invocation(self) -> Invocation | None: ...
    def answered(self, event: Event) -> None: ...
    def finish(
        self, payload: bytes, function_error: str | None, status: str | None, error_type: str | None
    ) -> None: ...
    def tell_responded(self) -> None: ...
    def give_up(self, request_id: str, failure: Failure) -> None: ...


class Responses:
    """See the module. One for each environment."""

    def __init__(self, environment: Answered) -> None:
        self._environment = environment
        self._stream: StreamedResponse | None = None

    def on_response(self, exchange: Exchange) -> None:
        """The function's result: whole, or its head where its body is to be handed on as it comes."""
        if self._stream is not None:
            self._refuse_second_answer(Event.RESPONSE)
        if exchange.streamed:
            self._begin_stream(exchange)
            return
        environment = self._environment
        environment.answered(Event.RESPONSE)
        if exchange.too_large:
            self._refuse_oversized(exchange, outcomes.response_too_large())
        elif MODE in exchange.headers:
            self._respond(exchange)
        else:
            environment.finish(exchange.body, None, None, None)
            endpoints.accept(exchange)
            environment.tell_responded()

    def on_error(self, exchange: Exchange, error_type: str) -> None:
        """The function raised, or its result could not be written as JSON."""
        self._refuse_second_answer(Event.ERROR)
        self._environment.answered(Event.ERROR)
        self._finish_failed(error_type, error_payload(exchange, error_type))
        endpoints.accept(exchange)
        self._environment.tell_responded()

    def _respond(self, exchange: Exchange) -> None:
        """The function's result is whole; a runtime that streams may add that it failed on the way."""
        error = error_in_trailers(exchange.headers) if is_streaming(exchange.headers) else None
        if error is None:
            self._environment.finish(exchange.body, None, None, None)
        else:
            self._finish_failed(*error)
        endpoints.accept(exchange)
        self._environment.tell_responded()

    def _finish_failed(self, error_type: str, payload: bytes) -> None:
        # AWS: REPORT carries a status when the platform ended the invocation, not when the handler raised.
        platform_error = error_type if error_type.startswith(_PLATFORM_ERRORS) else None
        status = "error" if platform_error else None
        self._environment.finish(payload, "Unhandled", status, platform_error)

    def _refuse_oversized(self, exchange: Exchange, failure: Failure) -> None:
        payload = failure.payload()
        self._environment.finish(payload, "Unhandled", failure.status, failure.error_type)
        endpoints.refuse(exchange, 413, "RequestEntityTooLarge", failure.message)
        self._environment.tell_responded()

    # A response in pieces: the environment is INVOKING until the last one

    def takes_pieces(self, headers: dict[bytes, bytes]) -> bool:
        """Only where the caller does: for any other a runtime that streams is read to the end, within 6 MB."""
        if MODE not in headers or not is_streaming(headers):
            return False
        invocation = self._environment.invocation
        return invocation is not None and invocation.sink is not None

    def end_stream(self) -> int | None:
        """Nothing more of a stream is heard: how much there was of it; None where there was none."""
        stream, self._stream = self._stream, None
        if stream is None:
            return None
        stream.abandon()
        return stream.size_bytes

    def _begin_stream(self, exchange: Exchange) -> None:
        invocation = self._environment.invocation
        if invocation is None or invocation.sink is None:
            raise InvalidStateTransitionError(self._environment.state, Event.RESPONSE)
        self._stream = StreamedResponse(
            exchange,
            invocation.sink,
            self._environment.spec.version,
            on_end=self._end_whole,
            on_oversized=self._end_oversized,
            on_broken=partial(self._break_off, invocation.request_id),
        )

    def _refuse_second_answer(self, event: Event) -> None:
        """What was sent cannot be taken back; of a stream that broke off the error may still be told."""
        if self._stream is not None and not (event is Event.ERROR and self._stream.broken):
            raise InvalidStateTransitionError(self._environment.state, event)

    def _end_whole(self, exchange: Exchange) -> None:
        self._environment.answered(Event.RESPONSE)
        self._respond(exchange)

    def _end_oversized(self, exchange: Exchange) -> None:
        self._environment.answered(Event.RESPONSE)
        self._refuse_oversized(exchange, outcomes.response_too_large(MAX_STREAMED_BYTES))

    def _break_off(self, request_id: str) -> None:
        """The runtime left in the middle: if it is ending, how it ended says more."""
        give_up, failure = self._environment.give_up, outcomes.truncated(request_id)
        asyncio.get_running_loop().call_later(LAST_WORDS_S, give_up, request_id, failure)


def error_payload(exchange: Exchange, error_type: str) -> bytes:
    """What the runtime posted; of what is too large its type is left. AWS: 413 is for results only."""
    if exchange.too_large:
        return Failure(error_type, outcomes.response_too_large().message).payload()
    return exchange.body
