"""Batches: up to ten entries, each of which succeeds or fails for itself."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from lambent.model.errors import AwsError, ClientFault
from lambent.services.sqs import faults
from lambent.wire.errors import error_plan

MAX_ENTRIES: Final = 10
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def check_entries(entries: Sequence[dict[str, Any]], kind: str) -> None:
    """Raises what AWS refuses a whole batch for; ``kind`` is what the query protocol calls an entry."""
    if not entries:
        text = f"There should be at least one {kind} in the request."
        raise ClientFault("EmptyBatchRequest", text)
    if len(entries) > MAX_ENTRIES:
        text = f"Maximum number of entries per request are {MAX_ENTRIES}. You have sent {len(entries)}."
        raise ClientFault("TooManyEntriesInBatchRequest", text)
    seen = set()
    for entry in entries:
        entry_id = entry["Id"]
        if not _ID.fullmatch(entry_id):
            raise ClientFault("InvalidBatchEntryId", faults.BAD_ENTRY_ID)
        if entry_id in seen:
            raise ClientFault("BatchEntryIdsNotDistinct", f"Id {entry_id} repeated.")
        seen.add(entry_id)


def failed_entry(entry_id: str, error: AwsError) -> dict[str, Any]:
    """``BatchResultErrorEntry``, with the code that query clients know."""
    return {
        "Id": entry_id,
        "SenderFault": error.fault == "Sender",
        "Code": error_plan("sqs", error.code).code,
        "Message": error.message,
    }


def each(
    entries: Sequence[dict[str, Any]], work: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Does ``work`` for every entry: ``Successful`` with the ids, ``Failed`` with the errors raised."""
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            work(entry)
        except AwsError as error:
            failed.append(failed_entry(entry["Id"], error))
        else:
            successful.append({"Id": entry["Id"]})
    return batch_result(successful, failed)


def batch_result(successful: list[dict[str, Any]], failed: list[dict[str, Any]]) -> dict[str, Any]:
    """The lists that are not empty."""
    return {"Successful": successful or None, "Failed": failed or None}
