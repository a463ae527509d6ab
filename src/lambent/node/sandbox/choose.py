"""Which sandbox this host gets: the strongest that works, or the one asked for."""

from collections.abc import Callable

from lambent.node.sandbox.contract import Backend, NetworkError, SandboxError
from lambent.settings import NetworkChoice, SandboxChoice


async def open_backend(
    choice: SandboxChoice,
    make_namespaces: Callable[[], Backend],
    make_process: Callable[[], Backend],
    network: NetworkChoice = "auto",
) -> tuple[Backend, str | None]:
    """An open backend, and why it is not the isolating one (None when it is, or was not asked for).

    Raises SandboxError when ``namespaces`` was asked for and this host cannot, NetworkError when the network was.
    """
    reason: str | None = None
    if choice != "process":
        try:
            backend = make_namespaces()
            await backend.open()
        except NetworkError:
            raise
        except (SandboxError, OSError) as error:
            if choice == "namespaces":
                raise SandboxError(f"this host cannot isolate functions: {error}") from error
            reason = f"This host cannot isolate functions ({error}); see: lambent doctor"
        else:
            return backend, None
    if network == "isolated":
        why = f": {reason}" if reason else ""
        raise NetworkError(f"plain processes have the host's network, not an isolated one{why}")
    backend = make_process()
    await backend.open()
    return backend, reason
