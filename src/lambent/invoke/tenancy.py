"""Tenant isolation: environments of a function with ``PER_TENANT`` serve one tenant, never another.

A tenant's environments are a pool of their own, since pools go by the spec's key: nothing else knows of tenants.
They are counted, limited, evicted and retired like any other environments of their function.

Source: https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation.html
"""

from dataclasses import replace

from lambent.model.errors import invalid_parameter
from lambent.model.invocation import EnvironmentSpec


def spec_for(spec: EnvironmentSpec, tenant_id: str | None) -> EnvironmentSpec:
    """The spec under which a tenant's events find their environments; ``spec`` itself without tenants.

    Raises ``InvalidParameterValueException`` for a function with tenants and no tenant id, and the reverse.
    """
    check_tenant(spec, tenant_id)
    if tenant_id is None:
        return spec
    # No tenant id has a vertical bar: source, the pattern of the shape ``TenantId``.
    return replace(spec, key=f"{spec.key}|tenant|{tenant_id}", tenant_id=tenant_id)


def check_tenant(spec: EnvironmentSpec, tenant_id: str | None) -> None:
    """Raises what :func:`spec_for` raises."""
    if spec.is_per_tenant and tenant_id is None:
        # Source: AWS's own blog, and users of AWS.
        raise invalid_parameter(
            "The invoked function is enabled with tenancy configuration. "
            "Add a valid tenant ID in your request and try again."
        )
    if tenant_id is not None and not spec.is_per_tenant:
        # Best known, after the other one.
        raise invalid_parameter(
            "The invoked function is not enabled with tenancy configuration. "
            "Remove the tenant ID from your request and try again."
        )
