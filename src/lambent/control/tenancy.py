"""``TenancyConfig``: given when a function is created, and never changed.

Source: "Tenant isolation" (AWS Lambda guide): not with function URLs, provisioned concurrency, SnapStart, or event
sources other than API Gateway. The texts are the best known: AWS's CDK words its own refusals so.
"""

from collections.abc import Mapping
from typing import Any

from lambent.model.errors import invalid_parameter
from lambent.model.function import FunctionVersion


def tenancy_changes(parameters: Mapping[str, Any]) -> dict[str, str]:
    """What ``CreateFunction`` sets. Raises ``InvalidParameterValueException`` with SnapStart."""
    config = parameters.get("TenancyConfig")
    if config is None:
        return {}
    if (parameters.get("SnapStart") or {}).get("ApplyOn") == "PublishedVersions":
        raise _unsuited("SnapStart")
    return {"tenant_isolation_mode": config["TenantIsolationMode"]}


def refuse_tenants(version: FunctionVersion | None, what: str) -> None:
    """Raises ``InvalidParameterValueException`` for ``what`` a function with tenants cannot have."""
    if version is not None and version.tenant_isolation_mode:
        raise _unsuited(what)


def _unsuited(what: str) -> Exception:
    return invalid_parameter(f"{what} is not supported for functions with tenant isolation mode.")
