"""The schema step for container images: which are run while others are being unpacked."""

SCHEMA_OF_IMAGES = """
    -- So versions that run what they show, nearly all, are not looked at.
    CREATE INDEX versions_by_serving ON versions (json_extract(document, '$.serving.sha256'))
        WHERE json_extract(document, '$.serving.sha256') IS NOT NULL
"""
