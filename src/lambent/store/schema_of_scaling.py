"""The schema step for Application Auto Scaling."""

SCHEMA_OF_SCALING = """
    CREATE TABLE scaling (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        kind TEXT NOT NULL,             -- target, policy, action or activity
        resource_id TEXT NOT NULL,      -- function:NAME:QUALIFIER
        name TEXT NOT NULL,             -- of a policy or an action; an activity's is its number
        due_at_s REAL,                  -- when an action runs next
        document TEXT NOT NULL,
        PRIMARY KEY (account_id, region, kind, resource_id, name)
    ) WITHOUT ROWID;
    CREATE INDEX scaling_due ON scaling (due_at_s) WHERE due_at_s IS NOT NULL
"""
