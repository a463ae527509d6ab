"""The extensions of one environment: who registered, who is ready, who is told what.

Contract:
1. At most ten; names are unique; external ones are called as their files are.
2. Registration is open until the runtime asks for its first event.
3. ``is_settled``: every extension has asked for its first event (Init) or, after an invocation, each that hears of
   invocations has asked again.

Source: "Using the Lambda Extensions API to create extensions" (AWS Lambda); the ``core`` package of AWS's
runtime interface emulator.
"""

from collections.abc import Iterable, Iterator, Sequence

from lambent.http1.exchange import Exchange
from lambent.model.invocation import Invocation
from lambent.node.extensions_api.answers import Refusal
from lambent.node.extensions_api.extension import Extension
from lambent.node.extensions_api.states import Event, InvalidExtensionStateError, State

MAX_EXTENSIONS = 10
"""AWS: ten per function, internal and external ones together. Source: "Lambda quotas"."""
MAX_NAME_CHARACTERS = 128
"""AWS: extension names in its metrics are cut there (``maxExtensionNamesLength``); best known for one name."""
_EXTERNAL_EVENTS = ("INVOKE", "SHUTDOWN")
_INTERNAL_EVENTS = ("INVOKE",)


class Registry:
    """See the module. ``names``: the files in ``/opt/extensions``. Lives on the loop's thread only."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._by_name = {name: Extension(name, is_external=True) for name in names}
        self._by_identifier = {e.identifier: e for e in self._by_name.values()}
        self._is_open = True
        self._initialised = False

    def __iter__(self) -> Iterator[Extension]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def has_external(self) -> bool:
        """Whether there are processes that are extensions."""
        return any(e.is_external for e in self)

    @property
    def awaits_registration(self) -> bool:
        """Whether an external extension has not registered yet: the runtime is not started before."""
        return any(e.state is State.STARTED for e in self)

    @property
    def is_open(self) -> bool:
        """Whether extensions may still register and subscribe."""
        return self._is_open

    def close_registration(self) -> None:
        """The runtime has asked for its first event: nobody else may register."""
        self._is_open = False

    def register(self, name: str, events: Sequence[str]) -> Extension:
        """Raises Refusal, with AWS's types; nothing changed then."""
        extension = self._by_name.get(name)
        is_external = extension is not None and extension.is_external
        allowed = _EXTERNAL_EVENTS if is_external else _INTERNAL_EVENTS
        for event in events:
            if event not in allowed:
                raise Refusal("Extension.InvalidEventType", f"{event}: event not supported")
        if extension is None or not is_external:
            self._check_new(name, extension)
            extension = Extension(name, is_external=False)
        change(extension, Event.REGISTER, name)
        extension.events = tuple(dict.fromkeys(events))
        self._by_name[name] = extension
        self._by_identifier[extension.identifier] = extension
        return extension

    def _check_new(self, name: str, existing: Extension | None) -> None:
        if not self._is_open:
            raise Refusal("Extension.RegistrationClosed", "Extension registration closed already")
        if existing is not None:
            message = "Extension with this name already registered"
            raise Refusal("Extension.InvalidExtensionState", message)
        if len(name) > MAX_NAME_CHARACTERS:
            raise Refusal("Extension.InvalidExtensionName", "Too long an extension name")
        if len(self) >= MAX_EXTENSIONS:
            message = f"Extension limit ({MAX_EXTENSIONS}) reached"
            raise Refusal("Extension.TooManyExtensions", message)

    def find(self, identifier: str) -> Extension:
        """The extension an identifier was given to. Raises Refusal."""
        found = self._by_identifier.get(identifier)
        if found is None:
            message = f"Unknown extension {identifier}"
            raise Refusal("Extension.UnknownExtensionIdentifier", message)
        return found

    def named(self, name: str) -> Extension | None:
        """The extension of that name."""
        return self._by_name.get(name)

    def wait(self, extension: Extension, exchange: Exchange) -> None:
        """It asks for its next event. Raises Refusal."""
        try:
            extension.wait(exchange)
        except InvalidExtensionStateError as error:
            raise refusal(extension, error, extension.identifier) from error

    @property
    def is_settled(self) -> bool:
        """See the module's third rule."""
        busy = [e for e in self if e.state is not State.READY]
        return not any("INVOKE" in e.events or not self._initialised for e in busy)

    def initialised(self) -> None:
        """Init is over: from now on those that hear of invocations count."""
        self._initialised = True

    def invoke(self, invocation: Invocation, deadline_ms: int) -> None:
        """Tells of an invocation whom it concerns."""
        event = {
            "eventType": "INVOKE",
            "deadlineMs": deadline_ms,
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.invoked_arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": invocation.trace_id or ""},
        }
        for extension in self:
            if "INVOKE" in extension.events:
                extension.tell(event)

    def shut_down(self, reason: str, deadline_ms: int) -> list[Extension]:
        """Tells of the end whom it concerns: those whose end is worth waiting for."""
        event = {"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline_ms}
        told = [e for e in self if "SHUTDOWN" in e.events and e.is_alive]
        for extension in told:
            extension.tell(event)
        return told


def change(extension: Extension, event: Event, who: str) -> None:
    """Moves it. Raises Refusal in AWS's words."""
    try:
        extension.move(event)
    except InvalidExtensionStateError as error:
        raise refusal(extension, error, who) from error


def refusal(extension: Extension, error: InvalidExtensionStateError, who: str) -> Refusal:
    """AWS's words for a move that is not possible."""
    message = (
        f"State transition from {extension.state.value} to {error.event.value} failed for "
        f"extension {who}. Error: {error}"
    )
    return Refusal("Extension.InvalidExtensionState", message)
