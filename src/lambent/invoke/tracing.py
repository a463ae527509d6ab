"""X-Ray: which invocations are traced, the header their function is given, and their two segments.

1. A header that says ``Sampled=1`` or ``Sampled=0`` is obeyed, whatever the function's ``TracingConfig``. One that
   does not, and an invocation without any, are sampled (:mod:`lambent.invoke.sampling`) for ``Active``, and not
   traced for ``PassThrough``. Source: the two modes as AWS's CDK documents them ("Lambda will respect any tracing
   header it receives from an upstream service", "only … if it contains a tracing header with sampled=1").
2. A traced function's ``Parent`` is its ``AWS::Lambda::Function`` segment, so that what it calls hangs below it.
3. A sink never blocks and never fails: what there is no room for is its to drop and count.
4. Without a sink nobody would take segments: nothing is sampled here then, and headers go on as they came.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable
from typing import Protocol

from lambent.invoke.sampling import Sampler
from lambent.model.errors import AwsError
from lambent.model.invocation import EnvironmentSpec, InvocationResult, InvocationTrace
from lambent.observe.segments import Span, function_segment, new_segment_id, service_segment

ACTIVE = "Active"
_FIELD = re.compile(r"(?:^|;)\s*(Root|Parent|Sampled)=([^;]*)")
_DECIDED = re.compile(r"(?:^|;)\s*Sampled=[01](?:;|$)")
_SAMPLED = re.compile(r";?\s*Sampled=[^;]*")
_ROOT = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_SEGMENT_ID = re.compile(r"[0-9a-f]{16}")
_OWN_FIELDS = re.compile(r"(?:^|;)\s*(?:Root|Parent|Sampled)=[^;]*")


class SegmentSink(Protocol):
    """Where segments go."""

    def put(self, account_id: str, region: str, document: str) -> None: ...


class Tracing:
    """Decides and opens traces. Lives on the loop's thread; tests give their own clock and draw."""

    def __init__(
        self,
        sink: SegmentSink | None = None,
        clock: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._draw = draw
        self._sampler = Sampler()

    def decide(self, spec: EnvironmentSpec, header: str | None) -> str:
        """The header with a decision in it, for what is invoked later or answered before."""
        if not header:
            header = new_root(self._clock())
        elif "Sampled=" in header:
            if _DECIDED.search(header):
                return header
            header = _SAMPLED.sub("", header)  # AWS: "Sampled=?" asks for a decision
        if self._samples(spec):
            return f"{header};Sampled=1"
        parent = "" if "Parent=" in header else f";Parent={new_segment_id()}"
        return f"{header}{parent};Sampled=0"

    def _unsampled(self) -> str:
        """What :meth:`decide` makes of nothing for a function that is not ``Active``, without asking around."""
        digits = f"{random.getrandbits(160):040x}"
        return f"Root=1-{int(self._clock()):08x}-{digits[:24]};Parent={digits[24:]};Sampled=0"

    def _samples(self, spec: EnvironmentSpec) -> bool:
        if spec.tracing_mode != ACTIVE or self._sink is None:
            return False
        function = (spec.account_id, spec.region, spec.function_name)
        return self._sampler.take(function, self._clock(), self._draw())

    def begin(
        self, spec: EnvironmentSpec, header: str | None, invoked_arn: str, request_id: str
    ) -> "tuple[str | None, Trace | None]":
        """The header as the function is given it, and the trace where the invocation is traced."""
        if not header:
            if spec.tracing_mode != ACTIVE:
                return (None if header is None else self._unsampled()), None
        elif header.endswith(";Sampled=0"):
            return header, None  # the shortest way for what is most frequent
        header = self.decide(spec, header)
        sink = self._sink
        if sink is None or "Sampled=1" not in header:
            return header, None
        fields = dict(_FIELD.findall(header))
        root, parent = fields.get("Root", ""), fields.get("Parent", "")
        if not _ROOT.fullmatch(root):
            root, parent = new_root(self._clock()).removeprefix("Root="), ""
        parent_id = parent if _SEGMENT_ID.fullmatch(parent) else None
        rest = _OWN_FIELDS.sub("", header).lstrip(";")
        trace = Trace(sink, spec, invoked_arn, request_id, root, parent_id, self._clock)
        return trace.header + (f";{rest}" if rest else ""), trace


class Trace(InvocationTrace):
    """One traced invocation: the node says when it did what, the frontend what the caller was answered."""

    def __init__(
        self,
        sink: SegmentSink,
        spec: EnvironmentSpec,
        invoked_arn: str,
        request_id: str,
        trace_id: str,
        parent_id: str | None,
        clock: Callable[[], float],
    ) -> None:
        self.trace_id = trace_id
        self.segment_id = new_segment_id()
        self._service_segment_id = new_segment_id()
        self._parent_id = parent_id
        self._sink = sink
        self._spec = spec
        self._arn = invoked_arn
        self._request_id = request_id
        self._clock = clock
        self._received_s = clock()
        self._begun_s: float | None = None
        self._answered_s: float | None = None
        self._init: Span | None = None
        self._fault = False
        self._is_told = False

    @property
    def header(self) -> str:
        """``Root=…;Parent=…;Sampled=1``."""
        return f"Root={self.trace_id};Parent={self.segment_id};Sampled=1"

    # Said by the node

    def begun(self, init: Span | None) -> None:
        self._begun_s, self._init = self._clock(), init

    def answered(self, *, fault: bool) -> None:
        self._answered_s, self._fault = self._clock(), fault

    def settled(self) -> None:
        if not self._is_told:
            self._is_told = True
            self._tell_function(self._clock())

    # Said by the frontend

    def concluded(self, answer: "asyncio.Future[InvocationResult]") -> None:
        """The invocation is over, or its caller is gone; a function that never began has its segment too."""
        error = None if answer.cancelled() or not answer.done() else answer.exception()
        if error is not None:
            self.ended(error.status if isinstance(error, AwsError) else 500, fault=False)
            return
        fault = False
        if answer.done() and not answer.cancelled():
            fault = answer.result().function_error is not None
        if fault and self._begun_s is None:
            self._fault = True
            self.settled()
        self.ended(200, fault=fault)

    def ended(self, status: int, *, fault: bool) -> None:
        """The caller is answered, with this status of HTTP."""
        spec, now_s = self._spec, self._clock()
        document = service_segment(
            segment_id=self._service_segment_id,
            trace_id=self.trace_id,
            parent_id=self._parent_id,
            function_name=spec.function_name,
            function_arn=self._arn,
            request_id=self._request_id,
            span=(self._received_s, now_s),
            status=status,
            fault=fault,
        )
        self._sink.put(spec.account_id, spec.region, document)

    def _tell_function(self, now_s: float) -> None:
        begun_s = self._begun_s or self._received_s
        answered_s = self._answered_s or now_s
        parts: dict[str, Span] = {} if self._init is None else {"Initialization": self._init}
        parts["Invocation"] = (begun_s, answered_s)
        parts["Overhead"] = (answered_s, now_s)
        spec = self._spec
        document = function_segment(
            segment_id=self.segment_id,
            trace_id=self.trace_id,
            parent_id=self._service_segment_id,
            account_id=spec.account_id,
            function_name=spec.function_name,
            function_arn=self._arn,
            span=(begun_s, now_s),
            subsegments=parts,
            fault=self._fault,
        )
        self._sink.put(spec.account_id, spec.region, document)


def new_root(now_s: float) -> str:
    """A trace nobody has begun yet: ``Root=1-…``. Source: "Tracing header" (AWS X-Ray)."""
    return f"Root=1-{int(now_s):08x}-{random.getrandbits(96):024x}"
