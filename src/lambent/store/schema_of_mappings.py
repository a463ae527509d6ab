"""The schema step for event source mappings."""

SCHEMA_OF_MAPPINGS = """
    CREATE TABLE event_source_mappings (
        uuid TEXT PRIMARY KEY,
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        function_arn TEXT NOT NULL,     -- with the qualifier it was made with
        event_source_arn TEXT NOT NULL, -- '' where a source has none
        document TEXT NOT NULL          -- model.event_source_mapping.EventSourceMapping as JSON
    ) WITHOUT ROWID;
    CREATE INDEX event_source_mappings_by_function
        ON event_source_mappings (account_id, region, function_arn);
    CREATE INDEX event_source_mappings_by_source
        ON event_source_mappings (account_id, region, event_source_arn)
"""
