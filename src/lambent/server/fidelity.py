"""What works and what is refused, read off the tables the code itself goes by.

Operation by operation: what the models of the hosted services have against what is registered.
Setting by setting, for the operations of ``SETTINGS_OF``: their inputs' members against the
refusals of the control plane, of event source mappings and of Invoke.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from lambent import __version__
from lambent.control import event_source_settings, refusals
from lambent.control.configuration import RUNTIMES
from lambent.control.registry import OPERATIONS as LAMBDA_OPERATIONS
from lambent.model.call import Call, Result
from lambent.server import invoke_route
from lambent.services.applicationautoscaling.registry import OPERATIONS as SCALING_OPERATIONS
from lambent.services.logs.registry import OPERATIONS as LOGS_OPERATIONS
from lambent.services.resourcegroupstaggingapi.registry import OPERATIONS as TAGGING_OPERATIONS
from lambent.services.sns.registry import OPERATIONS as SNS_OPERATIONS
from lambent.services.sqs.registry import OPERATIONS as SQS_OPERATIONS
from lambent.services.sts.registry import OPERATIONS as STS_OPERATIONS
from lambent.wire.catalogue import input_members, operation_names

Registry = Mapping[str, Callable[[Any, Call], Result]]

REGISTRIES: Mapping[str, Registry] = MappingProxyType(
    {"lambda": LAMBDA_OPERATIONS, "logs": LOGS_OPERATIONS, "sts": STS_OPERATIONS}
)
"""The services hosted here whose operations run on threads, and these by AWS name."""

AWAITED: Mapping[str, Mapping[str, Callable[[Any, Call], Awaitable[Result]]]] = MappingProxyType(
    {
        "application-autoscaling": SCALING_OPERATIONS,
        "resourcegroupstaggingapi": TAGGING_OPERATIONS,
        "sns": SNS_OPERATIONS,
        "sqs": SQS_OPERATIONS,
    }
)
"""Those whose operations are awaited on the loop."""

MAPPING_OPERATIONS = ("CreateEventSourceMapping", "UpdateEventSourceMapping")
SETTINGS_OF = (
    *("CreateFunction", "UpdateFunctionConfiguration", "UpdateFunctionCode", "Invoke"),
    *MAPPING_OPERATIONS,
)
"""The operations of Lambda whose settings are listed."""

_BY_VALUE: Mapping[str, str] = {
    "Runtime": f"it is one of {', '.join(sorted(RUNTIMES, key=lambda name: (len(name), name)))}",
    "Architectures": "it is the host's",
    "Layers": "they are not AWS's own",
    "DeadLetterConfig.TargetArn": "its service is hosted",
    "TracingConfig.Mode": "it is PassThrough, or who serves X-Ray takes the segments",
    "FileSystemConfigs": "the access point is EFS's and given by `lambent up --file-system`",
}
"""Obeyed settings with values that are refused, where no table says so."""


def fidelity() -> dict[str, Any]:
    """The document of ``GET /_lambent/fidelity``; its statuses are words for people and programs.

    An operation ``works`` or is ``refused``; a setting is ``obeyed``, ``refused``, or
    ``refused unless`` what stands beside it.
    """
    return {
        "version": __version__,
        "services": {service: _operations(service) for service in (*REGISTRIES, *AWAITED)},
        "settings": {operation: list(_settings(operation)) for operation in SETTINGS_OF},
    }


def _operations(service: str) -> dict[str, str]:
    there = set(REGISTRIES.get(service, ())) | set(AWAITED.get(service, ()))
    if service == "lambda":
        there |= invoke_route.OPERATIONS
    return {name: "works" if name in there else "refused" for name in operation_names(service)}


def _settings(operation: str) -> Iterator[dict[str, str]]:
    for member, inner in input_members("lambda", operation).items():
        if operation == "Invoke":
            yield _setting(member, member in invoke_route.REFUSED, invoke_route.REFUSED.get(member))
        elif operation in MAPPING_OPERATIONS:
            unless = event_source_settings.refused_unless(member)
            yield _setting(member, unless is not None, unless)
        elif member in refusals.OPENED:
            for name in inner:
                yield _member(f"{member}.{name}", refusals.OPENED[member] + name)
        else:
            yield _member(member, member)


def _member(shown: str, path: str) -> dict[str, str]:
    refusal = refusals.refusal_of(path)
    if refusal is None:
        return _setting(shown, path in _BY_VALUE, _BY_VALUE.get(path))
    return _setting(shown, True, refusal.unless)


def _setting(shown: str, refused: bool, unless: str | None) -> dict[str, str]:
    if not refused:
        return {"setting": shown, "status": "obeyed"}
    if unless is None:
        return {"setting": shown, "status": "refused"}
    return {"setting": shown, "status": "refused unless", "unless": unless}
