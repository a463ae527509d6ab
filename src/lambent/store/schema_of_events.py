"""The schema step for asynchronous invocation: how events of a qualifier are handled."""

SCHEMA_OF_EVENTS = """
    CREATE TABLE event_invoke_configs (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        function_name TEXT NOT NULL,
        qualifier TEXT NOT NULL,        -- $LATEST, a version or an alias
        document TEXT NOT NULL,         -- model.event_invoke.EventInvokeConfig as JSON
        PRIMARY KEY (account_id, region, function_name, qualifier)
    ) WITHOUT ROWID
"""
