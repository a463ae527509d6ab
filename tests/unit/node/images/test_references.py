"""URIs of images: what is one, and that none leads anywhere else."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.errors import ClientFault
from lambent.node.images.references import parse_image_uri

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
DIGEST = "0f" * 32


@pytest.mark.parametrize(
    ("rest", "repository", "tag", "digest"),
    [
        ("app:v1", "app", "v1", ""),
        ("team/app-x/b_c:1.2-3", "team/app-x/b_c", "1.2-3", ""),
        (f"app@sha256:{DIGEST}", "app", "", DIGEST),
        (f"app:v1@sha256:{DIGEST}", "app", "v1", DIGEST),
    ],
)
def test_a_uri_has_parts(rest: str, repository: str, tag: str, digest: str) -> None:
    """Repository, tag and digest; resolved, it is by digest."""
    found = parse_image_uri(f"{HOST}/{rest}")
    assert (found.host, found.repository, found.tag, found.digest) == (
        HOST,
        repository,
        tag,
        digest,
    )
    assert found.at(DIGEST).resolved_uri == f"{HOST}/{repository}@sha256:{DIGEST}"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "app:v1",
        f"{HOST}/app",
        f"{HOST}/App:v1",
        f"{HOST}/../app:v1",
        f"{HOST}/a//b:v1",
        f"{HOST}/a/./b:v1",
        f"{HOST}/app:v1\n",
        f"{HOST}/app:-x",
        f"{HOST}/app@sha256:{DIGEST[1:]}",
        f"{HOST}/app@md5:{DIGEST}",
        f"{HOST}/{'a' * 257}:v1",
        f"{HOST}.example.com/app:v1",
        f"evil.com/{HOST}/app:v1",
        "public.ecr.aws/lambda/python:3.12",
    ],
)
def test_what_is_none_is_refused(uri: str) -> None:
    """In AWS's words, with the URI as it was given."""
    with pytest.raises(ClientFault) as raised:
        parse_image_uri(uri)
    assert raised.value.message == f"Source image {uri} is not valid. Provide a valid source image."


@given(st.text(alphabet="ab./:@-_0\\\n", max_size=20))
def test_no_repository_leads_out_of_a_directory(rest: str) -> None:
    """Whatever is taken is a path below the directory it is looked up in."""
    try:
        found = parse_image_uri(f"{HOST}/{rest}")
    except ClientFault:
        return
    parts = PurePosixPath(found.repository).parts
    assert not {"..", ".", "/"} & set(parts)
    assert "/".join(parts) == found.repository
