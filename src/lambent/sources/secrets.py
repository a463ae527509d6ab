"""Secrets that sources are reached with, through whatever endpoint serves Secrets Manager."""

import json
from collections.abc import Mapping, Sequence

from lambent.model.errors import AwsError, PlatformFault
from lambent.sources.contract import AwsApi


async def read_secret(
    api: AwsApi, arn: str, account_id: str, region: str, members: Sequence[str]
) -> Mapping[str, str]:
    """A secret that is a JSON object with these members as strings. Raises AwsError."""
    try:
        answer = await api.call(
            "secretsmanager",
            "GetSecretValue",
            {"SecretId": arn},
            account_id=account_id,
            region=region,
        )
    except AwsError as error:
        text = f"The secret {arn} could not be read: {error.message}"
        raise PlatformFault(text, "EVENT_SOURCE_AUTHN_ERROR", 503) from error
    try:
        secret = json.loads(answer.get("SecretString") or "")
    except ValueError:
        secret = None
    if not isinstance(secret, dict) or any(
        not isinstance(secret.get(name), str) for name in members
    ):
        wanted = ", ".join(members)
        text = f"The secret {arn} is no JSON object with the strings {wanted}."
        raise PlatformFault(text, "EVENT_SOURCE_AUTHN_ERROR", 503)
    return secret
