"""The schema step for what hangs on a function beside its versions: recursion, code signing, URLs."""

SCHEMA_OF_SETTINGS = """
    -- Only what is not the default, Terminate, has a row.
    CREATE TABLE recursion_configs (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        function_name TEXT NOT NULL,
        recursive_loop TEXT NOT NULL,
        PRIMARY KEY (account_id, region, function_name)
    ) WITHOUT ROWID;

    CREATE TABLE code_signing_configs (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        id TEXT NOT NULL,
        document TEXT NOT NULL,         -- model.code_signing.CodeSigningConfig as JSON
        PRIMARY KEY (account_id, region, id)
    ) WITHOUT ROWID;

    CREATE TABLE code_signing_of_functions (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        function_name TEXT NOT NULL,
        config_id TEXT NOT NULL,
        PRIMARY KEY (account_id, region, function_name)
    ) WITHOUT ROWID;
    CREATE INDEX functions_by_code_signing
        ON code_signing_of_functions (account_id, region, config_id, function_name);

    CREATE TABLE function_urls (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        function_name TEXT NOT NULL,
        qualifier TEXT NOT NULL,        -- an alias, or $LATEST
        url_id TEXT NOT NULL UNIQUE,
        document TEXT NOT NULL,         -- model.function_url.FunctionUrl as JSON
        PRIMARY KEY (account_id, region, function_name, qualifier)
    ) WITHOUT ROWID
"""
