"""``LoggingConfig``: where and how a function logs.

Source: the shape ``LoggingConfig`` of botocore's ``lambda`` model, and "Configuring advanced logging
controls" (AWS Lambda guide).
"""

from collections.abc import Mapping
from typing import Any

from lambent.model.errors import invalid_parameter
from lambent.model.function import FunctionVersion

_LEVELS = {"ApplicationLogLevel": "application_log_level", "SystemLogLevel": "system_log_level"}
_DEFAULT_LEVEL = "INFO"


def logging_changes(given: Mapping[str, Any], base: FunctionVersion) -> dict[str, str]:
    """What ``given`` changes of ``base``, by field; what is not given stays.

    AWS: with ``JSON`` both levels are ``INFO`` unless they are set; ``Text`` has none and takes them away.
    Raises ``InvalidParameterValueException`` for a level without ``JSON``; the text is best known.
    """
    changes = {"log_format": given.get("LogFormat") or base.log_format}
    if given.get("LogGroup"):
        changes["log_group"] = given["LogGroup"]
    if changes["log_format"] == "JSON":
        for member, field in _LEVELS.items():
            changes[field] = given.get(member) or getattr(base, field) or _DEFAULT_LEVEL
        return changes
    if any(given.get(member) for member in _LEVELS):
        raise invalid_parameter(
            'LogLevel is not supported when LogFormat is set to "Text". '
            'Remove LogLevel from your request or change the LogFormat to "JSON" and try again.'
        )
    return changes | dict.fromkeys(_LEVELS.values(), "")


def shown_logging(version: FunctionVersion) -> dict[str, str]:
    """The shape ``LoggingConfig``. AWS: without levels for ``Text``."""
    levels = {member: getattr(version, field) for member, field in _LEVELS.items()}
    return {
        "LogFormat": version.log_format,
        **{member: level for member, level in levels.items() if level},
        "LogGroup": version.log_group,
    }
