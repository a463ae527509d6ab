"""Secrets of Kafka: which there are, what comes of them, what is said of those that are none."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lambent.model.errors import AwsError, not_found
from lambent.sources.kafka.access import resolve_access
from lambent.sources.kafka.contract import KafkaAccess
from lambent.testing.certificates import make_certificate
from lambent.testing.loop import on_loop

SERVERS = ("h1:9092", "h2:9092")


class FakeSecrets:
    """Is an AwsApi of Secrets Manager: name → what the secret says."""

    def __init__(self, **secrets: Any) -> None:
        self.secrets = secrets

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        account_id: str,
        region: str,
    ) -> Mapping[str, Any]:
        """See the protocol."""
        del account_id, region
        assert (service, operation) == ("secretsmanager", "GetSecretValue")
        secret = self.secrets.get(parameters["SecretId"])
        if secret is None:
            raise not_found("Secrets Manager can't find the specified secret.")
        return {"SecretString": secret if isinstance(secret, str) else json.dumps(secret)}


async def resolved(secrets: Mapping[str, Any], *types: str) -> KafkaAccess:
    """Access by configurations of these types, each with the secret of its name."""
    given = [{"Type": each, "URI": each} for each in types]
    return await resolve_access(FakeSecrets(**secrets), SERVERS, given, "1", "us-east-1")


@on_loop
async def test_without_configurations_connections_are_plain() -> None:
    """Neither SASL nor TLS."""
    assert await resolved({}) == KafkaAccess(SERVERS)


@pytest.mark.parametrize(
    ("kind", "mechanism"),
    [
        ("BASIC_AUTH", "PLAIN"),
        ("SASL_SCRAM_256_AUTH", "SCRAM-SHA-256"),
        ("SASL_SCRAM_512_AUTH", "SCRAM-SHA-512"),
    ],
)
def test_a_password_goes_over_tls_only(kind: str, mechanism: str) -> None:
    """Each kind has its mechanism; the servers' certificates are verified; no password is shown."""

    @on_loop
    async def run() -> None:
        access = await resolved({kind: {"username": "u", "password": "p4ss"}}, kind)
        assert (access.mechanism, access.username, access.password) == (mechanism, "u", "p4ss")
        assert access.tls is not None
        assert access.tls.check_hostname
        assert "p4ss" not in repr(access)

    run()


@pytest.mark.parametrize("password", ["", "secret"])
def test_certificates_of_both_sides_are_taken(password: str) -> None:
    """A root that is trusted, a client certificate with a key that may be encrypted."""

    @on_loop
    async def run() -> None:
        root, client = make_certificate(), make_certificate(password)
        kinds = ("SERVER_ROOT_CA_CERTIFICATE", "CLIENT_CERTIFICATE_TLS_AUTH")
        access = await resolved(dict(zip(kinds, (root, client), strict=True)), *kinds)
        assert access.tls is not None
        assert len(access.tls.get_ca_certs()) == 1
        assert access.mechanism == ""

    run()


@pytest.mark.parametrize(
    ("secret", "kind", "text"),
    [
        (None, "BASIC_AUTH", "can't find"),
        ("words", "BASIC_AUTH", "is no JSON object"),
        ({"username": "u"}, "BASIC_AUTH", "username, password"),
        ({"username": "u", "password": 1}, "BASIC_AUTH", "username, password"),
        ({"certificate": "x"}, "SERVER_ROOT_CA_CERTIFICATE", "certificate or private key"),
        ({"certificate": "x", "privateKey": "y"}, "CLIENT_CERTIFICATE_TLS_AUTH", "private key"),
        (
            make_certificate("right") | {"privateKeyPassword": "wrong"},
            "CLIENT_CERTIFICATE_TLS_AUTH",
            "certificate or private key is invalid",
        ),
    ],
)
def test_a_secret_that_is_none_is_told(secret: Any, kind: str, text: str) -> None:
    """What is wrong with it is an AwsError, for LastProcessingResult."""

    @on_loop
    async def run() -> None:
        with pytest.raises(AwsError, match=text) as raised:
            await resolved({} if secret is None else {kind: secret}, kind)
        assert raised.value.status == 503

    run()
