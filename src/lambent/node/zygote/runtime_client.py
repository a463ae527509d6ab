"""What awslambdaric finds in the place of its C++ extension ``runtime_client``, in an environment that was forked.

awslambdaric itself is as AWS publishes it. This module has the extension's functions, and asks the same of the
same Runtime API, over a socket of its own (:mod:`.conversation`) instead of libcurl and TCP. What is out of the
ordinary is left to the extension; and everything, once the socket is gone: a function may have closed it, and what
it forks never has it.
"""

import os
import sys
from contextlib import suppress
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import Any

from lambent.node.zygote.conversation import TYPES, Conversation, NotSentError

FD = 63
"""Where a runtime has the socket: the last number that takes no memory, and that hardly any function comes to."""
CHOICE = "LAMBENT_RUNTIME_CLIENT"
"""A function's variable: with ``libcurl`` AWS's extension does everything."""
_BETWEEN = ("post_invocation_result", "post_invocation_error", "wait_next_invocation")

_Call = tuple[str, tuple[Any, ...]]
"""One of the extension's functions, and its arguments."""


class RuntimeClient:
    """See the module. One for a process. ``paths``: where the extension lies."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._user_agent = ""
        self._address = ""
        self._is_wanted = True
        self._extension: Any = None
        self._conversation: Conversation | None = None
        self._published: list[tuple[Any, str, Any]] = []
        self._unsent: _Call | None = None
        """A call whose request waits to be sent."""

    def begin(self, environ: "dict[str, str]") -> None:
        """A function with these variables is about to be loaded: nobody has changed anything so far."""
        client = sys.modules["awslambdaric.lambda_runtime_client"].LambdaRuntimeClient
        bootstrap = sys.modules["awslambdaric.bootstrap"]
        places = [(bootstrap, "handle_event_request"), *((client, name) for name in _BETWEEN)]
        self._published = [(owner, name, getattr(owner, name, None)) for owner, name in places]
        self._address = environ["AWS_LAMBDA_RUNTIME_API"]
        self._is_wanted = environ.get(CHOICE) != "libcurl"

    def converse(self, fd: int) -> None:
        """From now on the node is spoken with over ``fd``, unless the function chose otherwise."""
        if not self._is_wanted:
            os.close(fd)
            return
        self._conversation = Conversation(
            fd, self._address, self._user_agent, self._is_as_published
        )

    def forget(self) -> None:
        """The conversation was the parent's, or is of no use any more."""
        ended, self._conversation, self._unsent = self._conversation, None, None
        if ended is not None:
            ended.close()

    def _is_as_published(self) -> bool:
        for owner, name, original in self._published:  # noqa: SIM110 - a generator takes twice the time
            if getattr(owner, name, None) is not original:
                return False
        return True

    def _load_extension(self) -> Any:
        """AWS's own: it connects to the Runtime API as any other runtime does."""
        if self._extension is None:
            spec = PathFinder.find_spec("runtime_client", self.paths)
            if spec is None or spec.loader is None:
                raise RuntimeError("awslambdaric's extension is not there")
            self._extension = module_from_spec(spec)
            spec.loader.exec_module(self._extension)
            self._extension.initialize_client(self._user_agent)
        return self._extension

    # What awslambdaric calls

    def initialize_client(self, user_agent: str) -> None:
        """Before anything else: who asks."""
        self._user_agent = user_agent

    def next(self) -> "tuple[bytes, dict[str, Any]]":
        """The event, and the headers that came with it. Raises RuntimeError."""
        conversation = self._conversation
        unsent, self._unsent = self._unsent, None
        if conversation is not None:
            try:
                return conversation.next()
            except NotSentError:
                self.forget()
            except BaseException:
                self.forget()
                raise
        if unsent is not None:
            self._leave_to_extension(unsent)
        found: tuple[bytes, dict[str, Any]] = self._load_extension().next()
        return found

    def post_invocation_result(self, *given: Any) -> None:
        """``invoke_id, result, content_type, invocation_id``. Raises RuntimeError."""
        call = ("post_invocation_result", given)
        conversation = self._answered(given, bytes)
        if conversation is None or given[2] not in TYPES:
            self._leave_to_extension(call)
        else:
            self._post(conversation, "response", given[2], "", given[1], call)

    def post_error(self, *given: Any) -> None:
        """``invoke_id, error, xray_cause, invocation_id``. Raises RuntimeError."""
        call, body = ("post_error", given), None
        conversation = self._answered(given, str)
        if conversation is not None and _is_line(given[2]):
            with suppress(UnicodeEncodeError):
                body = given[1].encode()
        if conversation is None or body is None or b"\0" in body:
            self._leave_to_extension(call)
            return
        cause = f"lambda-runtime-function-xray-error-cause: {given[2]}\r\n" if given[2] else ""
        self._post(conversation, "error", TYPES[0], cause, body, call)

    def _answered(self, given: "tuple[Any, ...]", kind: type) -> "Conversation | None":
        """Where the event came from that this answers; None where it is another one, or oddly answered."""
        conversation = self._conversation
        if conversation is None or len(given) != 4 or given[3] is not None:
            return None
        is_last = given[0] is not None and given[0] == conversation.request_id
        return conversation if is_last and type(given[1]) is kind else None

    def _post(
        self,
        conversation: Conversation,
        kind: str,
        content_type: str,
        lines: str,
        body: bytes,
        call: "_Call",
    ) -> None:
        try:
            if not conversation.post(kind, content_type, lines, body):
                self._unsent = call
        except NotSentError:
            self.forget()
            self._leave_to_extension(call)
        except BaseException:
            self.forget()
            raise

    def _leave_to_extension(self, call: "_Call") -> None:
        name, given = call
        getattr(self._load_extension(), name)(*given)


def _is_line(text: object) -> bool:
    return isinstance(text, str) and text.isprintable()


client = RuntimeClient()
initialize_client = client.initialize_client
next = client.next  # noqa: A001 - the extension's name for it
post_invocation_result = client.post_invocation_result
post_error = client.post_error


def install(paths: "list[str]") -> None:
    """Has awslambdaric find this module, before it is imported from ``paths``."""
    client.paths = paths
    sys.modules["runtime_client"] = sys.modules[__name__]
    os.register_at_fork(after_in_child=client.forget)
