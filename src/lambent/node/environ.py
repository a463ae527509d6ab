"""The environment variables a function finds. Source: "Defined runtime environment variables" (AWS Lambda)."""

from collections.abc import Mapping

from lambent.model.invocation import EnvironmentSpec
from lambent.node.runtimes import is_provided, is_python

_STATIC = {
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    "LANG": "en_US.UTF-8",
    "LD_LIBRARY_PATH": "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
    "SHLVL": "0",
    "TZ": ":UTC",
}


_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What builders and engines of containers take where an image has none."""


def runtime_environ(runtime: str) -> dict[str, str]:
    """Those that are the same for every function of a runtime."""
    managed = {}
    if not is_provided(runtime):
        # AWS: "not defined for OS-only runtimes".
        managed["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{runtime}"
        if is_python(runtime):
            managed["PYTHONPATH"] = "/var/runtime"
    return {**_STATIC, **managed}


def _own(spec: EnvironmentSpec) -> dict[str, str]:
    """The function's, and the runtime's, which come first.

    An image brings those of its runtime along, its handler is in its command, and the function's own come first.
    """
    if spec.image is not None:
        return {"PATH": _DEFAULT_PATH, **spec.image.environment, **spec.environment}
    return {**spec.environment, **runtime_environ(spec.runtime), "_HANDLER": spec.handler}


def restored_environ(log_stream: str, credentials: Mapping[str, str]) -> dict[str, str]:
    """Those that a restored environment has of its own; the others are as they were initialised with."""
    return {**credentials, "AWS_LAMBDA_LOG_STREAM_NAME": log_stream}


def build_environ(
    spec: EnvironmentSpec, log_stream: str, credentials: Mapping[str, str]
) -> dict[str, str]:
    """All of them but the addresses, which the sandbox knows.

    ``credentials``: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``. The function's own
    variables never override the platform's.
    """
    logging = {}
    if spec.log_format == "JSON":
        logging["AWS_LAMBDA_LOG_FORMAT"] = spec.log_format
        logging["AWS_LAMBDA_LOG_LEVEL"] = spec.application_log_level or "INFO"
    return {
        **_own(spec),
        **credentials,
        **logging,
        "AWS_LAMBDA_INITIALIZATION_TYPE": spec.initialization_type,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mib),
        "AWS_LAMBDA_FUNCTION_NAME": spec.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_REGION": spec.region,
    }


def locale_environ(environment: Mapping[str, str]) -> dict[str, str]:
    """UTF-8 for runtimes that go by the locale, unless a function has one of its own.

    AWS has ``en_US.UTF-8``; few other hosts do, and where one category is missing everything is ASCII.
    """
    return {} if "LC_ALL" in environment else {"LC_ALL": "C.UTF-8"}
