"""The account's limits and what is used of them, per region.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

import sqlite3

from lambent.control.plane import ControlPlane
from lambent.model import limits
from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault
from lambent.store import concurrency, functions, provisioned


def get_account_settings(plane: ControlPlane, call: Call) -> Result:
    """``GetAccountSettings``: the limits, and the functions and bytes there are."""
    place = (call.caller.account_id, call.caller.region)
    count, size_bytes = functions.usage(plane.database.connection, *place)
    taken = concurrency.total_reserved(plane.database.connection, *place)
    taken += provisioned.total_provisioned_unreserved(plane.database.connection, *place)
    return Result(
        {
            "AccountLimit": {
                "TotalCodeSize": plane.code_storage_bytes,
                "CodeSizeUnzipped": limits.UNZIPPED.value,
                "CodeSizeZipped": limits.ZIP_UPLOAD.value,
                "ConcurrentExecutions": plane.max_concurrency,
                "UnreservedConcurrentExecutions": max(0, plane.max_concurrency - taken),
            },
            "AccountUsage": {"TotalCodeSize": size_bytes, "FunctionCount": count},
        }
    )


def check_code_storage(
    plane: ControlPlane, cx: sqlite3.Connection, account_id: str, region: str
) -> None:
    """Raises ``CodeStorageExceededException`` when what a transaction adds does not fit.

    Source of the text: users of AWS quote it.
    """
    _, size_bytes = functions.usage(cx, account_id, region)
    if size_bytes > plane.code_storage_bytes:
        raise ClientFault(
            "CodeStorageExceededException", "Code storage limit exceeded.", fields={"Type": "User"}
        )
