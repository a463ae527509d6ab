"""Lambda's quotas with their units and where each number comes from."""

from dataclasses import dataclass

_QUOTAS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"


@dataclass(frozen=True, slots=True)
class Limit:
    """One quota: at most ``value`` of ``unit``; ``source`` says who set it."""

    value: int
    unit: str
    source: str


FUNCTION_NAME = Limit(64, "characters", "API_CreateFunction, FunctionName")
REQUEST = Limit(70_167_211, "bytes", "AWS's own RequestEntityTooLargeException")
ZIP_UPLOAD = Limit(52_428_800, "bytes", _QUOTAS)
UNZIPPED = Limit(262_144_000, "bytes", _QUOTAS)
"""Code and layers together."""
ZIP_ENTRIES = Limit(65_535, "entries", "POLICY: what a zip holds without its 64-bit extension")
CODE_STORAGE = Limit(80_530_636_800, "bytes", _QUOTAS)
"""75 GiB per account and region, every version and layer version counted."""
ENVIRONMENT = Limit(4_096, "bytes", _QUOTAS)
LAYERS = Limit(5, "layers", _QUOTAS)
MEMORY_MAX = Limit(10_240, "MiB", _QUOTAS)
TIMEOUT_MAX = Limit(900, "seconds", _QUOTAS)
EPHEMERAL_STORAGE_MAX = Limit(10_240, "MiB", _QUOTAS)
POLICY = Limit(20_480, "bytes", _QUOTAS)
TAGS = Limit(50, "tags", "https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html")
PAGE = Limit(50, "items", "API_ListFunctions: at most 50 a page, whatever MaxItems says")
CONCURRENCY = Limit(1_000, "concurrent executions", _QUOTAS)
UNRESERVED_CONCURRENCY = Limit(100, "concurrent executions", "API_PutFunctionConcurrency")
"""What reservations must leave to functions that have none."""
