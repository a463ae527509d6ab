"""The schema, as the steps that lead to it: step N takes a database from ``user_version`` N to N+1.

A step that has shipped is never changed; a new need is a new step.
"""

from lambent.store.schema_of_events import SCHEMA_OF_EVENTS
from lambent.store.schema_of_images import SCHEMA_OF_IMAGE_URIS, SCHEMA_OF_IMAGES
from lambent.store.schema_of_mappings import SCHEMA_OF_MAPPINGS
from lambent.store.schema_of_provisioned import SCHEMA_OF_PROVISIONED
from lambent.store.schema_of_scale import SCHEMA_OF_SCALE
from lambent.store.schema_of_scaling import SCHEMA_OF_SCALING
from lambent.store.schema_of_settings import SCHEMA_OF_SETTINGS

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE versions (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        number INTEGER NOT NULL,        -- 0 is $LATEST
        code_sha256 TEXT NOT NULL,
        code_bytes INTEGER NOT NULL,
        settled INTEGER NOT NULL,       -- 0 while Pending or InProgress
        document TEXT NOT NULL,         -- model.function.FunctionVersion as JSON
        PRIMARY KEY (account_id, region, name, number)
    ) WITHOUT ROWID;
    CREATE INDEX versions_unsettled ON versions (settled) WHERE settled = 0;

    -- Numbers are never given twice, so they outlive what they numbered.
    CREATE TABLE version_numbers (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('function', 'layer')),
        name TEXT NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (account_id, region, kind, name)
    ) WITHOUT ROWID;

    CREATE TABLE aliases (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        function_name TEXT NOT NULL,
        name TEXT NOT NULL,
        function_version TEXT NOT NULL,
        description TEXT NOT NULL,
        revision_id TEXT NOT NULL,
        additional_version TEXT,
        additional_weight REAL NOT NULL,
        PRIMARY KEY (account_id, region, function_name, name)
    ) WITHOUT ROWID;

    -- Statements of resource policies, in the order they were added.
    CREATE TABLE statements (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        resource TEXT NOT NULL,         -- the ARN the policy hangs on, qualified or not
        statement_id TEXT NOT NULL,
        document TEXT NOT NULL,
        UNIQUE (resource, statement_id)
    );

    CREATE TABLE tags (
        resource TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (resource, key)
    ) WITHOUT ROWID;

    CREATE TABLE layer_versions (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        number INTEGER NOT NULL,
        code_sha256 TEXT NOT NULL,
        code_bytes INTEGER NOT NULL,
        document TEXT NOT NULL,         -- store.layers.LayerVersion as JSON
        PRIMARY KEY (account_id, region, name, number)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE reservations (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        function_name TEXT NOT NULL,
        executions INTEGER NOT NULL CHECK (executions >= 0),
        PRIMARY KEY (account_id, region, function_name)
    ) WITHOUT ROWID;
    """,
    SCHEMA_OF_SCALE,
    SCHEMA_OF_SETTINGS,
    SCHEMA_OF_EVENTS,
    SCHEMA_OF_PROVISIONED,
    SCHEMA_OF_MAPPINGS,
    SCHEMA_OF_SCALING,
    SCHEMA_OF_IMAGES,
    SCHEMA_OF_IMAGE_URIS,
)
