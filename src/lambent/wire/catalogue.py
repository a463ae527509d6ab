"""What AWS has, by botocore's models: the operations of a service, the members of an input."""

from collections.abc import Mapping

from lambent.wire.models import operation_model, service_model


def operation_names(service: str) -> tuple[str, ...]:
    """Every operation of a service, by name; none when botocore knows no such service."""
    model = service_model(service)
    return () if model is None else tuple(sorted(model.operation_names))


def input_members(service: str, operation: str) -> Mapping[str, tuple[str, ...]]:
    """The members of an operation's input in the model's order, each with its own if a structure.

    Empty when there is no such operation, or when it takes no input.
    """
    model = operation_model(service, operation)
    shape = model.input_shape if model is not None else None
    return {
        name: tuple(member.members) if member.type_name == "structure" else ()
        for name, member in (shape.members if shape is not None else {}).items()
    }
