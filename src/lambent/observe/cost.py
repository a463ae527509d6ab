"""What an invocation costs on AWS, in US dollars. Pure.

Source: https://aws.amazon.com/lambda/pricing/ (us-east-1, first tier, free tier not deducted).
"""

from typing import Final

REQUEST_USD: Final = 0.20 / 1_000_000
GB_SECOND_USD: Final = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
PROVISIONED_KEPT_GB_SECOND_USD: Final = 0.0000041667
PROVISIONED_USED_GB_SECOND_USD: Final = 0.0000097222
EPHEMERAL_GB_SECOND_USD: Final = 0.0000000309
EPHEMERAL_FREE_MIB: Final = 512


def gb_seconds(memory_mib: int, billed_ms: int) -> float:
    """Memory times billed time. AWS: 1 GB is 1,024 MB here."""
    return memory_mib / 1024 * billed_ms / 1000


def invocation_usd(
    memory_mib: int,
    billed_ms: int,
    *,
    architecture: str = "x86_64",
    ephemeral_storage_mib: int = EPHEMERAL_FREE_MIB,
    provisioned: bool = False,
) -> float:
    """One request: its price, its duration's, and that of /tmp beyond 512 MB.

    ``billed_ms`` is the REPORT line's. Raises ``KeyError`` for an architecture Lambda has not.
    """
    per_gb_second = PROVISIONED_USED_GB_SECOND_USD if provisioned else GB_SECOND_USD[architecture]
    paid_storage_mib = max(0, ephemeral_storage_mib - EPHEMERAL_FREE_MIB)
    return (
        REQUEST_USD
        + gb_seconds(memory_mib, billed_ms) * per_gb_second
        + gb_seconds(paid_storage_mib, billed_ms) * EPHEMERAL_GB_SECOND_USD
    )


def provisioned_kept_usd(memory_mib: int, environments: int, kept_s: float) -> float:
    """Keeping provisioned environments ready, whether they are used or not."""
    return environments * memory_mib / 1024 * kept_s * PROVISIONED_KEPT_GB_SECOND_USD
