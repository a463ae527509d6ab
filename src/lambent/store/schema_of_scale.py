"""The schema step that keeps operations from costing more the more functions there are."""


def _totals(table: str, is_function: str) -> str:
    """Keeps ``usage`` while ``table`` changes. Rows are written by upsert: a REPLACE fires no DELETE."""
    return f"""
    INSERT INTO usage
        SELECT account_id, region, TOTAL({is_function.format("")}), SUM(code_bytes) FROM {table}
        WHERE true GROUP BY account_id, region
        ON CONFLICT DO UPDATE SET
            functions = functions + excluded.functions,
            code_bytes = code_bytes + excluded.code_bytes;
    CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN
        INSERT INTO usage
            VALUES (new.account_id, new.region, {is_function.format("new.")}, new.code_bytes)
            ON CONFLICT DO UPDATE SET
                functions = functions + excluded.functions,
                code_bytes = code_bytes + excluded.code_bytes;
    END;
    CREATE TRIGGER {table}_changed AFTER UPDATE OF code_bytes ON {table}
    WHEN old.code_bytes <> new.code_bytes BEGIN
        UPDATE usage SET code_bytes = code_bytes - old.code_bytes + new.code_bytes
        WHERE account_id = new.account_id AND region = new.region;
    END;
    CREATE TRIGGER {table}_removed AFTER DELETE ON {table} BEGIN
        UPDATE usage SET
            functions = functions - {is_function.format("old.")},
            code_bytes = code_bytes - old.code_bytes
        WHERE account_id = old.account_id AND region = old.region;
    END;
    """  # noqa: S608 - names from below


_TABLES = """
    -- With a rowid: rows of more than 1 KB in a table without one take a page of overflow each.
    CREATE TABLE versions_with_rowid (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        number INTEGER NOT NULL,        -- 0 is $LATEST
        code_sha256 TEXT NOT NULL,
        code_bytes INTEGER NOT NULL,
        settled INTEGER NOT NULL,       -- 0 while Pending or InProgress
        document TEXT NOT NULL,         -- model.function.FunctionVersion as JSON
        PRIMARY KEY (account_id, region, name, number)
    );
    INSERT INTO versions_with_rowid SELECT * FROM versions;
    DROP TABLE versions;
    ALTER TABLE versions_with_rowid RENAME TO versions;
    CREATE INDEX versions_unsettled ON versions (settled) WHERE settled = 0;

    -- What an account has in a region, kept by triggers: asked at every upload.
    CREATE TABLE usage (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        functions INTEGER NOT NULL,
        code_bytes INTEGER NOT NULL,
        PRIMARY KEY (account_id, region)
    ) WITHOUT ROWID;
"""
_INDEXES = """
    CREATE INDEX versions_latest ON versions (account_id, region, name) WHERE number = 0;
    CREATE INDEX versions_by_code ON versions (code_sha256);
    CREATE INDEX layer_versions_by_code ON layer_versions (code_sha256);
    CREATE INDEX versions_by_layers ON versions (json_extract(document, '$.layers'))
        WHERE json_extract(document, '$.layers') <> '[]'
"""
SCHEMA_OF_SCALE = "\n".join(
    [_TABLES, _totals("versions", "({}number = 0)"), _totals("layer_versions", "0"), _INDEXES]
)
