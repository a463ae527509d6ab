"""The one error of filter patterns."""


class InvalidPattern(ValueError):
    """The pattern cannot be read; the message is for the caller."""
