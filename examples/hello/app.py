"""The smallest useful function: greets whom the event names."""


def handler(event, context):
    """Returns a greeting and which version gave it."""
    name = event.get("name", "world")
    return {"greeting": f"Hello, {name}!", "version": context.function_version}
