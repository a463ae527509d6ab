"""The schema steps for container images: which are run, and which while others are being unpacked."""

SCHEMA_OF_IMAGES = """
    -- So versions that run what they show, nearly all, are not looked at.
    CREATE INDEX versions_by_serving ON versions (json_extract(document, '$.serving.sha256'))
        WHERE json_extract(document, '$.serving.sha256') IS NOT NULL
"""
SCHEMA_OF_IMAGE_URIS = """
    -- So versions of zips are not looked at.
    CREATE INDEX versions_by_image ON versions (json_extract(document, '$.image.resolved_uri'))
        WHERE json_extract(document, '$.image.resolved_uri') IS NOT NULL
"""
