"""The certificate of SNS: at its own path, for anybody, and at no other."""

from typing import Any

import pytest

from lambent.server.certificates import CertificateFile
from lambent.testing.loop import on_loop


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/SimpleNotificationService-0a.pem", 200),
        ("GET", "/SimpleNotificationService-0a.pem?x=y", 200),
        ("GET", "/SimpleNotificationService-0b.pem", 404),
        ("POST", "/SimpleNotificationService-0a.pem", 404),
    ],
)
@on_loop
async def test_the_certificate_is_a_file(place: Any, method: str, path: str, status: int) -> None:
    """It is read at its path, whatever the query; another path or method has none."""

    async def read(asked: str) -> bytes | None:
        return b"pem" if asked == "/SimpleNotificationService-0a.pem" else None

    place.edge._certificates = CertificateFile(read)
    answer = await place.ask(method, path)
    assert answer.status == status
    assert (answer.body == b"pem") == (status == 200)
