"""Manifests, configurations, indexes: whatever the bytes are, a value that keeps its promises or BadDocument."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.node.images.manifest import (
    MAX_DOCUMENT_BYTES,
    REF_NAME,
    BadDocument,
    find_in_index,
    read_configuration,
    read_manifest,
)

DIGEST = "sha256:" + "ab" * 32
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 2}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": 7}
MANIFEST = {"schemaVersion": 2, "config": CONFIG, "layers": [LAYER, LAYER]}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def _data(document: Any) -> bytes:
    return json.dumps(document).encode()


def test_a_manifest_is_read() -> None:
    """Configuration and layers with digest and size, the lowest layer first."""
    manifest = read_manifest(_data(MANIFEST))
    assert manifest.config.sha256 == "ab" * 32
    assert [layer.size_bytes for layer in manifest.layers] == [7, 7]
    assert manifest.size_bytes == 14


def test_dockers_manifest_is_one_too() -> None:
    """What ``docker push`` writes without BuildKit's attestations."""
    docker = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {**CONFIG, "mediaType": "application/vnd.docker.container.image.v1+json"},
        "layers": [{**LAYER, "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"}],
    }
    assert read_manifest(_data(docker)).layers[0].is_packed


@pytest.mark.parametrize(
    "change",
    [
        {"schemaVersion": 1},
        {"mediaType": "application/vnd.oci.image.index.v1+json"},
        {"mediaType": ["a"]},
        {"manifests": []},
        {"config": None},
        {"config": {**CONFIG, "digest": "md5:00"}},
        {"config": {**CONFIG, "size": True}},
        {"layers": None},
        {"layers": [{**LAYER, "size": 1.5}]},
        {"layers": [{**LAYER, "digest": "sha256:../etc/passwd"}]},
        {"layers": [{**LAYER, "digest": f"{DIGEST}\n"}]},
        {"layers": [{**LAYER, "mediaType": {}}]},
        {"layers": [LAYER] * 1001},
    ],
)
def test_another_kind_of_manifest_is_refused(change: dict[str, Any]) -> None:
    """Indexes, other media types, and descriptors that are none."""
    with pytest.raises(BadDocument):
        read_manifest(_data({**MANIFEST, **change}))


@given(st.binary(max_size=64) | ANYTHING.map(_data))
def test_any_bytes_are_a_document_or_refused(data: bytes) -> None:
    """Nothing but BadDocument is raised."""
    for read in (read_manifest, read_configuration, lambda d: find_in_index(d, "v1")):
        try:
            read(data)
        except BadDocument:
            continue


@given(
    st.sampled_from(["schemaVersion", "mediaType", "config", "layers"]),
    ANYTHING,
    st.sampled_from(["mediaType", "digest", "size"]),
)
def test_any_member_may_be_anything(member: str, value: Any, inner: str) -> None:
    """A manifest with one member replaced, or one of a descriptor's, is read or refused."""
    for document in (
        {**MANIFEST, member: value},
        {**MANIFEST, "config": {**CONFIG, inner: value}},
        {**MANIFEST, "layers": [{**LAYER, inner: value}]},
    ):
        try:
            manifest = read_manifest(_data(document))
        except BadDocument:
            continue
        for blob in (manifest.config, *manifest.layers):
            assert len(blob.sha256) == 64
            assert set(blob.sha256) <= set("0123456789abcdef")
            assert blob.size_bytes >= 0


@given(
    st.sampled_from(["Entrypoint", "Cmd", "WorkingDir", "Env"]),
    ANYTHING | st.lists(st.text(max_size=8), max_size=3),
)
def test_a_configuration_has_texts_that_can_be_executed(member: str, value: Any) -> None:
    """No text has a NUL in it, and a variable has a name."""
    document = {"architecture": "amd64", "os": "linux", "config": {member: value}}
    try:
        found = read_configuration(_data(document))
    except BadDocument:
        return
    texts = (*found.entry_point, *found.command, *found.environment, *found.environment.values())
    assert not any("\0" in text for text in (*texts, found.working_directory))
    assert all(name and "=" not in name for name in found.environment)
    assert found.architecture == "x86_64"


def test_an_index_has_tags() -> None:
    """Layouts name a tag alone, archives the whole image; a tag on an index of its own is refused."""
    kind = "application/vnd.oci.image.manifest.v1+json"

    def entry(name: str, media_type: str = kind) -> dict[str, Any]:
        descriptor = {"mediaType": media_type, "digest": DIGEST, "size": 1}
        return {**descriptor, "annotations": {REF_NAME: name}}

    index = _data({"manifests": [{}, entry("v1"), entry("example.com/app:v2")]})
    assert find_in_index(index, "v1") is not None
    assert find_in_index(index, "v2") is not None
    assert find_in_index(index, "v3") is None
    nested = entry("v1", "application/vnd.oci.image.index.v1+json")
    with pytest.raises(BadDocument):
        find_in_index(_data({"manifests": [nested]}), "v1")


def test_a_document_has_a_bound() -> None:
    """What is longer than any manifest is not read."""
    with pytest.raises(BadDocument):
        read_manifest(b" " * (MAX_DOCUMENT_BYTES + 1))
