"""Code signing configurations: which publishers' code a function takes, and what becomes of other code."""

import re
from dataclasses import dataclass

_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):code-signing-config:"
    r"(?P<id>csc-[a-z0-9]{17})"
)


@dataclass(frozen=True, slots=True)
class CodeSigningConfig:
    """Source: the shape ``CodeSigningConfig`` of botocore's ``lambda`` model."""

    account_id: str
    region: str
    id: str
    """``csc-`` and 17 hex digits."""
    publishers: tuple[str, ...]
    """ARNs of signing profile versions."""
    untrusted_artifact_on_deployment: str
    """``Warn`` or ``Enforce``."""
    last_modified: str
    description: str | None = None

    @property
    def arn(self) -> str:
        """``arn:aws:lambda:REGION:ACCOUNT:code-signing-config:ID``."""
        return config_arn(self.account_id, self.region, self.id)


def config_arn(account_id: str, region: str, config_id: str) -> str:
    """The ARN of a configuration."""
    return f"arn:aws:lambda:{region}:{account_id}:code-signing-config:{config_id}"


def config_id_in(arn: str, account_id: str, region: str) -> str | None:
    """The id in an ARN of this account and region; None for any other text."""
    match = _ARN.fullmatch(arn)
    if match is None or (match["account"], match["region"]) != (account_id, region):
        return None
    return match["id"]
