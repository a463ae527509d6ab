"""The one error of filter patterns."""


class InvalidPattern(ValueError):  # noqa: N818 - it is AWS's word for it
    """The pattern cannot be read; the message is for the caller."""
