"""Credentials of functions' roles, from STS's mint to the node."""

from collections.abc import Mapping

from lambent.model.invocation import EnvironmentSpec
from lambent.services.sts.credentials import CredentialMint


class Credentials:
    """The mint of STS, in the node's words."""

    def __init__(self, mint: CredentialMint) -> None:
        self._mint = mint

    def mint(self, spec: EnvironmentSpec, session_name: str) -> Mapping[str, str]:
        """See :class:`lambent.node.agent.CredentialSource`."""
        made = self._mint.mint(spec.account_id, spec.role, session_name)
        return {
            "AWS_ACCESS_KEY_ID": made.access_key_id,
            "AWS_SECRET_ACCESS_KEY": made.secret_access_key,
            "AWS_SESSION_TOKEN": made.session_token,
        }

    def revoke(self, environ: Mapping[str, str]) -> None:
        """See :class:`lambent.node.agent.CredentialSource`."""
        self._mint.revoke(environ["AWS_ACCESS_KEY_ID"])
