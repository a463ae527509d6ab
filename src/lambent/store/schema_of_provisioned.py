"""The schema step for provisioned concurrency."""

SCHEMA_OF_PROVISIONED = """
    CREATE TABLE provisioned_concurrency (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        function_name TEXT NOT NULL,
        qualifier TEXT NOT NULL,        -- a published version's number, or an alias
        executions INTEGER NOT NULL CHECK (executions > 0),
        last_modified TEXT NOT NULL,
        PRIMARY KEY (account_id, region, function_name, qualifier)
    ) WITHOUT ROWID
"""
