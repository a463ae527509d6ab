"""``SourceAccessConfigurations`` of Kafka: which secrets there are, and what they are used for.

Secrets are read through whatever endpoint serves Secrets Manager, anew for each connection, so that a rotated
one is picked up. Source of their form: "Configuring self-managed Apache Kafka event sources".
"""

import asyncio
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lambent.model.errors import PlatformFault
from lambent.sources.contract import AwsApi
from lambent.sources.kafka.contract import KafkaAccess
from lambent.sources.secrets import read_secret

MECHANISMS: Final = {
    "BASIC_AUTH": "PLAIN",
    "SASL_SCRAM_256_AUTH": "SCRAM-SHA-256",
    "SASL_SCRAM_512_AUTH": "SCRAM-SHA-512",
}
_CLIENT_CERTIFICATE: Final = "CLIENT_CERTIFICATE_TLS_AUTH"
_ROOT_CA: Final = "SERVER_ROOT_CA_CERTIFICATE"


async def resolve_access(
    api: AwsApi,
    bootstrap_servers: Sequence[str],
    configurations: Sequence[Mapping[str, Any]],
    account_id: str,
    region: str,
    *,
    tls: bool = False,
) -> KafkaAccess:
    """How brokers are reached. AWS: SASL is over TLS, always; so is a cluster with a certificate of either side.

    ``tls``: the brokers want it in any case. Raises AwsError.
    """
    named = {each["Type"]: each["URI"] for each in configurations}
    mechanism = username = password = ""
    for kind, name in MECHANISMS.items():
        if kind in named:
            secret = await read_secret(
                api, named[kind], account_id, region, ("username", "password")
            )
            mechanism, username, password = name, secret["username"], secret["password"]
    if not (mechanism or tls or {_CLIENT_CERTIFICATE, _ROOT_CA} & named.keys()):
        return KafkaAccess(tuple(bootstrap_servers))
    root = client = None
    if _ROOT_CA in named:
        root = await read_secret(api, named[_ROOT_CA], account_id, region, ("certificate",))
    if _CLIENT_CERTIFICATE in named:
        members = ("certificate", "privateKey")
        client = await read_secret(api, named[_CLIENT_CERTIFICATE], account_id, region, members)
    context = await asyncio.to_thread(_tls_context, root, client)
    return KafkaAccess(tuple(bootstrap_servers), mechanism, username, password, context)


def _tls_context(
    root: Mapping[str, str] | None, client: Mapping[str, str] | None
) -> ssl.SSLContext:
    """Source of the text: the heading in AWS's page on troubleshooting (best known)."""
    try:
        context = ssl.create_default_context(cadata=root["certificate"] if root else None)
        if client is not None:
            # OpenSSL takes a key from files only; this one is private, and gone at once.
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
                file.write(f"{client['privateKey']}\n{client['certificate']}\n")
                file.flush()
                # Without a password OpenSSL would ask for one on the terminal.
                password = client.get("privateKeyPassword") or ""
                context.load_cert_chain(Path(file.name), password=lambda: password)
    except (ssl.SSLError, ValueError, OSError) as error:
        text = f"Provided certificate or private key is invalid. {error}"
        raise PlatformFault(text, "EVENT_SOURCE_AUTHN_ERROR", 503) from error
    return context
