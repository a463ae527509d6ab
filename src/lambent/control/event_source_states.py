"""The states of event source mappings: the table carried out, for operations and for the pollers' registry."""

from dataclasses import replace

from lambent.control.plane import ControlPlane
from lambent.model.errors import ClientFault
from lambent.model.event_source_mapping import (
    TRANSITIONS,
    EventSourceMapping,
    MappingEvent,
    MappingState,
    mapping_arn,
)
from lambent.store import event_source_mappings as mappings
from lambent.store import tags


def moved(mapping: EventSourceMapping, event: MappingEvent) -> EventSourceMapping:
    """The mapping after ``event``.

    Raises ``ResourceInUseException`` for a move the table has not. Best known: no recording of the text is known.
    """
    state = TRANSITIONS[mapping.state].get(event)
    if state is None:
        verb = "delete" if event is MappingEvent.DELETE else "update"
        raise ClientFault(
            "ResourceInUseException",
            f"Cannot {verb} the event source mapping because it is in use.",
            400,
            fields={"Type": "User"},
        )
    return replace(mapping, state=state)


def settle(
    plane: ControlPlane, uuid: str, event: MappingEvent, seen: EventSourceMapping
) -> EventSourceMapping | None:
    """The poller was started or stopped for the mapping as it was ``seen``: its state moves on.

    None when there was nothing to move, as it has changed since. A mapping that was being deleted is no more.
    """
    with plane.database.transaction() as cx:
        mapping = mappings.get_mapping(cx, uuid)
        if mapping is None or not _same(mapping, seen):
            return None
        if mapping.state is MappingState.DELETING:
            if event is MappingEvent.POLLER_STOPPED:
                mappings.remove_mapping(cx, uuid)
                tags.remove_all_tags(cx, mapping_arn(mapping))
            return None
        if event not in TRANSITIONS[mapping.state]:
            return None
        mapping = moved(mapping, event)
        mappings.put_mapping(cx, mapping)
    return mapping


def record_result(plane: ControlPlane, uuid: str, last_processing_result: str) -> None:
    """Writes down how the last batch went."""
    with plane.database.transaction() as cx:
        mapping = mappings.get_mapping(cx, uuid)
        if mapping is not None and mapping.last_processing_result != last_processing_result:
            changed = replace(mapping, last_processing_result=last_processing_result)
            mappings.put_mapping(cx, changed)


def _same(mapping: EventSourceMapping, seen: EventSourceMapping) -> bool:
    """Whether nothing but the result has changed."""
    result = mapping.last_processing_result
    return replace(seen, last_processing_result=result) == mapping
