"""Everything forgotten, for ``POST /_lambent/reset``: functions, layers, numbers and code."""

from lambent.control.plane import ControlPlane

_TABLES = (
    *("versions", "version_numbers", "aliases", "statements", "tags", "layer_versions"),
    *("reservations", "recursion_configs", "code_signing_configs", "code_signing_of_functions"),
    *("event_invoke_configs", "function_urls", "provisioned_concurrency"),
    *("event_source_mappings", "scaling"),
)
_FUNCTIONS = "SELECT account_id, region, name FROM versions WHERE number = 0"


def reset(plane: ControlPlane) -> None:
    """Empties every table and the code store, and tells of each function that went."""
    with plane.database.transaction() as cx:
        gone = [
            f"arn:aws:lambda:{row['region']}:{row['account_id']}:function:{row['name']}"
            for row in cx.execute(_FUNCTIONS)
        ]
        for table in _TABLES:
            cx.execute(f"DELETE FROM {table}")  # noqa: S608 - names from above
    plane.pending_work.clear()
    for function_arn in gone:
        plane.on_change(function_arn)
    plane.code.clear()
