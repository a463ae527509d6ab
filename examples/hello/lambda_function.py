"""The smallest function: says hello and who ran it."""

from typing import Any


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Greets ``event["name"]``, or the world."""
    return {
        "message": f"Hello, {event.get('name', 'world')}!",
        "function": context.function_name,
        "version": context.function_version,
        "request_id": context.aws_request_id,
        "time_left_ms": context.get_remaining_time_in_millis(),
    }
