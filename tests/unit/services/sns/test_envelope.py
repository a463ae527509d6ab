"""Envelopes: AWS's members in AWS's order, and a signature anybody can check."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.outgoing import Attribute
from lambent.services.sns.envelope import (
    SUBSCRIPTION,
    Notification,
    Signature,
    canonical_string,
    confirmation_json,
    confirmation_members,
    format_timestamp,
    lambda_event,
    notification_json,
    signed_members,
)
from lambent.services.sns.signing import Signer

GOLDEN = Path(__file__).parents[5] / "shared" / "golden" / "events" / "sns-event.json"
SIGNATURE = Signature("1", "c2ln", "http://h/cert.pem")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def test_a_notification_is_spelt_as_aws_spells_it() -> None:
    """Order, spacing and names are those of recorded messages."""
    notification = Notification(
        "id", "arn:aws:sns:us-east-1:1:t", 'say "hi"', "2012-05-02T00:54:06.655Z", "subject",
        {"a": Attribute("String", "v"), "b": Attribute("Binary", b"\xff")}, SIGNATURE,
    )  # fmt: skip
    assert notification_json(notification, "http://h/u").decode() == (
        '{\n  "Type" : "Notification",\n  "MessageId" : "id",\n'
        '  "TopicArn" : "arn:aws:sns:us-east-1:1:t",\n  "Subject" : "subject",\n'
        '  "Message" : "say \\"hi\\"",\n  "Timestamp" : "2012-05-02T00:54:06.655Z",\n'
        '  "SignatureVersion" : "1",\n  "Signature" : "c2ln",\n'
        '  "SigningCertURL" : "http://h/cert.pem",\n  "UnsubscribeURL" : "http://h/u",\n'
        '  "MessageAttributes" : {\n    "a" : {"Type":"String","Value":"v"},\n'
        '    "b" : {"Type":"Binary","Value":"/w=="}\n  }\n}'
    )


@given(TEXT, st.none() | TEXT, st.dictionaries(TEXT, TEXT))
def test_every_message_survives_its_envelope(
    message: str, subject: str | None, attributes: dict[str, str]
) -> None:
    """Whatever the text, both envelopes are JSON that holds it."""
    given_attributes = {name: Attribute("String", value) for name, value in attributes.items()}
    notification = Notification("id", "arn", message, "t", subject, given_attributes, SIGNATURE)
    envelope = json.loads(notification_json(notification, "u"))
    (record,) = json.loads(lambda_event(notification, "s", "u"))["Records"]
    for found in (envelope, record["Sns"]):
        assert found["Message"] == message
        assert found.get("Subject") == subject
        shown = {name: one["Value"] for name, one in found.get("MessageAttributes", {}).items()}
        assert shown == attributes


def test_the_canonical_string_is_awss() -> None:
    """Names and values on lines of their own, by name, without a subject that is not there."""
    notification = Notification("id", "arn", "message\n", "time")
    lines = ("Message", "message\n", "MessageId", "id", "Timestamp", "time")
    more = ("TopicArn", "arn", "Type", "Notification")
    expected = "".join(f"{line}\n" for line in (*lines, *more)).encode()
    assert canonical_string(signed_members(notification)) == expected
    with_subject = Notification("id", "arn", "message\n", "time", "s")
    assert b"MessageId\nid\nSubject\ns\nTimestamp\n" in canonical_string(
        signed_members(with_subject)
    )


@given(TEXT, TEXT)
def test_two_messages_have_two_canonical_strings(one: str, other: str) -> None:
    """What differs in its message is signed differently."""
    strings = {
        canonical_string(signed_members(Notification("i", "a", text, "t"))) for text in (one, other)
    }
    assert len(strings) == len({one, other})


def test_confirmations_are_signed_with_their_token() -> None:
    """The members AWS names, in its order."""
    members = confirmation_members(
        SUBSCRIPTION, message_id="id", token="t0", topic_arn="arn:aws:sns:r:1:t",
        about_arn="arn:aws:sns:r:1:t", endpoint="http://h", timestamp="now",
    )  # fmt: skip
    names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    expected = "".join(f"{name}\n{members[name]}\n" for name in names).encode()
    assert canonical_string(members) == expected
    document = json.loads(confirmation_json(members, SIGNATURE))
    assert document["SubscribeURL"] == (
        "http://h/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:r:1:t&Token=t0"
    )
    assert document["SigningCertURL"] == SIGNATURE.certificate_url


@pytest.mark.skipif(not GOLDEN.exists(), reason="golden events are not here")
def test_the_lambda_event_has_the_members_of_awss() -> None:
    """Names and types of every member are those of AWS's own example."""
    notification = Notification(
        "id", "arn", "m", "t", "s", {"a": Attribute("String", "v")}, SIGNATURE
    )
    ours = json.loads(lambda_event(notification, "s", "u"))["Records"][0]
    theirs = json.loads(GOLDEN.read_text())["Records"][0]

    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(one) for key, one in value.items() if key != "MessageAttributes"}
        return type(value)

    assert shape(ours) == shape(theirs)


@given(st.integers(0, 4_000_000_000_000))
def test_timestamps_have_milliseconds(now_ms: int) -> None:
    """Three digits, and a Z."""
    text = format_timestamp(now_ms)
    assert (len(text), text[-5], text[-1]) == (24, ".", "Z")
    assert int(text[-4:-1]) == now_ms % 1000


@pytest.mark.parametrize(("version", "digest"), [("1", hashes.SHA1()), ("2", hashes.SHA256())])
def test_signatures_are_checked_with_the_certificate(
    signer: Signer, version: str, digest: hashes.HashAlgorithm
) -> None:
    """The certificate named beside a signature verifies it, and no other text's."""
    made = signer.sign(b"text", version)
    path = made.certificate_url.removeprefix("http://127.0.0.1:4566")
    pem = signer.certificate(path)
    assert pem is not None
    assert b"PRIVATE" not in pem
    key = x509.load_pem_x509_certificate(pem).public_key()
    assert isinstance(key, RSAPublicKey)
    signature = base64.b64decode(made.signature)
    key.verify(signature, b"text", padding.PKCS1v15(), digest)
    with pytest.raises(InvalidSignature):
        key.verify(signature, b"other", padding.PKCS1v15(), digest)
    for other in ("/SimpleNotificationService-.pem", "/SimpleNotificationService-00.pem", "/"):
        assert signer.certificate(other) is None


def test_the_key_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    """A second signer on the directory has the same key; only its owner may read the file."""
    first = Signer(tmp_path / "sns", "http://h").sign(b"text", "2")
    assert Signer(tmp_path / "sns", "http://h").sign(b"text", "2") == first
    (path,) = (tmp_path / "sns").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
