"""Provisioned concurrency as the invocation path reports it and the control plane shows it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProvisionedStatus:
    """How far an allocation is: ``IN_PROGRESS``, ``READY`` or ``FAILED``.

    ``available`` environments are initialised, ``allocated`` ones are that or on their way.
    Source: shape ``GetProvisionedConcurrencyConfigResponse`` of botocore's ``lambda`` model.
    """

    available: int
    allocated: int
    status: str
    reason: str | None = None
