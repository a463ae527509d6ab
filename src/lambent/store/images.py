"""Container images in the documents of versions."""

import sqlite3
from typing import Any

from lambent.model.image import ImageCode, ImageConfig, ServingImage

# As the index versions_by_serving has it, word by word.
_SERVING_IN_USE = """
    SELECT json_extract(document, '$.serving.sha256') FROM versions
    WHERE json_extract(document, '$.serving.sha256') IS NOT NULL
"""
# As the indexes versions_by_image and versions_by_serving have it.
_IMAGES_IN_USE = """
    SELECT code_sha256, json_extract(document, '$.image.resolved_uri') FROM versions
    WHERE json_extract(document, '$.image.resolved_uri') IS NOT NULL
        AND json_extract(document, '$.state') = 'Active'
        AND json_extract(document, '$.serving') IS NULL
    UNION
    SELECT json_extract(document, '$.serving.sha256'),
        json_extract(document, '$.serving.image.resolved_uri') FROM versions
    WHERE json_extract(document, '$.serving.sha256') IS NOT NULL
"""


def image_from(document: dict[str, Any]) -> ImageCode:
    """``ImageCode`` as it was written."""
    config = document["config"]
    changed = ImageConfig(
        tuple(config["entry_point"]), tuple(config["command"]), config["working_directory"]
    )
    return ImageCode(document["uri"], document["resolved_uri"], changed)


def serving_from(document: dict[str, Any]) -> ServingImage:
    """``ServingImage`` as it was written."""
    return ServingImage(
        document["sha256"], image_from(document["image"]), document["config_revision"]
    )


def serving_in_use(cx: sqlite3.Connection) -> set[str]:
    """The SHA-256 of every image that some version runs although it shows another one."""
    return {row[0] for row in cx.execute(_SERVING_IN_USE)}


def images_in_use(cx: sqlite3.Connection) -> list[tuple[str, str]]:
    """The SHA-256 and the URI by digest of every image that some version runs now."""
    return [(row[0], row[1]) for row in cx.execute(_IMAGES_IN_USE)]
